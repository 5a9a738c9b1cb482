//! The calls of the REST API: one way of authenticating, limiting, reading and answering for all of them.
//!
//! Must not know any feed: the registry says which hooks there are, and what each needs and does.

pub(super) mod call;
mod disconnect;

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use warp::reply::Response;

use super::admission::Admission;
use super::places::Caller;
use super::refusal::Refusal;
use super::routes::without_slash;
use super::{Peer, answer};
use crate::config::{Feed, HookConfig, MAX_KEY_BYTES};
use crate::feeds;
use crate::feeds::call::{Call, CallContext, Reply};
use crate::feeds::definition::{Hook, Key, Need, Repetition};
use crate::feeds::hints;
use crate::idempotency::{CannotKnow, Idempotency, Ticket, Turn};
use crate::telemetry::commit;
use crate::telemetry::metrics::RefusalReason;
use crate::telemetry::traces::{self, FollowedCall, TRACEPARENT, Tracer};

use call::{Arriving, carries_key, json_body};
use disconnect::DISCONNECT;

/// Kept back from the timeout so that the answer is on the wire by then.
const MARGIN: Duration = Duration::from_millis(150);
/// A commit of longer ago is none of this call's: zero times of languages, a clock that was never set.
const LONGEST_AGO: Duration = Duration::from_hours(24);

/// What all calls have in common.
#[derive(Debug)]
pub(super) struct Hooks {
    /// What people call this node.
    pub(super) name: Option<String>,
    pub(super) config: HookConfig,
    /// What the feeds' calls work with.
    pub(super) calls: Arc<CallContext>,
    pub(super) idempotency: Arc<Idempotency>,
    pub(super) admission: Arc<Admission>,
    /// `None` where no call is followed.
    pub(super) tracer: Option<Arc<Tracer>>,
}

/// What may be called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called {
    /// Whose hook it is; ending connections belongs to none.
    feed: Option<Feed>,
    hook: &'static Hook,
}

impl Called {
    pub(super) fn at(path: &str) -> Option<Self> {
        let path = without_slash(path);
        if let Some((feed, hook)) = feeds::hook(path) {
            return Some(Self { feed: Some(feed), hook });
        }
        (path == DISCONNECT.path).then_some(Self { feed: None, hook: &DISCONNECT })
    }

    fn needs(self, need: Need) -> bool {
        self.feed.is_some_and(|feed| feed.definition().needs.contains(&need))
    }
}

/// Answers one call. Not by way of the routes: what a back end calls at every change should not be asked first whether
/// it is any of the rest.
pub(super) async fn call(
    hooks: Arc<Hooks>,
    target: Called,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let arrived = Instant::now();
    let deadline = arrived + hooks.config.timeout.saturating_sub(MARGIN);
    let metrics = &hooks.admission.sessions.metrics;
    let (head, body) = request.into_parts();
    let body = BodyDataStream::new(body);
    let mut followed = None;
    let response = match reply(&hooks, target, peer, &head, body, deadline, &mut followed).await {
        Ok(reply) => {
            let status = StatusCode::from_u16(reply.status()).unwrap_or(StatusCode::OK);
            answer::with_type(status, "application/json", reply.into_body())
        }
        Err(refusal) => {
            metrics.refuse(refusal.reason);
            refusal.into_response()
        }
    };
    let status = response.status().as_u16();
    metrics.answered(target.hook.path, status, arrived.elapsed());
    if let Some(call) = followed {
        call.answered(status);
    }
    Ok(response)
}

async fn reply(
    hooks: &Hooks,
    target: Called,
    peer: Peer,
    head: &Parts,
    body: impl Stream<Item = Result<impl Buf, impl Error>> + Send + Unpin,
    deadline: Instant,
    followed: &mut Option<FollowedCall>,
) -> Result<Reply, Refusal> {
    let Called { feed, hook } = target;
    if feed.is_some_and(|feed| !hooks.admission.sessions.feeds.has(feed)) {
        return Err(Refusal::switched_off());
    }
    if head.method != Method::POST {
        return Err(Refusal::not_allowed("POST"));
    }
    let caller = check_key(hooks, hook, &head.headers)?;
    *followed = hooks.tracer.as_ref().and_then(|tracer| tracer.follow(hook.path, parent(caller, &head.headers)));
    if target.needs(Need::CloudKeys) && hooks.calls.sync.keys.is_empty() {
        return Err(Refusal::not_configured(Need::CloudKeys.variable()));
    }
    if hook.reaches_tokens && !hooks.admission.sessions.tokens.is_configured() {
        return Err(Refusal::not_configured(Need::Tokens.variable()));
    }
    check_staying(hooks)?;
    let arriving = Arriving { caller, peer, headers: &head.headers, deadline };
    let body = json_body(hooks, arriving, body, hooks.config.max_body_bytes).await?;
    let place = place(hooks, caller)?;
    let ticket = match key_of(hook, &head.headers)? {
        None => None,
        Some(key) => match turn(hooks, hook, &key, &body, deadline).await? {
            Turn::Repeated(answered) => return Ok(Reply::again(answered)),
            Turn::First(ticket) => Some(ticket),
        },
    };
    let committed = committed(hooks, caller, &head.headers);
    let work = commit::scope(committed, perform(hooks, hook, body, ticket, place, deadline));
    traces::scope(followed.as_ref(), work).await
}

/// The span that a caller with the key says is hers; what a stranger says has no say in what is followed.
fn parent(caller: Caller, headers: &HeaderMap) -> Option<&str> {
    let mut said = headers.get_all(TRACEPARENT).iter();
    let first = said.next().filter(|_| matches!(caller, Caller::Known))?;
    first.to_str().ok().filter(|_| said.next().is_none())
}

/// When the change was committed, as a caller with the key says; what cannot be read, has not come yet or is longer ago than a
/// day says nothing.
fn committed(hooks: &Hooks, caller: Caller, headers: &HeaderMap) -> Option<Instant> {
    let said = headers.get("x-committed-at").filter(|_| matches!(caller, Caller::Known))?;
    let at: Timestamp = said.to_str().ok()?.trim().parse().ok()?;
    let ago = Duration::try_from(hooks.calls.clock.now().duration_since(at)).ok()?;
    Instant::now().checked_sub(ago).filter(|_| ago <= LONGEST_AGO)
}

/// Whose turn it is to have the effect of this key.
async fn turn(hooks: &Hooks, hook: &Hook, key: &str, body: &[u8], deadline: Instant) -> Result<Turn, Refusal> {
    let turn = timeout_at(deadline, hooks.idempotency.begin(hook.path, key)).await;
    let turn =
        turn.map_err(|_| Refusal::busy(RefusalReason::TooManyHooks, "the first call of this key is under way"))?;
    let turn = turn.map_err(|CannotKnow| Refusal::no_database())?;
    if let (Turn::Repeated(_), Repetition::Announced(announce)) = (&turn, hook.repetition) {
        announce(&hooks.calls, body);
    }
    Ok(turn)
}

/// A place for one more call of a hook, or of a pull, whose body is there.
pub(super) fn place(hooks: &Hooks, caller: Caller) -> Result<OwnedSemaphorePermit, Refusal> {
    hooks.admission.places.hook(caller).ok_or_else(|| match check_staying(hooks) {
        Ok(()) => Refusal::busy(RefusalReason::TooManyHooks, "too many hook calls at once"),
        Err(leaving) => leaving,
    })
}

/// A node that goes away begins no more calls: there is no need to wait for their bodies.
pub(super) fn check_staying(hooks: &Hooks) -> Result<(), Refusal> {
    if hooks.admission.departure.is_under_way() { Err(Refusal::shutting_down()) } else { Ok(()) }
}

/// The key of a call that is to have its effect once.
fn key_of(hook: &Hook, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    if matches!(hook.repetition, Repetition::Harmless) {
        return Ok(None);
    }
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
fn check_key(hooks: &Hooks, hook: &Hook, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let is_hint = hook.key == Key::Hint;
    match &hooks.config.key {
        None if is_hint => Ok(Caller::Anybody),
        None => Err(Refusal::not_configured(Need::HookKey.variable())),
        Some(key) if carries_key(headers, key) => Ok(Caller::Known),
        Some(_) if is_hint && hooks.config.cita_open => Ok(Caller::Anybody),
        Some(_) => Err(Refusal::wrong_key()),
    }
}

/// Has the effect and, with a ticket that is left, remembers the answer. What takes longer than the deadline goes on
/// without the caller, and keeps the call's place.
async fn perform(
    hooks: &Hooks,
    hook: &Hook,
    body: Bytes,
    ticket: Option<Ticket>,
    place: OwnedSemaphorePermit,
    deadline: Instant,
) -> Result<Reply, Refusal> {
    let mut call = Call { context: Arc::clone(&hooks.calls), body, deadline, ticket, place: Some(place) };
    let reply = (hook.answer)(&mut call).await;
    // What is not done yet is announced by it all the same.
    if reply.as_ref().err().is_none_or(|rejection| !rejection.is_the_callers()) {
        hints::of_call(&hooks.calls, hook, &call.body);
    }
    let reply = reply?;
    let remembering = call.ticket.take().and_then(|ticket| {
        hooks.calls.broker.settle(&ticket, &reply.answered());
        hooks.idempotency.finish(ticket, reply.answered())
    });
    if let Some(remembering) = remembering {
        let place = call.place.take();
        let remembering = hooks.calls.tasks.spawn(async move {
            remembering.await;
            drop(place);
        });
        // By then this process remembers anyway.
        let _ = timeout_at(deadline, remembering).await;
    }
    Ok(reply)
}
