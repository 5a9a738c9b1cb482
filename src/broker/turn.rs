//! What one node at a time is enough for: each seeks its turn, and whose turn it is does it.
//!
//! Where nobody can be asked it is every node's turn, for twice does no harm and not at all does. Must not know what is done.

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::Broker;

/// Whose turn it is, as one node knows it.
#[derive(Debug)]
pub struct Turn {
    pub(in crate::broker) duty: Box<str>,
    is_ours: watch::Sender<bool>,
    passed: Notify,
}

impl Turn {
    /// `duty`: by what name all nodes know it.
    pub fn new(duty: &str) -> Self {
        Self { duty: duty.into(), is_ours: watch::Sender::new(false), passed: Notify::new() }
    }

    /// Whether it is this node's, and every change of that.
    pub fn is_ours(&self) -> watch::Receiver<bool> {
        self.is_ours.subscribe()
    }

    /// This node cannot do it just now: another may try. Who goes on trying may do so until another has it.
    pub fn pass(&self) {
        self.passed.notify_one();
    }

    pub(in crate::broker) fn give(&self, is_ours: bool) {
        self.is_ours.send_if_modified(|before| std::mem::replace(before, is_ours) != is_ours);
    }

    pub(in crate::broker) async fn until_passed(&self) {
        self.passed.notified().await;
    }
}

impl Broker {
    /// Seeks a turn, keeps it and hands it on, until `stop`. Of a node that is alone it is always the turn.
    pub async fn take_turns(&self, turn: &Turn, stop: CancellationToken) {
        if let Some(cluster) = &self.cluster {
            return cluster.take_turns(turn, stop).await;
        }
        turn.give(true);
        stop.cancelled().await;
    }
}
