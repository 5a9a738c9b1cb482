//! The bookkeeping of one key's state: what was asked for, what is being read, what was read last.
//!
//! Pure: no task, no clock, no database. The one rule it keeps: a notice is never answered by a read that began before
//! it, because that read may not have seen the commit.

mod asked;
mod demand;
mod fresh;
mod others;
mod seekers;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::answer::Mark;
use super::refresher::{Reading, Unread};
use crate::database::Urgency;
use crate::model::Version;
use crate::telemetry::commit::Arrival;
use crate::telemetry::traces::Place;

pub(super) use demand::Unasked;
use demand::Wanted;
use fresh::Held;
pub(super) use fresh::{Fresh, Room};
pub(super) use others::Adopted;
pub(super) use seekers::{REMEMBERED_FOR, SOUGHT_FOR, Seekers};

/// The pauses between attempts while the database is away: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// And where what is read fails by itself.
const RETRY_FAILED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// A read that took longer is made alone: others would wait for it.
const QUICK: Duration = Duration::from_millis(50);
/// A notice that comes this much after its change is late, not forgotten.
const EXPLAINED_WITHIN: Duration = Duration::from_secs(2);

pub(super) type Waiter = oneshot::Sender<Result<Reading, Unread>>;

/// One key while it is watched or has work outstanding.
#[derive(Debug, Default)]
pub(super) struct RefreshState {
    /// Wakes the task that runs this state's steps, if one does, out of a pause.
    pub(super) runner: Option<Arc<Notify>>,
    /// What every subscriber has been handed.
    latest: Option<Latest>,
    next: Wanted,
    /// Apart: of most keys nothing is read at any moment.
    running: Option<Box<Running>>,
    /// When to look again for a commit that came after its notice.
    trailing_due: Option<Instant>,
    /// When to read for newcomers who were given what was not quite new.
    newcomers_due: Option<Instant>,
    /// `min_gap`: no read begins before.
    not_before: Option<Instant>,
    retry: Option<Retry>,
    /// What every subscriber was told in place of a result that could not be read.
    failed: Option<Reading>,
    seekers: Option<Box<Seekers>>,
    /// `$3` of the next read is not before it.
    clock_floor: Option<Timestamp>,
    /// Until then it is read though nobody watches it here: others do.
    for_others_until: Option<Instant>,
    /// Since when other nodes are told that it is watched here.
    known_since: Option<Instant>,
    /// When to read what another node was to say.
    said_due: Option<Instant>,
    /// The last read was quick, and may be made together with others'.
    is_quick: bool,
    /// When the sentinel found a difference that no notice has explained since.
    suspected: Option<Instant>,
}

#[derive(Debug)]
struct Running {
    wanted: Wanted,
    begun: Instant,
    /// A change was announced that this read may have missed: no newcomer may share it.
    outdated: bool,
}

#[derive(Debug)]
struct Latest {
    /// To be handed out; `None` where there was no room to keep it.
    held: Option<Held>,
    seq: u64,
    /// Where the database tells.
    version: Option<Version>,
    mark: Mark,
    day: Date,
    begun: Instant,
    /// A change was announced since: it only tells whether the next one differs, and is given where no read may be made.
    is_stale: bool,
}

#[derive(Clone, Copy, Debug)]
struct Retry {
    due: Instant,
    pause: Duration,
}

/// What to do next with a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    Read(Urgency),
    /// Nobody wants it but who waits for a transaction: whether that is over is asked.
    Look,
    WaitUntil(Instant),
    /// Other nodes are to know that it is watched here, before it is read.
    Watch,
    /// Nobody watches it here any more, and a change was announced here that others may watch.
    HandOn,
    /// It is not watched here any more.
    Unwatch,
    Rest,
}

/// What a read begins with.
#[derive(Debug)]
pub(super) struct Beginning {
    /// When the first of its notices arrived.
    pub(super) noticed: Option<Arrival>,
    pub(super) begun: Instant,
    /// In whose call that is followed it is made.
    pub(super) followed: Option<Place>,
    /// The transactions that somebody waits for.
    pub(super) xids: Vec<u64>,
    pub(super) clock_floor: Option<Timestamp>,
    /// The sentinel's too, which trusts nothing but the appointments themselves.
    pub(super) verifies: bool,
    pub(super) why: Why,
}

/// For whom it is read, of several the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Notice,
    Transaction,
    Newcomer,
    Unasked(Unasked),
}

/// What other nodes are to know of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    Nobody,
    /// They would read it by the same clock.
    Time,
    /// Nobody asked for it: who shows the same need not say it again.
    News,
    /// Whoever watches is to be told, whatever it says.
    Asked,
}

/// What to do with a finished read.
#[derive(Debug)]
pub(super) struct Finished {
    /// What whoever waits is given: what was read, or what others have read since.
    pub(super) reading: Reading,
    pub(super) publish: bool,
    /// It says what the one before said.
    pub(super) is_unchanged: bool,
    pub(super) tell: Tell,
    pub(super) waiters: Vec<Waiter>,
    pub(super) too_old: Vec<Waiter>,
    /// The difference was found by the trailing re-read alone.
    pub(super) corrected: bool,
}

/// What to do after a failed read.
#[derive(Debug, Default)]
pub(super) struct Failed {
    pub(super) waiters: Vec<Waiter>,
    /// What every subscriber is told now.
    pub(super) publish: Option<Reading>,
    /// What those who wait are given in place of a result.
    pub(super) told: Option<Reading>,
}

impl RefreshState {
    /// The day of what was handed out last.
    pub(super) fn day(&self) -> Option<Date> {
        self.latest.as_ref().map(|latest| latest.day)
    }

    /// Which was handed out last.
    pub(super) fn seq(&self) -> Option<u64> {
        let failed = self.failed.as_ref().map(|failed| failed.version);
        self.latest.as_ref().map(|latest| latest.seq).max(failed)
    }

    pub(super) fn step(&mut self, now: Instant) -> NextStep {
        for (due, why) in [
            (&mut self.trailing_due, Unasked::Trailing),
            (&mut self.said_due, Unasked::Told),
            (&mut self.newcomers_due, Unasked::Newcomers),
        ] {
            if due.take_if(|due| *due <= now).is_some() {
                self.next.unasked.insert(why);
            }
        }
        if self.next.is_wanted() {
            return self.when_wanted(now);
        }
        self.for_others_until.take_if(|until| *until <= now && self.seekers.is_none());
        let look = self.seekers.as_ref().and_then(|seekers| seekers.due());
        if look.is_some_and(|due| due <= now) {
            return NextStep::Look;
        }
        let due = [self.trailing_due, self.said_due, self.newcomers_due, look].into_iter().flatten().min();
        due.map_or(NextStep::Rest, NextStep::WaitUntil)
    }

    fn when_wanted(&self, now: Instant) -> NextStep {
        // A live caller doesn't wait for the pause after an outage; nor does a newcomer, who wants an answer.
        let waits = |retry: &Retry| retry.due > now && (self.next.waiters.is_empty() || self.failed.is_some());
        match (self.retry.filter(waits), self.not_before.filter(|at| *at > now)) {
            (Some(retry), at) => NextStep::WaitUntil(at.map_or(retry.due, |at| at.max(retry.due))),
            (None, Some(at)) => NextStep::WaitUntil(at),
            (None, None) if self.next.live => NextStep::Read(Urgency::Live),
            (None, None) => NextStep::Read(Urgency::Background),
        }
    }

    /// The next read is the sentinel's too.
    pub(super) fn is_to_verify(&self) -> bool {
        self.next.unasked.contains(Unasked::Sentinel)
    }

    /// The read begins: what is announced from now on belongs to the next one. `gap`: to the beginning of that.
    pub(super) fn begin(&mut self, now: Instant, gap: Duration) -> Beginning {
        // A read that begins late enough is its own trailing re-read.
        self.trailing_due.take_if(|due| *due <= now);
        self.said_due = None;
        self.newcomers_due = None;
        self.not_before = (!gap.is_zero()).then(|| now + gap);
        let wanted = std::mem::take(&mut self.next);
        let xids = self.seekers.as_mut().map(|seekers| {
            seekers.begin();
            seekers.xids()
        });
        let beginning = Beginning {
            noticed: wanted.noticed,
            begun: now,
            followed: wanted.followed.as_ref().or_else(|| self.seekers.as_ref()?.followed()).cloned(),
            xids: xids.unwrap_or_default(),
            clock_floor: self.clock_floor,
            verifies: wanted.unasked.contains(Unasked::Sentinel),
            why: wanted.why(),
        };
        self.running = Some(Box::new(Running { wanted, begun: now, outdated: false }));
        beginning
    }

    /// Whether the next read may be made together with others'.
    pub(super) fn may_share(&self) -> bool {
        self.is_quick
    }

    /// The read came to nothing, and through no fault of its own: all it had to do is still wanted, of a read of its own.
    pub(super) fn put_back(&mut self, now: Instant) {
        self.is_quick = false;
        self.not_before = None;
        if let Some(running) = self.running.take() {
            self.next.take_back(running.wanted);
        }
        self.seek_again(now);
    }

    /// The read has its answer, after `took` of its own.
    pub(super) fn succeed(&mut self, fresh: Fresh, now: Instant, took: Duration) -> Option<Finished> {
        let Fresh { reading, room, version, mark, day, seen } = fresh;
        let Running { mut wanted, begun, outdated } = *self.running.take()?;
        self.is_quick = took <= QUICK;
        self.retry = None;
        self.clock_floor = None;
        let found = self.seekers.as_mut().map(|seekers| seekers.find(&seen, now)).unwrap_or_default();
        let mut waiters = wanted.take_waiters();
        waiters.extend(found.answered);
        let owed = wanted.owed || found.is_seen;
        let before = self.latest.as_ref();
        let newer = before.filter(|before| before.seq > reading.version);
        if let Some(newer) = newer {
            let held = newer.held.as_ref().map(|held| Arc::clone(&held.reading));
            let (reading, too_old) = (held.unwrap_or(reading), found.too_old);
            let (publish, is_unchanged, tell, corrected) = (false, false, Tell::Nobody, false);
            return Some(Finished { reading, publish, is_unchanged, tell, waiters, too_old, corrected });
        }
        let differs = before.is_none_or(|before| before.mark != mark);
        let moved = differs || self.failed.is_some();
        self.failed = None;
        // What another node told of, others were told of too.
        let news = differs && before.is_some() && !wanted.unasked.is_only(Unasked::Told);
        let unannounced = differs && !owed && !self.next.owed && before.is_some_and(|before| before.day == day);
        self.latest = Some(Latest {
            held: room.hold(Arc::clone(&reading)),
            seq: reading.version,
            version,
            mark,
            day,
            begun,
            // What may have missed a change is good enough for those who waited, and for no newcomer.
            is_stale: outdated,
        });
        if unannounced && wanted.unasked.is_only(Unasked::Sentinel) {
            self.suspected = Some(now);
        }
        Some(Finished {
            reading,
            publish: owed || moved,
            is_unchanged: !differs,
            tell: match wanted.unasked {
                _ if owed => Tell::Asked,
                _ if news || self.for_others_until.is_some() => Tell::News,
                why if why.contains(Unasked::Clock) || why.contains(Unasked::Interval) => Tell::Time,
                _ => Tell::Nobody,
            },
            waiters,
            too_old: found.too_old,
            corrected: unannounced && wanted.unasked.contains(Unasked::Trailing),
        })
    }

    /// The read failed: what it owed is still owed, and newcomers get theirs by the broadcast that follows. `told`: what is
    /// said in place of a result, where it failed by itself.
    pub(super) fn fail(&mut self, told: Option<Reading>, now: Instant) -> Failed {
        self.is_quick = false;
        let Some(running) = self.running.take() else { return Failed::default() };
        let mut wanted = running.wanted;
        let mut waiters = wanted.take_waiters();
        if !waiters.is_empty() {
            self.next.owed = true;
        }
        self.next.take_back(wanted);
        if let Some(seekers) = &mut self.seekers {
            waiters.extend(seekers.take_waiters());
        }
        self.seek_again(now);
        let (first, longest) = if told.is_some() { RETRY_FAILED } else { RETRY };
        let pause = self.retry.map_or(first, |retry| (retry.pause * 2).clamp(first, longest));
        self.retry = Some(Retry { due: now + pause, pause });
        let publish = told.filter(|_| self.failed.is_none()).inspect(|told| self.failed = Some(Arc::clone(told)));
        Failed { waiters, publish, told: self.failed.clone() }
    }

    fn seek_again(&mut self, now: Instant) {
        if let Some(seekers) = &mut self.seekers {
            seekers.put_off(now);
        }
    }

    /// What the sentinel found is the rollup's doing: nobody forgot a notice.
    pub(super) fn clear_drift(&mut self) {
        self.suspected = None;
    }

    /// True once for a difference that the sentinel found and no notice explained within [`EXPLAINED_WITHIN`].
    pub(super) fn take_drift(&mut self, now: Instant) -> bool {
        self.suspected.take_if(|since| now.duration_since(*since) > EXPLAINED_WITHIN).is_some()
    }

    /// The database is back, or the query: the pause after a failure is over.
    pub(super) fn end_pause(&mut self, now: Instant) {
        if let Some(retry) = &mut self.retry {
            retry.due = now;
        }
    }

    fn is_in_gap(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|at| at > now)
    }
}
