//! What an orchestrator asks: alive, ready, and the numbers.

use std::sync::Arc;

use http::header::ACCEPT;
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use warp::reply::Response;

use super::answer;
use super::hooks::Hooks;
use super::hooks::call::carries_key;
use crate::database::Down;
use crate::telemetry::metrics::Format;

const SHUTTING_DOWN: &str = "shutting_down";

/// Alive: this process answers. Says nothing of the database, whose absence no restart of ours would mend.
pub(super) fn health() -> Response {
    answer::json(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Ready: new dashboards would get their figures. Strangers are told a word; who sends the hook key, the whole story. Keys of
/// an issuer that is away are a word only: another node would have no others.
/// A node that cannot use the log between it and others still serves, and so does one without a live query: what it cannot do
/// is named.
pub(super) fn ready(hooks: &Hooks, headers: &HeaderMap) -> Response {
    let state = hooks.admission.sessions.database.state();
    let down = state.borrow().down.clone();
    let is_leaving = hooks.admission.departure.is_announced();
    let reason = if is_leaving { Some(SHUTTING_DOWN) } else { down.as_ref().map(|down| down.word.as_str()) };
    let Some(reason) = reason else {
        let words: Vec<_> =
            hooks.admission.sessions.tokens.sources().iter().filter_map(|source| source.word()).collect();
        let mut body = json!({ "ready": true });
        if let Some(word) = words.iter().find(|word| **word == "missing").or(words.first()) {
            body["keys"] = json!(word);
        }
        let off = hooks.admission.sessions.queries.off();
        if !off.is_empty() {
            body["queries_off"] = json!(off);
        }
        if let Some(word) = hooks.calls.broker.degraded() {
            body["degraded"] = json!(format!("log_{word}"));
        }
        return answer::json(StatusCode::OK, &body);
    };
    let knows_key = hooks.config.key.as_ref().is_some_and(|key| carries_key(headers, key));
    let body = match down {
        Some(Down { detail, .. }) if knows_key => json!({ "ready": false, "reason": reason, "detail": detail }),
        _ => json!({ "ready": false, "reason": reason }),
    };
    answer::json(StatusCode::SERVICE_UNAVAILABLE, &body)
}

/// The numbers, as a scraper reads them.
pub(super) async fn metrics(hooks: Arc<Hooks>, method: Method, headers: HeaderMap) -> Response {
    let sessions = &hooks.admission.sessions;
    sessions.hub.survey().await;
    answer::on_get(&method, || {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let format = Format::accepted(accepted);
        answer::with_type(StatusCode::OK, format.content_type(), sessions.metrics.encode(format))
    })
}
