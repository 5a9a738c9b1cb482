//! `POST /notify/cita`: something changed in a business's appointments, and Pulso reads what.

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::Reply;
use super::call::bad;
use crate::http::Gate;
use crate::http::refusal::Refusal;
use crate::negocio::{IdType, NegocioId};
use crate::telemetry::metrics::RefusalReason;

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

/// Answered when every subscriber has been handed figures read after the call.
pub(super) async fn answer(gate: &Gate, body: &Bytes, deadline: Instant) -> Result<Reply, Refusal> {
    let negocio = negocio_of(body, gate.environment.database.id_type())?;
    let refresher = &gate.environment.refresher;
    let answered = timeout_at(deadline, refresher.notice(&negocio)).await;
    let Ok(Ok(reading)) = answered else { return Err(unavailable()) };
    if reading.is_none() && gate.environment.database.is_down() {
        // Nobody watches, so nothing is owed; but it would be wrong to say that the figures can be read.
        return Err(unavailable());
    }
    Ok(Reply::json(&Accepted {
        ok: true,
        subscribers: refresher.subscribers(&negocio),
        negocio_id: negocio.as_str().to_owned(),
        seq: reading.map(|reading| reading.version),
    }))
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

fn unavailable() -> Refusal {
    let message = "the figures cannot be read just now; subscribers get them as soon as they can be";
    let (status, reason) = (StatusCode::INTERNAL_SERVER_ERROR, RefusalReason::DatabaseUnavailable);
    Refusal::new(status, reason, "figures_unavailable", message)
}

#[cfg(test)]
mod tests;
