//! One call: the key it carries, and its body whole and in time.

use std::borrow::Cow;
use std::error::Error;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq;
use tokio::time::{Instant, timeout_at};

use crate::config::Secret;
use crate::http::refusal::Refusal;
use crate::telemetry::metrics::RefusalReason;

/// Whether the call carries the key, in either header.
pub(in crate::http) fn carries_key(headers: &HeaderMap, key: &Secret) -> bool {
    let is_key = |given: &str| bool::from(given.as_bytes().ct_eq(key.expose().as_bytes()));
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer_token);
    let api_key = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    bearer.is_some_and(is_key) || api_key.is_some_and(is_key)
}

/// The token of an `Authorization: Bearer …` header.
pub(in crate::http) fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The body, whole and in time, if it says that it is JSON.
pub(in crate::http) async fn json_body(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, impl Error>> + Send + Unpin,
    most: usize,
    deadline: Instant,
) -> Result<Bytes, Refusal> {
    let is_json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json);
    if !is_json {
        let message = "send the body as Content-Type: application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Refusal::new(status, RefusalReason::HookBody, "not_json", message));
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > most as u64) {
        return Err(too_large(most));
    }
    timeout_at(deadline, collect(body, most)).await.unwrap_or_else(|_| {
        let message = "the body did not arrive in time";
        Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, RefusalReason::HookBody, "body_timeout", message))
    })
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The body, whole, whatever it is.
pub(in crate::http) async fn collect(
    mut body: impl Stream<Item = Result<impl Buf, impl Error>> + Send + Unpin,
    most: usize,
) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let Ok(mut chunk) = chunk else { return Err(bad("the body did not arrive whole")) };
        while chunk.has_remaining() {
            if whole.len() + chunk.remaining() > most {
                return Err(too_large(most));
            }
            let length = chunk.chunk().len();
            whole.extend_from_slice(chunk.chunk());
            chunk.advance(length);
        }
    }
    Ok(whole.freeze())
}

pub(in crate::http) fn bad(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::bad_request(RefusalReason::HookBody, message)
}

fn too_large(most: usize) -> Refusal {
    let message = format!("the body may have {most} bytes at most");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, RefusalReason::HookBodyTooLarge, "body_too_large", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_taken_from_either_header_and_nothing_else() {
        let key = Secret::new("llave");
        let carries = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            carries_key(&headers, &key)
        };
        assert!(carries("authorization", "Bearer llave"));
        assert!(carries("authorization", "bearer llave"));
        assert!(carries("x-api-key", "llave"));
        assert!(!carries("authorization", "Basic llave"));
        assert!(!carries("x-api-key", "llave2"));
        assert!(!carries("x-api-key", ""));
        assert!(!carries_key(&HeaderMap::new(), &key));
    }

    #[test]
    fn json_is_told_by_its_media_type() {
        assert!(is_json("application/json"));
        assert!(is_json("Application/JSON; charset=utf-8"));
        assert!(is_json("application/problem+json"));
        assert!(!is_json("text/plain"));
        assert!(!is_json("application/x-www-form-urlencoded"));
    }
}
