//! What the next read must do, and why.

use std::ops::{Deref, DerefMut};

use super::{Waiter, Why};
use crate::telemetry::commit::Arrival;
use crate::telemetry::traces::Place;

/// Why something is read though nobody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::refresh) enum Unasked {
    /// Shortly after a notice, in case it was sent before its commit.
    Trailing,
    /// The day changed.
    Rollover,
    /// The database, or its listener, was away; or a query can be read again.
    Recovery,
    /// A hook, or the database's own trigger, has said that it may have changed.
    Hint,
    /// The sentinel looks whether anything changed unannounced.
    Sentinel,
    /// Another node told of a change, and what it told cannot be shown here, or never came.
    Told,
    /// Newcomers were given what was not quite new any more.
    Newcomers,
    /// `every`.
    Interval,
    /// `next_change_at`.
    Clock,
}

/// Some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::refresh) struct Reasons(u16);

/// What the next read must do.
#[derive(Debug, Default)]
pub(in crate::refresh) struct Demand {
    /// A broadcast is owed whether anything moved or not.
    pub(super) owed: bool,
    /// Somebody who may probe a database that is thought to be down.
    pub(super) live: bool,
    /// Reads that nobody asked for; they send only a difference.
    pub(super) unasked: Reasons,
    /// It is read for those who wait until it shows their transactions.
    pub(super) seeks: bool,
    pub(super) waiters: Vec<Waiter>,
    /// When the first of the notices arrived.
    pub(super) noticed: Option<Arrival>,
    /// The first call of those that are followed.
    pub(super) followed: Option<Place>,
}

/// What is wanted of the next read, if anything. Of most keys nothing is at any moment, and these carry no room for it.
#[derive(Debug, Default)]
pub(in crate::refresh) struct Wanted(Option<Box<Demand>>);

static NOTHING: Demand = Demand {
    owed: false,
    live: false,
    unasked: Reasons(0),
    seeks: false,
    waiters: Vec::new(),
    noticed: None,
    followed: None,
};

impl Wanted {
    pub(super) fn take_waiters(&mut self) -> Vec<Waiter> {
        self.0.as_mut().map(|demand| std::mem::take(&mut demand.waiters)).unwrap_or_default()
    }

    /// What was wanted of a read that came to nothing is wanted of the next.
    pub(super) fn take_back(&mut self, wanted: Self) {
        match (&mut self.0, wanted.0) {
            (Some(next), Some(wanted)) => next.take_back(*wanted),
            (next @ None, wanted) => *next = wanted,
            (Some(_), None) => {}
        }
    }
}

impl Deref for Wanted {
    type Target = Demand;

    fn deref(&self) -> &Demand {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Wanted {
    fn deref_mut(&mut self) -> &mut Demand {
        self.0.get_or_insert_default()
    }
}

impl Unasked {
    const ALL: [Self; 9] = [
        Self::Hint,
        Self::Clock,
        Self::Interval,
        Self::Trailing,
        Self::Rollover,
        Self::Recovery,
        Self::Told,
        Self::Newcomers,
        Self::Sentinel,
    ];
}

impl Reasons {
    /// The one that explains most.
    fn first(self) -> Option<Unasked> {
        Unasked::ALL.into_iter().find(|why| self.contains(*why))
    }

    pub(super) fn insert(&mut self, why: Unasked) {
        self.0 |= 1 << why as u16;
    }

    pub(super) fn join(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(super) fn contains(self, why: Unasked) -> bool {
        self.0 & (1 << why as u16) != 0
    }

    pub(super) fn is_only(self, why: Unasked) -> bool {
        self.0 == 1 << why as u16
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Demand {
    pub(super) fn is_wanted(&self) -> bool {
        self.owed || self.seeks || !self.unasked.is_empty() || !self.waiters.is_empty()
    }

    /// For whom it is read.
    pub(super) fn why(&self) -> Why {
        if self.owed {
            Why::Notice
        } else if self.seeks {
            Why::Transaction
        } else if self.waiters.is_empty() {
            self.unasked.first().map_or(Why::Newcomer, Why::Unasked)
        } else {
            Why::Newcomer
        }
    }

    /// The call under way, if it is followed, finds what is done for it.
    pub(super) fn follow(&mut self) {
        if self.followed.is_none() {
            self.followed = Place::current();
        }
    }

    fn take_back(&mut self, wanted: Self) {
        self.owed |= wanted.owed;
        self.live |= wanted.live;
        self.seeks |= wanted.seeks;
        self.noticed = wanted.noticed.or(self.noticed);
        self.followed = wanted.followed.or(self.followed.take());
        self.unasked.join(wanted.unasked);
        self.waiters.extend(wanted.waiters);
    }
}
