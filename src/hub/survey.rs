//! What a scrape wants to know of the hub: how much waits, and for how many of its clients.
//!
//! Looks at each client once, in slices, and gives way to others between them.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::fanout::WALK_SLICE;
use super::{Hub, Members};
use crate::model::Channel;

/// Who scrapes more often is told what was found then.
const PAUSE: Duration = Duration::from_millis(500);

impl Hub {
    /// Brings up to date what is only counted when it is asked for.
    pub async fn survey(&self) {
        if !self.is_survey_due() {
            return;
        }
        let metrics = &self.metrics;
        let (waiting, bytes) = self.fifo.waiting();
        metrics.fanout_waiting.set(signed(waiting));
        metrics.fanout_bytes.set(signed(bytes));
        metrics.history_bytes.set(signed(self.history().bytes()));
        let channels: Vec<(Channel, Arc<Members>)> =
            self.channels.iter().map(|entry| (entry.key().clone(), Arc::clone(entry.value()))).collect();
        let (mut slice, mut looked_at) = (Vec::new(), 0);
        for (channel, members) in channels {
            let mut from = 0;
            while members.take_slice(&mut from, &mut slice) {
                for waiting in slice.iter().filter_map(|mailbox| mailbox.waiting_first_of(&channel)) {
                    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
                    metrics.queued_messages.observe(waiting as f64);
                }
                looked_at += slice.len();
                if looked_at >= WALK_SLICE {
                    looked_at = 0;
                    yield_now().await;
                }
            }
        }
    }

    fn is_survey_due(&self) -> bool {
        let now = Instant::now();
        let mut last = self.surveyed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.duration_since(last) >= PAUSE);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
