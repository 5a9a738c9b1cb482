//! What is counted of live queries, by their names: those come from files, so there are few of them.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::register::Register;
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

    pub(super) fn register(register: &mut Register) -> Self {
        Self {
            reads: register.counters("pulso_live_reads"),
            unchanged: register.counters("pulso_live_unchanged"),
            failures: register.counters("pulso_live_failures"),
            too_large: register.counters("pulso_live_too_large"),
            rows: register.counters("pulso_live_rows"),
            bytes: register.counters("pulso_live_bytes"),
            corrections: register.counters("pulso_live_trailing_corrections"),
            drift: register.counters("pulso_live_drift"),
            xid_waits: register.counters("pulso_live_xid_waits"),
            off: register.gauges("pulso_live_off"),
            seconds: register.seconds_by("pulso_live_seconds"),
        }
    }
}
