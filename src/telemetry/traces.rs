//! What becomes of a hook call, step by step, for who follows calls through several programs: which are followed is decided
//! once, when a call comes, and only of those is anything noted.
//!
//! Must not know what a step does. Nothing here waits for whom spans are sent to: what is too much is dropped and counted.

mod call;
mod delivery;
mod place;
mod send;
mod waiting;

use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, ShouldSample};

use crate::clock::Clock;
use crate::config::{SamplerConfig, TracesConfig};
use crate::telemetry::metrics::Metrics;

pub use call::{FollowedCall, answered_by, scope};
pub use delivery::Delivery;
pub use place::Place;
use waiting::Waiting;

/// The header that names a caller's own span.
pub const TRACEPARENT: &str = "traceparent";

/// Follows calls, and keeps their spans until they are sent.
#[derive(Debug)]
pub struct Tracer {
    clock: Clock,
    sampler: Sampler,
    ids: RandomIdGenerator,
    parents: TraceContextPropagator,
    waiting: Waiting,
    config: TracesConfig,
    metrics: Arc<Metrics>,
}

/// What a caller said in the one header.
struct Said<'a>(&'a str);

impl Extractor for Said<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

impl Tracer {
    /// [`Self::keep_sending`] has to run.
    pub fn new(config: TracesConfig, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            clock,
            sampler: sampler(config.sampler),
            ids: RandomIdGenerator::default(),
            parents: TraceContextPropagator::new(),
            waiting: Waiting::new(config.max_waiting, config.max_batch),
            config,
            metrics,
        }
    }

    /// A call has come; `Some` if it is followed. `hook`: its path. `traceparent`: the caller's own span, if that counts.
    pub fn follow(self: &Arc<Self>, hook: &'static str, traceparent: Option<&str>) -> Option<FollowedCall> {
        let parent = traceparent.map(|said| self.parents.extract_with_context(&Context::new(), &Said(said)));
        let parent = parent.filter(Context::has_active_span);
        let caller: Option<SpanContext> = parent.as_ref().map(|parent| parent.span().span_context().clone());
        let trace = caller.as_ref().map_or_else(|| self.ids.new_trace_id(), SpanContext::trace_id);
        let decision = self.sampler.should_sample(parent.as_ref(), trace, hook, &SpanKind::Server, &[], &[]).decision;
        let is_followed = decision == SamplingDecision::RecordAndSample;
        is_followed.then(|| FollowedCall::new(self, hook, trace, caller.map(|caller| caller.span_id())))
    }
}

fn sampler(config: SamplerConfig) -> Sampler {
    let own = Sampler::TraceIdRatioBased(config.share);
    if config.by_parent { Sampler::ParentBased(Box::new(own)) } else { own }
}

#[cfg(test)]
mod tests;
