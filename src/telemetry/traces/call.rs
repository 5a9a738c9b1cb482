//! A call that is followed: its own span, told when it is answered, and what goes along with its work.
//!
//! Must not know what is called.

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::trace::v1::span::Link;
use opentelemetry_sdk::trace::IdGenerator;
use tokio::task_local;
use tokio::time::Instant;

use super::Tracer;
use super::place::{Place, Step};

/// Reads of others that one call names at most.
const MOST_LINKS: usize = 128;
/// From here on an answer says that the server failed.
const FAILURES: u16 = 500;

task_local! {
    pub(super) static CALL: Option<Arc<Call>>;
}

/// What all steps of a call have in common.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) tracer: Arc<Tracer>,
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    /// The same moment by both clocks; by the wall's in ns since the epoch.
    began: (Instant, u64),
    links: Mutex<Vec<Link>>,
}

/// A call under way. Dropping it tells of it as well: whatever hangs below it is to find it.
#[derive(Debug)]
pub struct FollowedCall {
    pub(super) call: Arc<Call>,
    hook: &'static str,
    /// The caller's own span.
    caller: Option<SpanId>,
    status: Option<u16>,
}

impl Call {
    pub(super) fn since(&self) -> Instant {
        self.began.0
    }

    /// A moment in ns since the epoch.
    pub(super) fn nanos(&self, at: Instant) -> u64 {
        let (began, nanos) = self.began;
        let between =
            |from: Instant, to: Instant| u64::try_from(to.duration_since(from).as_nanos()).unwrap_or_default();
        if at >= began { nanos.saturating_add(between(began, at)) } else { nanos.saturating_sub(between(at, began)) }
    }
}

impl FollowedCall {
    pub(super) fn new(tracer: &Arc<Tracer>, hook: &'static str, trace: TraceId, caller: Option<SpanId>) -> Self {
        let nanos = u64::try_from(tracer.clock.now().as_nanosecond()).unwrap_or_default();
        let (began, links) = ((Instant::now(), nanos), Mutex::default());
        let call = Call { tracer: Arc::clone(tracer), trace, span: tracer.ids.new_span_id(), began, links };
        Self { call: Arc::new(call), hook, caller, status: None }
    }

    /// It is over.
    pub fn answered(mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for FollowedCall {
    fn drop(&mut self) {
        let links = std::mem::take(&mut *self.call.links.lock().unwrap_or_else(PoisonError::into_inner));
        let step = Step::new(Place::of(&self.call), self.caller, format!("POST {}", self.hook));
        let step = step.of_a_server().linked(links).with("http.request.method", "POST").with("http.route", self.hook);
        let step = match self.status {
            None => step,
            Some(status) => step.with("http.response.status_code", usize::from(status)).failed(status >= FAILURES),
        };
        step.over(self.call.since(), Instant::now());
    }
}

/// What is done by `work` is done for this call, if it is followed. One future either way, as [`crate::telemetry::commit::scope`].
pub fn scope<W: Future>(followed: Option<&FollowedCall>, work: W) -> impl Future<Output = W::Output> + use<W> {
    CALL.scope(followed.map(|followed| Arc::clone(&followed.call)), work)
}

/// The call under way has its answer from what was done at `place`. Where that is another call's, the one is told of the other.
pub fn answered_by(place: Option<&Place>) {
    let Some(place) = place else { return };
    // A call that is not followed names nothing.
    let _ = CALL.try_with(|call| {
        let Some(call) = call.as_ref().filter(|call| !Arc::ptr_eq(call, &place.call)) else { return };
        let mut links = call.links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() < MOST_LINKS {
            links.push(place.link());
        }
    });
}
