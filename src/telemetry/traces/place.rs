//! A place in what is followed of a call, and the steps that are told of it.
//!
//! Must not know what a step is.

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::SpanId;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use opentelemetry_sdk::trace::IdGenerator;
use tokio::time::Instant;

use super::Tracer;
use super::call::{CALL, Call};
use crate::model::Channel;

/// Sampled, as W3C's trace context has it.
const SAMPLED: u32 = 1;

/// A step of a call: what comes of it is below it.
#[derive(Clone)]
pub struct Place {
    pub(super) call: Arc<Call>,
    pub(super) span: SpanId,
}

/// A step that is over, before it is told.
#[derive(Debug)]
pub struct Step {
    of: Place,
    below: Option<SpanId>,
    span: Span,
}

impl Place {
    /// The call that is under way, if it is followed.
    pub fn current() -> Option<Self> {
        CALL.try_with(|call| call.as_ref().map(Self::of)).ok().flatten()
    }

    pub(super) fn of(call: &Arc<Call>) -> Self {
        Self { call: Arc::clone(call), span: call.span }
    }

    /// A step below this place.
    pub fn step(&self, name: &'static str) -> Step {
        let of = Self { call: Arc::clone(&self.call), span: self.tracer().ids.new_span_id() };
        Step::new(of, Some(self.span), name)
    }

    /// Makes an encoding, and tells how long that took.
    pub fn encode<T>(&self, encoding: &'static str, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let made = work();
        self.step("encode").with("pulso.encoding", encoding).over(began, Instant::now());
        made
    }

    /// When the call came.
    pub fn since(&self) -> Instant {
        self.call.since()
    }

    pub(super) fn tracer(&self) -> &Tracer {
        &self.call.tracer
    }

    pub(super) fn link(&self) -> Link {
        let (trace_id, span_id) = (self.call.trace.to_bytes().to_vec(), self.span.to_bytes().to_vec());
        Link { trace_id, span_id, flags: SAMPLED, ..Link::default() }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.call.trace, self.span)
    }
}

impl Step {
    /// `of`: its own place. `below`: `None` at the top of everything.
    pub(super) fn new(of: Place, below: Option<SpanId>, name: impl Into<String>) -> Self {
        let span = Span { name: name.into(), kind: SpanKind::Internal.into(), ..Span::default() };
        Self { of, below, span }
    }

    pub(super) fn of_a_server(mut self) -> Self {
        self.span.kind = SpanKind::Server.into();
        self
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<AnyValueOf>) -> Self {
        let value = Some(AnyValue { value: Some(value.into().0) });
        self.span.attributes.push(KeyValue { key: name.to_owned(), value, ..KeyValue::default() });
        self
    }

    /// It is about a channel, of which only the kind is told unless all may be.
    #[must_use]
    pub fn about(self, channel: &Channel) -> Self {
        let text = channel.to_string();
        let kind = text.split(':').next().unwrap_or_default();
        let said = if self.of.tracer().config.has_ids { text.as_str() } else { kind };
        self.with("pulso.channel", said)
    }

    #[must_use]
    pub fn failed(mut self, failed: bool) -> Self {
        self.span.status = failed.then(|| Status { code: StatusCode::Error.into(), ..Status::default() });
        self
    }

    pub(super) fn linked(mut self, links: Vec<Link>) -> Self {
        self.span.links = links;
        self
    }

    /// It took from `began` to `ended`; returns its place.
    pub fn over(self, began: Instant, ended: Instant) -> Place {
        let Self { of, below, mut span } = self;
        span.trace_id = of.call.trace.to_bytes().to_vec();
        span.span_id = of.span.to_bytes().to_vec();
        span.parent_span_id = below.map(|below| below.to_bytes().to_vec()).unwrap_or_default();
        span.flags = SAMPLED;
        span.start_time_unix_nano = of.call.nanos(began);
        span.end_time_unix_nano = of.call.nanos(ended.max(began));
        of.tracer().put(span);
        of
    }
}

impl Tracer {
    /// Never waits: a span for which there is no room is dropped.
    fn put(&self, span: Span) {
        if !self.waiting.put(span) {
            self.metrics.traces.dropped.inc();
        }
    }
}

/// A value of an attribute.
#[derive(Debug)]
pub struct AnyValueOf(Value);

impl From<&str> for AnyValueOf {
    fn from(text: &str) -> Self {
        Self(Value::StringValue(text.to_owned()))
    }
}

impl From<usize> for AnyValueOf {
    fn from(number: usize) -> Self {
        Self(Value::IntValue(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}
