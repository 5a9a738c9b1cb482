//! A read that panics is a failed read: it is counted, its channels are free again, and who waits is told.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::reads::answer_all;
use super::{Refresher, Unavailable};
use crate::database::Urgency;
use crate::model::Channel;

/// Held while reads are made.
pub(super) struct Begun<'a> {
    refresher: &'a Refresher,
    channels: &'a [Channel],
}

impl Refresher {
    pub(super) async fn read_or_recover(self: &Arc<Self>, channel: &Channel, urgency: Urgency) {
        if AssertUnwindSafe(self.read(channel, urgency)).catch_unwind().await.is_err() {
            self.metrics.runner_panics.inc();
            self.give_up(channel);
        }
    }

    /// The reads of all of `channels` have begun; one panic is everybody's.
    pub(super) fn begun_for<'a>(&'a self, channels: &'a [Channel]) -> Begun<'a> {
        Begun { refresher: self, channels }
    }

    /// What the log has of it has been said by the panic.
    fn give_up(&self, channel: &Channel) {
        let waiters = self.with_state(channel, |state| state.fail(Instant::now())).unwrap_or_default();
        answer_all(waiters, &Err(Unavailable));
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.refresher.metrics.query_failures.inc();
            self.channels.iter().for_each(|channel| self.refresher.give_up(channel));
        }
    }
}
