//! The calls of the REST API: something changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use subtle::ConstantTimeEq;
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use warp::reply::Response;

use super::refusal::Refusal;
use super::{Gate, answer};
use crate::config::Secret;
use crate::negocio::{IdType, NegocioId};
use crate::telemetry::metrics::{HookAnswer, RefusalReason};

/// Kept back from the timeout so that the answer is on the wire by then.
const MARGIN: Duration = Duration::from_millis(150);

const ACTIONS: [&str; 4] = ["created", "updated", "deleted", "status_changed"];

/// The body of `POST /notify/cita`.
#[derive(Debug, Deserialize)]
struct Cita {
    #[serde(default)]
    negocio_id: Value,
    #[serde(default = "unsaid")]
    action: Value,
}

/// An action that is not said; `null` is not the same.
fn unsaid() -> Value {
    Value::from(ACTIONS[1])
}

/// The answer to a notice that has been dealt with.
#[derive(Debug, Serialize)]
struct Accepted {
    ok: bool,
    negocio_id: String,
    /// How many listen at this moment.
    subscribers: usize,
    /// Of the figures they were handed; `null` when nobody listened.
    seq: Option<u64>,
}

/// `POST /notify/cita`: answered when every subscriber has been handed figures read after the call.
pub(super) async fn cita(
    gate: Arc<Gate>,
    method: Method,
    headers: HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
) -> Response {
    let deadline = Instant::now() + gate.hooks.timeout.saturating_sub(MARGIN);
    let metrics = &gate.environment.metrics;
    let response = match answer_cita(&gate, &method, &headers, body, deadline).await {
        Ok(accepted) => answer::json(StatusCode::OK, &accepted),
        Err(refusal) => {
            metrics.refuse(refusal.reason);
            refusal.into_response()
        }
    };
    metrics.hook_answers.get_or_create(&HookAnswer { status: response.status().as_u16() }).inc();
    response
}

async fn answer_cita(
    gate: &Gate,
    method: &Method,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
    deadline: Instant,
) -> Result<Accepted, Refusal> {
    if method != Method::POST {
        return Err(Refusal::not_allowed("POST"));
    }
    if !gate.hooks.cita_open && !carries_key(headers, gate.hooks.key.as_ref()) {
        let message = "send the key as Authorization: Bearer … or X-API-Key";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, RefusalReason::HookKey, "unauthorized", message));
    }
    let Some(_place) = gate.places.hook() else {
        // A stopping node has taken all places, to see when the last call is done.
        return Err(if gate.is_stopping.load(Ordering::Relaxed) {
            Refusal::busy(RefusalReason::ShuttingDown, "shutting down")
        } else {
            Refusal::busy(RefusalReason::TooManyHooks, "too many hook calls at once")
        });
    };
    let body = json_body(headers, body, gate.hooks.max_body_bytes, deadline).await?;
    let negocio = negocio_of(&body, gate.environment.database.id_type())?;
    let refresher = &gate.environment.refresher;
    let answered = timeout_at(deadline, refresher.notice(&negocio)).await;
    let Ok(Ok(reading)) = answered else { return Err(unavailable()) };
    if reading.is_none() && gate.environment.database.is_down() {
        // Nobody watches, so nothing is owed; but it would be wrong to say that the figures can be read.
        return Err(unavailable());
    }
    Ok(Accepted {
        ok: true,
        subscribers: refresher.subscribers(&negocio),
        negocio_id: negocio.as_str().to_owned(),
        seq: reading.map(|reading| reading.version),
    })
}

/// Whether the call carries the key, or needs none.
fn carries_key(headers: &HeaderMap, key: Option<&Secret>) -> bool {
    let Some(key) = key else { return true };
    let is_key = |given: &str| bool::from(given.as_bytes().ct_eq(key.expose().as_bytes()));
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer_token);
    let api_key = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    bearer.is_some_and(is_key) || api_key.is_some_and(is_key)
}

/// The token of an `Authorization: Bearer …` header.
pub(super) fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The body, whole and in time, if it says that it is JSON.
async fn json_body(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
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

async fn collect(
    mut body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
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

/// The business that a body names.
fn negocio_of(body: &[u8], id_type: Option<IdType>) -> Result<NegocioId, Refusal> {
    // A struct would also be read from an array.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(bad("the body must be a JSON object"));
    }
    let cita: Cita = serde_json::from_slice(body).map_err(|error| {
        debug!(%error, "hook body refused");
        bad("the body must be one JSON object with negocio_id and, if you like, action")
    })?;
    if !cita.action.as_str().is_some_and(|action| ACTIONS.contains(&action)) {
        return Err(bad("action must be one of created, updated, deleted, status_changed"));
    }
    let (text, is_number) = match &cita.negocio_id {
        Value::String(id) if !id.trim().is_empty() => (id.clone(), false),
        Value::Number(id) => (id.to_string(), true),
        _ => return Err(bad("negocio_id is missing, empty or not an id")),
    };
    // Without the column's type nothing can be read, nor be remembered: whoever subscribes later reads afresh.
    let id_type = id_type.ok_or_else(unavailable)?;
    if is_number && !id_type.is_integer() {
        return Err(bad("negocio_id must be a string"));
    }
    id_type.parse(&text).ok_or_else(|| bad("negocio_id cannot be the id of a business"))
}

fn bad(message: &'static str) -> Refusal {
    Refusal::bad_request(RefusalReason::HookBody, message)
}

fn too_large(most: usize) -> Refusal {
    let message = format!("the body may have {most} bytes at most");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, RefusalReason::HookBodyTooLarge, "body_too_large", message)
}

fn unavailable() -> Refusal {
    let message = "the figures cannot be read just now; subscribers get them as soon as they can be";
    let (status, reason) = (StatusCode::INTERNAL_SERVER_ERROR, RefusalReason::DatabaseUnavailable);
    Refusal::new(status, reason, "figures_unavailable", message)
}

#[cfg(test)]
mod tests;
