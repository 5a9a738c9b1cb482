//! The calls of the REST API: one way of authenticating, limiting, reading and answering for all of them.
//!
//! Must not know what a feed's words are: `dialect` does.

pub(super) mod call;
mod cita;
mod devices;
mod events;
pub(super) mod sync;

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use warp::reply::Response;

use super::refusal::Refusal;
use super::{Gate, answer};
use crate::config::Feed;
use crate::dialect::{pos, restaurant};
use crate::idempotency::{CannotKnow, Ticket, Turn};
use crate::store::outbox::Answered;
use crate::telemetry::metrics::{HookAnswer, RefusalReason};

use call::{carries_key, json_body};

/// Kept back from the timeout so that the answer is on the wire by then.
const MARGIN: Duration = Duration::from_millis(150);
/// Longest `Idempotency-Key`.
const MAX_KEY_BYTES: usize = 255;

/// What may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    Cita,
    Sale(pos::Kind),
    Order(restaurant::Kind),
    NewOrder,
    OrderStatus,
    Sync,
    Publish,
    Disconnect,
}

/// What became of a call that succeeded.
#[derive(Debug)]
enum Answer {
    /// It had its effect, and its answer is to be remembered if it is to have its effect once.
    Done(Reply),
    /// The same, and the answer was stored together with the effect.
    Kept(Reply),
    /// It had its effect before, and this was the answer.
    Repeated(Answered),
}

/// The usual answer.
#[derive(Debug, Serialize)]
struct Reached {
    ok: bool,
    /// How many were handed the message.
    clients: usize,
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
        Self::json(&Reached { ok: true, clients })
    }

    fn answered(&self) -> Answered {
        Answered { status: StatusCode::OK.as_u16(), body: self.0.clone() }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Done(reply) | Answer::Kept(reply) => reply,
            Answer::Repeated(answered) => Self(answered.body),
        }
    }
}

impl Hook {
    pub(super) fn from_path(path: &str) -> Option<Self> {
        let plain =
            [Self::Cita, Self::NewOrder, Self::OrderStatus, Self::Sync, Self::Publish, Self::Disconnect].into_iter();
        let sale = || pos::Kind::from_path(path).map(Self::Sale);
        let order = || restaurant::Kind::from_path(path).map(Self::Order);
        plain.into_iter().find(|hook| hook.path() == path).or_else(sale).or_else(order)
    }

    fn path(self) -> &'static str {
        match self {
            Self::Cita => "/notify/cita",
            Self::Sale(kind) => kind.path(),
            Self::Order(kind) => kind.path(),
            Self::NewOrder => "/notify/pedido",
            Self::OrderStatus => "/notify/pedido/estado",
            Self::Sync => "/notify/sync",
            Self::Publish => "/api/publish",
            Self::Disconnect => "/api/disconnect",
        }
    }

    /// The feed it belongs to; ending connections belongs to none.
    fn feed(self) -> Option<Feed> {
        match self {
            Self::Cita => Some(Feed::Stats),
            Self::Sale(_) => Some(Feed::Pos),
            Self::Order(_) => Some(Feed::Restaurant),
            Self::NewOrder | Self::OrderStatus => Some(Feed::Clinic),
            Self::Sync => Some(Feed::Sync),
            Self::Publish => Some(Feed::Channels),
            Self::Disconnect => None,
        }
    }

    /// Whether those who are reached have tokens.
    fn needs_tokens(self) -> bool {
        !matches!(self, Self::OrderStatus | Self::Sync | Self::Disconnect)
    }
}

/// Answers one call. Not by way of the routes: what a back end calls at every change should not be asked first whether
/// it is any of the rest.
pub(super) async fn call(gate: Arc<Gate>, hook: Hook, request: Request<Incoming>) -> Result<Response, Infallible> {
    let deadline = Instant::now() + gate.hooks.timeout.saturating_sub(MARGIN);
    let metrics = &gate.environment.metrics;
    let (head, body) = request.into_parts();
    let body = BodyDataStream::new(body);
    let response = match reply(&gate, hook, &head.method, &head.headers, body, deadline).await {
        Ok(Reply(body)) => answer::with_type(StatusCode::OK, "application/json", body),
        Err(refusal) => {
            metrics.refuse(refusal.reason);
            refusal.into_response()
        }
    };
    metrics.hook_answers.get_or_create(&HookAnswer { status: response.status().as_u16() }).inc();
    Ok(response)
}

async fn reply(
    gate: &Gate,
    hook: Hook,
    method: &Method,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, impl Error>> + Send + Unpin,
    deadline: Instant,
) -> Result<Reply, Refusal> {
    if hook.feed().is_some_and(|feed| !gate.environment.feeds.has(feed)) {
        return Err(Refusal::switched_off());
    }
    if method != Method::POST {
        return Err(Refusal::not_allowed("POST"));
    }
    check_key(gate, hook, headers)?;
    if hook == Hook::Sync && gate.sync.keys.is_empty() {
        return Err(Refusal::not_configured("CLOUD_API_KEY"));
    }
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
    let Some(key) = (if hook == Hook::Cita { None } else { idempotency_key(headers)? }) else {
        return perform(gate, hook, &body, None, deadline).await.map(Reply::from);
    };
    let path = hook.path();
    let turn = timeout_at(deadline, gate.idempotency.begin(path, &key)).await;
    let turn =
        turn.map_err(|_| Refusal::busy(RefusalReason::TooManyHooks, "the first call of this key is under way"))?;
    match turn.map_err(|CannotKnow| Refusal::no_database())? {
        Turn::Repeated(answered) => Ok(Reply(answered.body)),
        Turn::First(ticket) => {
            let answer = perform(gate, hook, &body, Some(&ticket), deadline).await?;
            match &answer {
                Answer::Done(reply) => gate.idempotency.finish(ticket, reply.answered()).await,
                Answer::Kept(reply) => ticket.settle(&reply.answered()),
                Answer::Repeated(answered) => ticket.settle(answered),
            }
            Ok(answer.into())
        }
    }
}

/// The key of a call that is to have its effect once.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(key) = given.next() else { return Ok(None) };
    let key = key.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > MAX_KEY_BYTES || given.next().is_some() {
        return Err(call::bad(format!(
            "Idempotency-Key must be given once, with 1 to {MAX_KEY_BYTES} printable characters"
        )));
    }
    Ok(Some(key.to_owned()))
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

async fn perform(
    gate: &Gate,
    hook: Hook,
    body: &Bytes,
    ticket: Option<&Ticket>,
    deadline: Instant,
) -> Result<Answer, Refusal> {
    let reply = match hook {
        Hook::Sync => return sync::changed(gate, body, ticket, deadline).await,
        Hook::Cita => cita::answer(gate, body, deadline).await,
        Hook::Sale(kind) => events::sale(gate, kind, body),
        Hook::Order(kind) => events::order(gate, kind, body),
        Hook::NewOrder => events::new_order(gate, body),
        Hook::OrderStatus => devices::status_changed(gate, body, deadline).await,
        Hook::Publish => events::messages(gate, body),
        Hook::Disconnect => devices::disconnect(gate, body, deadline).await,
    };
    reply.map(Answer::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_says_first_that_all_is_well() {
        assert_eq!(Reply::reached(3).0, r#"{"ok":true,"clients":3}"#);
    }
}
