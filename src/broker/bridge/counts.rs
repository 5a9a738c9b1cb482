//! What becomes of a producer's messages: every one is counted, and what goes wrong is logged once a minute.
//!
//! Must not know what is in them.

use std::sync::Arc;

use tracing::{info, warn};

use crate::broker::log::Trouble;
use crate::telemetry::log::seldom::Seldom;
use crate::telemetry::metrics::{BridgeLabel, BridgeOutcome, BridgeOutcomeLabel, Metrics};

/// Those of one bridge.
pub(super) struct Counts {
    bridge: &'static str,
    metrics: Arc<Metrics>,
    refused: Seldom,
    troubled: Seldom,
}

impl Counts {
    pub(super) fn new(bridge: &'static str, metrics: &Arc<Metrics>) -> Self {
        let counts =
            Self { bridge, metrics: Arc::clone(metrics), refused: Seldom::default(), troubled: Seldom::default() };
        counts.away();
        counts
    }

    pub(super) fn count(&self, outcome: BridgeOutcome) {
        self.metrics.bridges.messages.get_or_create(&BridgeOutcomeLabel { bridge: self.bridge, outcome }).inc();
    }

    /// It is not what the hook of its name takes, or nothing that can be read.
    pub(super) fn refused(&self, why: &str) {
        self.count(BridgeOutcome::Refused);
        if let Some(left_out) = self.refused.due() {
            warn!(bridge = self.bridge, left_out, "a message of this producer is refused: {why}");
        }
    }

    /// It would have been heard, and there was no way.
    pub(super) fn lost(&self, why: &str) {
        self.count(BridgeOutcome::Lost);
        if let Some(left_out) = self.troubled.due() {
            warn!(bridge = self.bridge, left_out, "a message of this producer is lost: {why}");
        }
    }

    pub(super) fn troubled(&self, trouble: &Trouble) {
        if let Some(left_out) = self.troubled.due() {
            warn!(bridge = self.bridge, left_out, %trouble, "this producer is not listened to just now");
        }
    }

    pub(super) fn on_duty(&self) {
        info!(bridge = self.bridge, "this node listens to this producer");
        self.metrics.bridges.on_duty.get_or_create(&BridgeLabel { bridge: self.bridge }).set(1);
    }

    pub(super) fn away(&self) {
        self.metrics.bridges.on_duty.get_or_create(&BridgeLabel { bridge: self.bridge }).set(0);
    }
}
