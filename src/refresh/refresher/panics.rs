//! A read that panics is a failed read: it is counted, its channels are free again, and who waits is told.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;

use futures_util::FutureExt as _;

use super::Refresher;
use super::live::{Trouble, Turn};
use crate::database::Urgency;
use crate::model::Channel;

/// Held while reads are made.
pub(super) struct Begun<'a> {
    refresher: &'a Refresher,
    turns: &'a [Turn],
}

impl Refresher {
    pub(super) async fn read_or_recover(self: &Arc<Self>, channel: &Channel, urgency: Urgency) {
        if AssertUnwindSafe(self.read(channel, urgency)).catch_unwind().await.is_err() {
            self.metrics.runner_panics.inc();
            // What the log has of it has been said by the panic.
            self.give_up(channel, Trouble::Away);
        }
    }

    /// The reads of all of `turns` have begun; one panic is everybody's.
    pub(super) fn begun_for<'a>(&'a self, turns: &'a [Turn]) -> Begun<'a> {
        Begun { refresher: self, turns }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.refresher.metrics.query_failures.inc();
            self.turns.iter().for_each(|turn| self.refresher.give_up(&turn.channel, Trouble::Away));
        }
    }
}
