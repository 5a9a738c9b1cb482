//! What the keys are called. All begin with the prefix in braces, so that a Cluster keeps them in one slot.
//!
//! Must not know what is in them.

use crate::broker::log::{NodeId, Stream};

/// The keys of one installation.
#[derive(Debug)]
pub(super) struct Keys {
    /// With its braces and a colon.
    prefix: String,
    pub meta: String,
    pub events: String,
    pub now: String,
    /// Answers of calls by their names, and the names in the order in which they came.
    pub calls: String,
    pub order: String,
    /// Users and the seconds until which their tokens are no good.
    pub dismissed: String,
    /// The nodes that have listeners, with the time until which that is believed.
    pub nodes: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self::behind(format!("{{{prefix}}}:"))
    }

    /// Those of a log that is only tried: in the same slot and under the same rights.
    pub(super) fn of_a_try(prefix: &str) -> Self {
        Self::behind(format!("{{{prefix}}}:check:{:016x}:", rand::random::<u64>()))
    }

    fn behind(prefix: String) -> Self {
        let key = |name: &str| format!("{prefix}{name}");
        Self {
            meta: key("meta"),
            events: key("events"),
            now: key("now"),
            calls: key("calls"),
            order: key("calls:order"),
            dismissed: key("dismissed"),
            nodes: key("nodes"),
            prefix,
        }
    }

    pub(super) fn stream(&self, stream: Stream) -> &str {
        match stream {
            Stream::Events => &self.events,
            Stream::Now => &self.now,
        }
    }

    /// Who watches a topic.
    pub(super) fn watch(&self, topic: &str) -> String {
        format!("{}watch:{topic}", self.prefix)
    }

    pub(super) fn duty(&self, duty: &str) -> String {
        format!("{}duty:{duty}", self.prefix)
    }

    /// What the keys of all nodes' listeners begin with.
    pub(super) fn clients(&self) -> String {
        format!("{}clients:", self.prefix)
    }

    pub(super) fn clients_of(&self, node: NodeId) -> String {
        format!("{}clients:{node}", self.prefix)
    }
}
