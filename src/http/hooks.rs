//! The calls of the REST API: one way of authenticating, limiting, reading and answering for all of them.
//!
//! Must not know what a feed's words are: `dialect` does.

pub(super) mod call;
mod cita;
mod devices;
mod events;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;
use warp::reply::Response;

use super::refusal::Refusal;
use super::{Gate, answer};
use crate::config::Feed;
use crate::dialect::{pos, restaurant};
use crate::telemetry::metrics::{HookAnswer, RefusalReason};

use call::{carries_key, json_body};

/// Kept back from the timeout so that the answer is on the wire by then.
const MARGIN: Duration = Duration::from_millis(150);

/// What may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    Cita,
    Sale(pos::Kind),
    Order(restaurant::Kind),
    NewOrder,
    OrderStatus,
    Publish,
    Disconnect,
}

/// A call that was dealt with: a JSON object, with 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply(String);

impl Reply {
    pub(super) fn json(body: &impl Serialize) -> Self {
        // Structs of strings and numbers always serialise.
        Self(serde_json::to_string(body).unwrap_or_default())
    }

    /// `clients`: how many were handed the message.
    pub(super) fn reached(clients: usize) -> Self {
        Self::json(&json!({ "ok": true, "clients": clients }))
    }
}

impl Hook {
    pub(super) fn from_path(path: &str) -> Option<Self> {
        Some(match path {
            "/notify/cita" => Self::Cita,
            "/notify/pedido" => Self::NewOrder,
            "/notify/pedido/estado" => Self::OrderStatus,
            "/api/publish" => Self::Publish,
            "/api/disconnect" => Self::Disconnect,
            path => {
                let order = || restaurant::Kind::from_path(path).map(Self::Order);
                return pos::Kind::from_path(path).map(Self::Sale).or_else(order);
            }
        })
    }

    /// The feed it belongs to; ending connections belongs to none.
    fn feed(self) -> Option<Feed> {
        match self {
            Self::Cita => Some(Feed::Stats),
            Self::Sale(_) => Some(Feed::Pos),
            Self::Order(_) => Some(Feed::Restaurant),
            Self::NewOrder | Self::OrderStatus => Some(Feed::Clinic),
            Self::Publish => Some(Feed::Channels),
            Self::Disconnect => None,
        }
    }

    /// Whether those who are reached have tokens.
    fn needs_tokens(self) -> bool {
        !matches!(self, Self::OrderStatus | Self::Disconnect)
    }
}

/// Answers one call.
pub(super) async fn call(
    gate: Arc<Gate>,
    hook: Hook,
    method: Method,
    headers: HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
) -> Response {
    let deadline = Instant::now() + gate.hooks.timeout.saturating_sub(MARGIN);
    let metrics = &gate.environment.metrics;
    let response = match reply(&gate, hook, &method, &headers, body, deadline).await {
        Ok(Reply(body)) => answer::with_type(StatusCode::OK, "application/json", body),
        Err(refusal) => {
            metrics.refuse(refusal.reason);
            refusal.into_response()
        }
    };
    metrics.hook_answers.get_or_create(&HookAnswer { status: response.status().as_u16() }).inc();
    response
}

async fn reply(
    gate: &Gate,
    hook: Hook,
    method: &Method,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
    deadline: Instant,
) -> Result<Reply, Refusal> {
    if hook.feed().is_some_and(|feed| !gate.environment.feeds.has(feed)) {
        return Err(Refusal::switched_off());
    }
    if method != Method::POST {
        return Err(Refusal::not_allowed("POST"));
    }
    check_key(gate, hook, headers)?;
    if hook.needs_tokens() && !gate.environment.tokens.is_configured() {
        return Err(Refusal::not_configured("JWT_SECRET"));
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
    perform(gate, hook, &body, deadline).await
}

/// Calls that carry data always need the key; a mere hint needs it where there is one.
fn check_key(gate: &Gate, hook: Hook, headers: &HeaderMap) -> Result<(), Refusal> {
    let is_open = hook == Hook::Cita && gate.hooks.cita_open;
    match &gate.hooks.key {
        None if hook == Hook::Cita => Ok(()),
        None => Err(Refusal::not_configured("NOTIFY_API_KEY")),
        Some(key) if is_open || carries_key(headers, key) => Ok(()),
        Some(_) => {
            let message = "send the key as Authorization: Bearer … or X-API-Key";
            Err(Refusal::new(StatusCode::UNAUTHORIZED, RefusalReason::HookKey, "unauthorized", message))
        }
    }
}

async fn perform(gate: &Gate, hook: Hook, body: &Bytes, deadline: Instant) -> Result<Reply, Refusal> {
    match hook {
        Hook::Cita => cita::answer(gate, body, deadline).await,
        Hook::Sale(kind) => events::sale(gate, kind, body),
        Hook::Order(kind) => events::order(gate, kind, body),
        Hook::NewOrder => events::new_order(gate, body),
        Hook::OrderStatus => devices::status_changed(gate, body, deadline).await,
        Hook::Publish => events::messages(gate, body),
        Hook::Disconnect => devices::disconnect(gate, body, deadline).await,
    }
}
