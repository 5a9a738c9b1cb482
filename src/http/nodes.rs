//! `GET /api/nodes`: which nodes there are, for operators and their programs.
//!
//! Must not know how they hear of each other.

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use warp::reply::Response;

use super::answer;
use super::hooks::Hooks;
use super::hooks::call::carries_key;
use super::refusal::Refusal;
use crate::broker::Present;

#[derive(Debug, Serialize)]
struct Nodes {
    /// How the log between them is; `null` where there is one node.
    log: Option<Log>,
    /// This one first.
    nodes: Vec<Node>,
}

#[derive(Debug, Serialize)]
struct Log {
    up: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<String>,
}

#[derive(Debug, Serialize)]
struct Node {
    /// Drawn when it started; `null` where there is one node.
    id: Option<String>,
    /// `null` where there is one node, and nobody gave it a name.
    name: Option<String>,
    version: String,
    /// When it started.
    since: String,
    clients: u64,
    /// How far it reads behind; `null` where there is one node.
    lag_ms: Option<f64>,
    /// What it does not have in common with the node that was asked, and has to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differs: Vec<&'static str>,
}

/// As a hook is called: with the key.
pub(super) fn nodes(hooks: &Hooks, headers: &HeaderMap) -> Response {
    match &hooks.config.key {
        None => return Refusal::not_configured("NOTIFY_API_KEY").into_response(),
        Some(key) if !carries_key(headers, key) => {
            let refusal = Refusal::wrong_key();
            hooks.admission.sessions.metrics.refuse(refusal.reason);
            return refusal.into_response();
        }
        Some(_) => {}
    }
    let census = hooks.calls.broker.census();
    answer::json(
        StatusCode::OK,
        &match census {
            None => Nodes { log: None, nodes: vec![alone(hooks)] },
            Some(census) => {
                let degraded = census.degraded.map(|word| format!("log_{word}"));
                let log = Log { up: degraded.is_none(), degraded };
                Nodes { log: Some(log), nodes: census.nodes.into_iter().map(among_several).collect() }
            }
        },
    )
}

fn alone(hooks: &Hooks) -> Node {
    let sessions = &hooks.admission.sessions;
    let running = i64::try_from(sessions.since.elapsed().as_secs()).unwrap_or_default();
    Node {
        id: None,
        name: hooks.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: written(sessions.clock.unix() - running),
        clients: hooks.admission.clients.len() as u64,
        lag_ms: None,
        differs: Vec::new(),
    }
}

fn among_several(Present { id, name, version, since, clients, lag, differs }: Present) -> Node {
    let lag_ms = Some(f64::from(u32::try_from(lag.as_micros()).unwrap_or(u32::MAX)) / 1_000.0);
    Node { id: Some(id), name: Some(name), version, since: written(since), clients, lag_ms, differs }
}

/// ISO 8601, UTC, in seconds.
fn written(unix: i64) -> String {
    Timestamp::from_second(unix).unwrap_or_default().to_string()
}
