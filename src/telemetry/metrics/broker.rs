//! What is counted of the log between the nodes.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::register::Register;

#[derive(Debug)]
pub struct BrokerMetrics {
    pub up: Gauge,
    pub nodes: Gauge,
    pub appended: Counter,
    pub put_back: Counter,
    pub gaps: Counter,
    pub adopted: Counter,
    pub entries: Family<EntryLabel, Counter>,
    pub lag_seconds: Histogram,
}

listed! {
    /// What an entry says; the label `kind` of `pulso_broker_entries_total`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
    pub enum EntryKind {
        Events,
        Dismissed,
        Pending,
        /// How a channel of states stands, or that it has changed.
        State,
        Beat,
        Leave,
        /// Of a newer version.
        Unknown,
        /// Written by nobody of ours.
        Garbage,
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EntryLabel {
    pub kind: EntryKind,
}

impl BrokerMetrics {
    pub(super) fn register(register: &mut Register) -> Self {
        let entries: Family<EntryLabel, Counter> = register.counters("pulso_broker_entries");
        // From the beginning, so that a rate has what to begin with.
        for kind in EntryKind::ALL {
            drop(entries.get_or_create(&EntryLabel { kind: *kind }));
        }
        Self {
            up: register.gauge("pulso_broker_up"),
            nodes: register.gauge("pulso_broker_nodes"),
            appended: register.counter("pulso_broker_appended"),
            put_back: register.counter("pulso_broker_put_back"),
            gaps: register.counter("pulso_broker_gaps"),
            adopted: register.counter("pulso_broker_adopted"),
            entries,
            lag_seconds: register.seconds("pulso_broker_lag_seconds"),
        }
    }
}
