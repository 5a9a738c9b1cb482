//! One call: the key it carries, and its body whole and in time.

use std::borrow::Cow;
use std::error::Error;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use subtle::ConstantTimeEq;
use tokio::time::{Instant, sleep_until};

use crate::config::Secret;
use crate::http::Peer;
use crate::http::hooks::Hooks;
use crate::http::places::Caller;
use crate::http::refusal::Refusal;
use crate::model::ErrorWord;
use crate::telemetry::metrics::RefusalReason;

/// What some editors and languages put before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A call whose body is still to be read.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Arriving<'a> {
    pub(in crate::http) caller: Caller,
    pub(in crate::http) peer: Peer,
    pub(in crate::http) headers: &'a HeaderMap,
    /// By then it is there or refused.
    pub(in crate::http) deadline: Instant,
}

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
    hooks: &Hooks,
    call: Arriving<'_>,
    body: impl Stream<Item = Result<impl Buf, impl Error>> + Send + Unpin,
    most: usize,
) -> Result<Bytes, Refusal> {
    let headers = call.headers;
    let is_json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json);
    if !is_json {
        let message = "send the body as Content-Type: application/json";
        return Err(Refusal::new(RefusalReason::HookBody, ErrorWord::NotJson, message));
    }
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let message = "send the body as it is, without Content-Encoding";
        return Err(Refusal::new(RefusalReason::HookBody, ErrorWord::Compressed, message));
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > most as u64) {
        return Err(too_large(most));
    }
    let mut arriving = std::pin::pin!(collect(body, most));
    // Nearly every body comes with its head: that one needs no place, and nobody's address.
    let whole = if let Some(whole) = arriving.as_mut().now_or_never() {
        whole
    } else {
        let mut place = hooks.admission.places.body(call.caller, hooks.admission.address(call.peer, headers));
        tokio::select! {
            biased;
            whole = arriving => whole,
            () = place.given_up() => Err(Refusal::busy(RefusalReason::TooManyHooks, "too many bodies are under way at once")),
            () = sleep_until(call.deadline) => Err(late()),
        }
    };
    whole.map(without_mark)
}

pub(in crate::http) fn late() -> Refusal {
    let message = "the body did not arrive in time";
    Refusal::new(RefusalReason::HookBody, ErrorWord::BodyTimeout, message)
}

/// The text without a byte order mark before it.
pub(in crate::http) fn without_mark(body: Bytes) -> Bytes {
    if body.starts_with(BYTE_ORDER_MARK) { body.slice(BYTE_ORDER_MARK.len()..) } else { body }
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
    Refusal::new(RefusalReason::HookBodyTooLarge, ErrorWord::BodyTooLarge, message)
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
