//! What is counted of live queries, by their names: those come from files, so there are few of them.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::model::QueryName;

/// Handles to what is counted of each live query.
#[derive(Debug)]
pub struct QueryMetrics {
    pub reads: Family<QueryRead, Counter>,
    pub unchanged: Family<QueryLabel, Counter>,
    pub failures: Family<QueryLabel, Counter>,
    pub too_large: Family<QueryLabel, Counter>,
    pub rows: Family<QueryLabel, Counter>,
    pub bytes: Family<QueryLabel, Counter>,
    pub corrections: Family<QueryLabel, Counter>,
    pub drift: Family<QueryLabel, Counter>,
    pub xid_waits: Family<QueryLabel, Counter>,
    pub off: Family<QueryLabel, Gauge>,
    pub seconds: Family<QueryLabel, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueryLabel {
    pub query: QueryLabelValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueryRead {
    pub query: QueryLabelValue,
    pub reason: ReadReason,
}

/// The name of a live query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueryLabelValue(QueryName);

listed! {
    /// Why a live query was read; the label `reason` of `pulso_live_reads_total`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
    pub enum ReadReason {
        Notice,
        Transaction,
        Newcomer,
        Hint,
        Clock,
        Interval,
        Trailing,
        Rollover,
        Recovery,
        Told,
        Freshness,
        Sentinel,
    }
}

impl QueryLabel {
    pub fn of(query: &QueryName) -> Self {
        Self { query: QueryLabelValue(query.clone()) }
    }
}

impl QueryRead {
    pub fn of(query: &QueryName, reason: ReadReason) -> Self {
        Self { query: QueryLabelValue(query.clone()), reason }
    }
}

impl EncodeLabelValue for QueryLabelValue {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.as_str().encode(encoder)
    }
}

impl QueryMetrics {
    /// A query is there: what is counted of it begins at nothing, and can be seen.
    pub fn begin(&self, query: &QueryName) {
        let label = QueryLabel::of(query);
        for reason in ReadReason::ALL {
            drop(self.reads.get_or_create(&QueryRead::of(query, *reason)));
        }
        for counter in [
            &self.unchanged,
            &self.failures,
            &self.too_large,
            &self.rows,
            &self.bytes,
            &self.corrections,
            &self.drift,
            &self.xid_waits,
        ] {
            drop(counter.get_or_create(&label));
        }
        drop(self.off.get_or_create(&label));
        drop(self.seconds.get_or_create(&label));
    }

    pub(super) fn register(registry: &mut Registry) -> Self {
        let reads = Family::<QueryRead, Counter>::default();
        registry.register("live_reads", "Reads of a live query begun, by query and reason", reads.clone());
        let mut counter = |name: &str, help: &str| {
            let metric = Family::<QueryLabel, Counter<u64, AtomicU64>>::default();
            registry.register(name, help, metric.clone());
            metric
        };
        let unchanged = counter("live_unchanged", "Reads of a live query that said what the one before said");
        let failures = counter("live_failures", "Reads of a live query that failed");
        let too_large = counter("live_too_large", "Results of a live query that may not be sent");
        let rows = counter("live_rows", "Rows read of a live query");
        let bytes = counter("live_bytes", "Bytes of the results read of a live query");
        let corrections = counter("live_trailing_corrections", "Differences found by the trailing re-read");
        let drift = counter("live_drift", "Differences found by the sentinel that nothing announced");
        let xid_waits = counter("live_xid_waits", "Announcements that name their transaction");
        let off = Family::<QueryLabel, Gauge>::default();
        registry.register("live_off", "1 while the database refuses a live query", off.clone());
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.000_25, 2.0, 15));
        let seconds = Family::new_with_constructor(histogram);
        registry.register("live_seconds", "Time of a read of a live query", seconds.clone());
        Self { reads, unchanged, failures, too_large, rows, bytes, corrections, drift, xid_waits, off, seconds }
    }
}
