//! Who waits until a read shows a transaction of hers.
//!
//! Pure. A read that begins when the transaction is over shows it; one that does not is somebody else's, and another follows.

use std::time::Duration;

use tokio::time::Instant;

use super::Waiter;
use crate::refresh::space::Taken;
use crate::store::Sight;
use crate::telemetry::traces::Place;

/// How many may wait for one key.
pub(in crate::refresh) const MOST_SEEKERS: usize = 64;
/// A transaction that does not end is looked for so long.
pub(in crate::refresh) const SOUGHT_FOR: Duration = Duration::from_mins(1);
/// And so long where nobody watches.
pub(in crate::refresh) const REMEMBERED_FOR: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

#[derive(Debug, Default)]
pub(in crate::refresh) struct Seekers {
    all: Vec<Seeker>,
    due: Option<Instant>,
    pause: Duration,
    /// The first call of those that are followed.
    followed: Option<Place>,
}

#[derive(Debug)]
struct Seeker {
    xid: u64,
    /// `None` when its call was answered otherwise: the result is still to follow.
    waiter: Option<Waiter>,
    until: Instant,
    _place: Taken,
}

/// What a read, or a look, has done for those who wait.
#[derive(Debug, Default)]
pub(in crate::refresh) struct Found {
    /// A broadcast is owed: somebody's transaction is shown.
    pub(super) is_seen: bool,
    pub(super) answered: Vec<Waiter>,
    /// Nobody can say which transaction is meant.
    pub(super) too_old: Vec<Waiter>,
}

impl Seekers {
    /// False where too many wait.
    pub(super) fn add(&mut self, xid: u64, waiter: Option<Waiter>, until: Instant, place: Taken) -> bool {
        if self.followed.is_none() {
            self.followed = Place::current();
        }
        if let Some(same) = self.all.iter_mut().find(|seeker| seeker.xid == xid && seeker.waiter.is_none()) {
            same.waiter = waiter;
            same.until = same.until.max(until);
            return true;
        }
        if self.all.len() >= MOST_SEEKERS {
            return false;
        }
        self.all.push(Seeker { xid, waiter, until, _place: place });
        self.pause = Duration::ZERO;
        true
    }

    pub(super) fn xids(&self) -> Vec<u64> {
        let mut xids: Vec<u64> = self.all.iter().map(|seeker| seeker.xid).collect();
        xids.sort_unstable();
        xids.dedup();
        xids
    }

    /// In whose call that is followed it is read.
    pub(super) fn followed(&self) -> Option<&Place> {
        self.followed.as_ref().filter(|_| !self.all.is_empty())
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| !self.all.is_empty())
    }

    /// A read or a look is under way, which says when the next one is.
    pub(super) fn begin(&mut self) {
        self.due = None;
    }

    /// What a read has shown.
    pub(super) fn find(&mut self, seen: &[(u64, Sight)], now: Instant) -> Found {
        let mut found = Found::default();
        let sight_of = |xid: u64| seen.iter().find(|(sought, _)| *sought == xid).map(|(_, sight)| *sight);
        for seeker in std::mem::take(&mut self.all) {
            match sight_of(seeker.xid) {
                Some(Sight::Over) => {
                    found.is_seen = true;
                    found.answered.extend(seeker.waiter);
                }
                Some(Sight::TooOld) => found.too_old.extend(seeker.waiter),
                Some(Sight::Open) | None => self.all.push(seeker),
            }
        }
        self.followed.take_if(|_| self.all.is_empty());
        self.put_off(now);
        found
    }

    /// It is looked again after a pause, twice as long as the one before.
    pub(super) fn put_off(&mut self, now: Instant) {
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.due = Some(now + self.pause);
    }

    /// Those whose time is over; their transactions are not looked for any more.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<Waiter> {
        let (over, rest) = std::mem::take(&mut self.all).into_iter().partition(|seeker| seeker.until <= now);
        self.all = rest;
        Vec::into_iter(over).filter_map(|seeker: Seeker| seeker.waiter).collect()
    }

    /// The calls are answered otherwise.
    pub(super) fn take_waiters(&mut self) -> Vec<Waiter> {
        self.all.iter_mut().filter_map(|seeker| seeker.waiter.take()).collect()
    }

    /// Nobody watches any more.
    pub(super) fn leave(&mut self, now: Instant) {
        self.due = None;
        for seeker in &mut self.all {
            seeker.until = seeker.until.min(now + REMEMBERED_FOR);
        }
    }
}
