//! A node that is alone: it gives the ids and versions, and nobody else has to know anything.
//!
//! Must not know what is published.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::hub::{Full, Hub};
use crate::publication::Draft;

#[derive(Debug)]
pub(super) struct Local {
    hub: Arc<Hub>,
    clock: Clock,
    last_version: AtomicU64,
}

impl Local {
    pub(super) fn new(hub: Arc<Hub>, clock: &Clock) -> Self {
        // Counting from the wall clock keeps ids and versions growing across a restart.
        let first = micros(clock);
        Self { hub, clock: clock.clone(), last_version: AtomicU64::new(first) }
    }

    /// Nobody else gives ids.
    pub(super) fn begin(&self) {
        self.hub.begin_after(self.last_version.load(Ordering::Relaxed));
    }

    /// Ids are given and events delivered under one lock: every mailbox gets them in the order of their ids.
    pub(super) fn publish(&self, drafts: Vec<Draft>) -> Result<Vec<usize>, Full> {
        let mut sequence = self.hub.sequence()?;
        let sent = micros(&self.clock);
        let deliver = |draft: Draft| {
            let id = sequence.last_id() + 1;
            // An id only counts on from where the node began.
            sequence.deliver(draft.with_id(id).sent_at(sent))
        };
        Ok(drafts.into_iter().map(deliver).collect())
    }

    pub(super) fn next_version(&self) -> u64 {
        self.last_version.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Now, in µs since the epoch.
fn micros(clock: &Clock) -> u64 {
    u64::try_from(clock.now().as_microsecond()).unwrap_or_default()
}
