//! What is counted of the log between the nodes.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

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
    pub(super) fn new(registry: &mut Registry) -> Self {
        let mut counter = |name: &str, help: &str| {
            let metric = Counter::<u64, AtomicU64>::default();
            registry.register(name, help, metric.clone());
            metric
        };
        let appended = counter("broker_appended", "Entries appended to the log between the nodes by calls");
        let put_back = counter("broker_put_back", "Entries put back into a log that had lost them");
        let gaps = counter("broker_gaps", "Times the log had forgotten what this node had not read");
        let adopted = counter("broker_adopted", "Figures read by other nodes that were shown here");
        let mut gauge = |name: &str, help: &str| {
            let metric = Gauge::default();
            registry.register(name, help, metric.clone());
            metric
        };
        let up = gauge("broker_up", "1 while the log between the nodes can be written to");
        let nodes = gauge("broker_nodes", "Nodes that are there, as this one hears; 0 for a node that is alone");
        let entries = Family::<EntryLabel, Counter>::default();
        // From the beginning, so that a rate has what to begin with.
        for kind in EntryKind::ALL {
            entries.get_or_create(&EntryLabel { kind: *kind }).inc_by(0);
        }
        registry.register("broker_entries", "Entries read of the log between the nodes, by kind", entries.clone());
        let lag_seconds = Histogram::new(exponential_buckets(0.000_25, 2.0, 15));
        let help = "From the appending of an entry to the log between the nodes to its reading";
        registry.register("broker_lag_seconds", help, lag_seconds.clone());
        Self { up, nodes, appended, put_back, gaps, adopted, entries, lag_seconds }
    }
}
