//! What an orchestrator asks: alive, ready, and the numbers.

use std::sync::atomic::Ordering;

use http::StatusCode;
use serde_json::json;
use warp::reply::Response;

use super::{Gate, answer};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Alive: this process answers. Says nothing of the database, whose absence no restart of ours would mend.
pub(super) fn health() -> Response {
    answer::json(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Ready: new dashboards would get their figures.
pub(super) fn ready(gate: &Gate) -> Response {
    let down = if gate.is_stopping.load(Ordering::Relaxed) {
        Some("shutting down".to_owned())
    } else {
        gate.environment.database.state().borrow().down.clone()
    };
    match down {
        None => answer::json(StatusCode::OK, &json!({ "ready": true })),
        Some(reason) => answer::json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "ready": false, "reason": reason })),
    }
}

pub(super) fn metrics(gate: &Gate) -> Response {
    answer::with_type(StatusCode::OK, OPEN_METRICS, gate.environment.metrics.encode())
}
