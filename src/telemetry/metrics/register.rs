//! Where metrics are registered. A name is enough: what it counts is said by its entry in `metrics.txt`, and nowhere else.

use std::fmt;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

use super::meanings::help;

/// A registry that is being filled.
#[derive(Debug, Default)]
pub(super) struct Register(Registry);

impl Register {
    pub(super) fn one<M: Metric + Clone>(&mut self, name: &str, metric: M) -> M {
        self.0.register(name, help(name), metric.clone());
        metric
    }

    pub(super) fn counter(&mut self, name: &str) -> Counter {
        self.one(name, Counter::<u64, AtomicU64>::default())
    }

    pub(super) fn gauge(&mut self, name: &str) -> Gauge {
        self.one(name, Gauge::default())
    }

    /// From a quarter of a millisecond to four seconds.
    pub(super) fn seconds(&mut self, name: &str) -> Histogram {
        self.one(name, seconds())
    }

    pub(super) fn counters<L: Label>(&mut self, name: &str) -> Family<L, Counter> {
        self.one(name, Family::default())
    }

    pub(super) fn gauges<L: Label>(&mut self, name: &str) -> Family<L, Gauge> {
        self.one(name, Family::default())
    }

    pub(super) fn seconds_by<L: Label>(&mut self, name: &str) -> Family<L, Histogram, fn() -> Histogram> {
        self.one(name, Family::new_with_constructor(seconds as fn() -> Histogram))
    }

    pub(super) fn collector(&mut self, collector: impl Collector) {
        self.0.register_collector(Box::new(collector));
    }

    pub(super) fn into_registry(self) -> Registry {
        self.0
    }
}

/// What a metric is told apart by.
pub(super) trait Label: EncodeLabelSet + fmt::Debug + Clone + Eq + Hash + Send + Sync + 'static {}

impl<L: EncodeLabelSet + fmt::Debug + Clone + Eq + Hash + Send + Sync + 'static> Label for L {}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 15))
}
