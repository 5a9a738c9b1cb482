//! The numbers about other producers' messages.
//!
//! A label says which bridge, and never who writes or what.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::register::Register;

/// What the bridges are called.
const BRIDGES: [&str; 2] = ["django", "socketio"];

#[derive(Debug)]
pub struct BridgeMetrics {
    pub messages: Family<BridgeOutcomeLabel, Counter>,
    pub on_duty: Family<BridgeLabel, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BridgeLabel {
    pub bridge: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BridgeOutcomeLabel {
    pub bridge: &'static str,
    pub outcome: BridgeOutcome,
}

listed! {
    /// What became of a message.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
    pub enum BridgeOutcome {
        Published,
        /// Nobody here hears it.
        Ignored,
        /// It is not what the hook of its name takes.
        Refused,
        /// It could not be published in time.
        Lost,
    }
}

impl BridgeMetrics {
    pub(super) fn register(register: &mut Register) -> Self {
        let messages: Family<BridgeOutcomeLabel, Counter> = register.counters("pulso_bridge_messages");
        let on_duty: Family<BridgeLabel, Gauge> = register.gauges("pulso_bridge_on_duty");
        // All are there from the start, so that none is missing where nothing has come yet.
        for bridge in BRIDGES {
            on_duty.get_or_create(&BridgeLabel { bridge }).set(0);
            for outcome in BridgeOutcome::ALL.iter().copied() {
                messages.get_or_create(&BridgeOutcomeLabel { bridge, outcome }).inc_by(0);
            }
        }
        Self { messages, on_duty }
    }
}
