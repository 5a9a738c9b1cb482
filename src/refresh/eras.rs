//! What a node knows of the order of reads: in which era the database is, and how far anybody has read in it.
//!
//! Pure: no lock, no clock, no database. Nothing that others say is trusted further than a read of one's own can mend: a read
//! that begins now is newer than all that was known when it began, or begins an era. A database that has lost transactions is
//! known by having fewer than before; where it has completed as many again before anybody looks, what it lost may be shown
//! until the next read.

use std::time::Duration;

use crate::model::Version;

/// How far ahead of this node's clock a version of others may be. What is further ahead says only that there is news.
const AHEAD: Duration = Duration::from_hours(24);

#[derive(Debug, Default)]
pub(super) struct Eras {
    /// The newest that anybody has read.
    known: Option<Version>,
    /// The greatest seq that any screen may have.
    highest: u64,
    /// What it was before this era: what is not above would not move a screen.
    floor: u64,
}

/// What was known when a read began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun(Option<Version>);

/// Where an own read stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    At(Version),
    /// It is the first of an era: all else that was read is older, and others have to know.
    Begins(Version),
    /// It may be of another database than what was read meanwhile: it is made again.
    Outdated,
}

/// What a version that others told of means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It can be compared with those that are known here.
    Current,
    /// An era has begun: all that was read here is older.
    NewEra,
    /// It says only that there is news: who told of it is in another era, or nobody knows in which.
    Incomparable,
}

impl Eras {
    pub(super) fn begin(&self) -> Begun {
        Begun(self.known)
    }

    /// An own read was made when the database had completed so many transactions. `now`: µs since the epoch.
    pub(super) fn read(&mut self, begun: Begun, completed: u64, now: u64) -> Stand {
        let (known, before) = match (self.known, begun.0) {
            (None, _) => return Stand::Begins(self.begin_era(completed, now)),
            (Some(known), Some(before)) if before.era() == known.era() => (known, before),
            _ => return Stand::Outdated,
        };
        match Version::new(known.era(), completed) {
            Some(version) if completed >= before.completed() && version.seq() > self.floor => {
                self.know(version);
                Stand::At(version)
            }
            // Somebody has read since, and perhaps later than this one did.
            _ if before != known => Stand::Outdated,
            // The database has fewer transactions than it had: it is another one. Or somebody told of what never was.
            _ => Stand::Begins(self.begin_era(completed, now)),
        }
    }

    /// The greatest seq that any screen may have, where reads have an order.
    pub(super) fn highest(&self) -> Option<u64> {
        self.known.map(|_| self.highest)
    }

    /// What has no order is handed out; returns their seq. `next`: greater than that of those before.
    pub(super) fn read_without_order(&mut self, next: u64) -> u64 {
        self.highest = next.max(self.highest + 1);
        self.floor = self.highest;
        self.highest
    }

    /// Others have read at `version`. `now`: µs since the epoch.
    pub(super) fn hear(&mut self, version: Version, now: u64) -> Heard {
        let ahead = u64::try_from(AHEAD.as_micros()).unwrap_or(u64::MAX);
        if version.seq() > now.saturating_add(ahead) {
            return Heard::Incomparable;
        }
        match self.known {
            Some(known) if version.era() < known.era() => Heard::Incomparable,
            Some(known) if version.era() == known.era() => {
                self.know(version);
                if version.seq() > self.floor { Heard::Current } else { Heard::Incomparable }
            }
            _ => {
                self.floor = self.highest;
                self.known = None;
                self.know(version);
                Heard::NewEra
            }
        }
    }

    /// An era has begun somewhere, perhaps long ago. Whether it is news here.
    pub(super) fn hear_era(&mut self, era: u64, now: u64) -> bool {
        let first = i64::try_from(era).ok().and_then(|era| Version::new(era, 0));
        first.is_some_and(|first| self.hear(first, now) == Heard::NewEra)
    }

    /// Above all that any screen may have, so that it moves them.
    fn begin_era(&mut self, completed: u64, now: u64) -> Version {
        let version = Version::beginning_at(now.max(self.highest + 1), completed);
        self.floor = self.highest;
        self.known = None;
        self.know(version);
        version
    }

    fn know(&mut self, version: Version) {
        self.known = self.known.max(Some(version));
        self.highest = self.highest.max(version.seq());
    }
}

#[cfg(test)]
mod tests;
