//! A publication of a call that is followed: how long it took to hand it out, to encode it, and until the last socket had it.
//!
//! Must not know what is published. Costs one look at a clock a publication, not one a client, but for those whose line was
//! not clear.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Place;
use crate::model::Channel;

/// One publication on its way.
#[derive(Debug)]
pub struct Delivery {
    place: Place,
    began: Instant,
    writes: Mutex<Writes>,
}

#[derive(Debug, Default)]
struct Writes {
    last: Option<Instant>,
    /// How many are still to have it; below zero while it is being handed out.
    outstanding: i64,
    is_handed_out: bool,
    is_told: bool,
}

impl Delivery {
    /// It is published now, and comes of what was done at `place`.
    pub fn of(place: Place) -> Self {
        Self { place, began: Instant::now(), writes: Mutex::default() }
    }

    /// What it comes of.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Makes an encoding, and tells how long that took.
    pub fn encode<T>(&self, encoding: &'static str, work: impl FnOnce() -> T) -> T {
        self.place.encode(encoding, work)
    }

    /// Every mailbox of its channel was handed it: `sent` of them wrote at once, in `waiting` it waits.
    pub fn handed_out(&self, channel: &Channel, sent: u64, waiting: u64) {
        let now = Instant::now();
        let count = |clients: u64| usize::try_from(clients).unwrap_or(usize::MAX);
        let step = self.place.step("fan-out").about(channel);
        let step = step.with("pulso.clients.written", count(sent)).with("pulso.clients.waiting", count(waiting));
        step.over(self.began, now);
        let mut writes = self.writes();
        if sent > 0 {
            writes.last = Some(now);
        }
        writes.outstanding += i64::try_from(waiting).unwrap_or(i64::MAX);
        writes.is_handed_out = true;
        self.tell_if_over(writes);
    }

    /// A client for whom it had to wait has it.
    pub fn written(&self) {
        let mut writes = self.writes();
        if !writes.is_told {
            writes.last = Some(Instant::now());
            writes.outstanding -= 1;
            self.tell_if_over(writes);
        }
    }

    fn tell_if_over(&self, writes: MutexGuard<'_, Writes>) {
        if writes.is_handed_out && writes.outstanding <= 0 {
            self.tell(writes);
        }
    }

    fn tell(&self, mut writes: MutexGuard<'_, Writes>) {
        if !std::mem::replace(&mut writes.is_told, true)
            && let Some(last) = writes.last
        {
            self.place.step("last write").over(self.began, last);
        }
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        // Some left, or were given something newer in its place.
        let writes = self.writes();
        if writes.is_handed_out {
            self.tell(writes);
        }
    }
}
