//! The bookkeeping of one business's figures: what was asked for, what is being read, what was read last.
//!
//! Pure: no task, no clock, no database. The one rule it keeps: a notice is never answered by a read that began before
//! it, because that read may not have seen the commit.

mod others;

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::refresher::{Reading, Unavailable};
use crate::database::Urgency;
use crate::model::{Figures, Version};

pub(super) use others::Adopted;

const FIRST_RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(2);
/// A read that took longer is made alone: others would wait for it.
const QUICK: Duration = Duration::from_millis(50);
/// A notice that comes this much after its change is late, not forgotten.
const EXPLAINED_WITHIN: Duration = Duration::from_secs(2);

pub(super) type Waiter = oneshot::Sender<Result<Reading, Unavailable>>;

/// One business while it is watched or has work outstanding.
#[derive(Debug, Default)]
pub(super) struct RefreshState {
    /// A task runs this state's steps.
    pub(super) has_runner: bool,
    /// What every subscriber has been handed.
    latest: Option<Latest>,
    next: Demand,
    running: Option<Running>,
    /// When to look again for a commit that came after its notice.
    trailing_due: Option<Instant>,
    retry: Option<Retry>,
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

/// What the next read must do.
#[derive(Debug, Default)]
struct Demand {
    /// A broadcast is owed whether the figures moved or not.
    owed: bool,
    /// Somebody who may probe a database that is thought to be down.
    live: bool,
    /// Reads that nobody asked for; they send only a difference.
    unasked: Vec<Unasked>,
    waiters: Vec<Waiter>,
    /// When the first of the notices arrived.
    noticed: Option<Instant>,
}

/// Why figures are read though nobody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unasked {
    /// Shortly after a notice, in case it was sent before its commit.
    Trailing,
    /// The business's day changed.
    Rollover,
    /// The database, or its listener, was away.
    Recovery,
    /// The database's own trigger.
    Trigger,
    /// The sentinel looks whether anything changed unannounced.
    Sentinel,
    /// Another node told of a change, and what it told cannot be shown here, or never came.
    Told,
}

#[derive(Debug)]
struct Running {
    wanted: Demand,
    begun: Instant,
    /// A change was announced that this read may have missed: no newcomer may share it.
    outdated: bool,
}

#[derive(Debug)]
struct Latest {
    reading: Reading,
    /// Where the database tells.
    version: Option<Version>,
    figures: Figures,
    day: Date,
    begun: Instant,
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
    WaitUntil(Instant),
    /// Other nodes are to know that it is watched here, before it is read.
    Watch,
    /// It is not watched here any more.
    Unwatch,
    Rest,
}

/// What to do with a finished read.
#[derive(Debug)]
pub(super) struct Finished {
    /// What whoever waits is given: what was read, or what others have read since.
    pub(super) reading: Reading,
    pub(super) publish: bool,
    /// Other nodes are to know.
    pub(super) tell: bool,
    pub(super) waiters: Vec<Waiter>,
    /// The difference was found by the trailing re-read alone.
    pub(super) corrected: bool,
}

impl RefreshState {
    /// A change was announced. True when it shares a read that was wanted already.
    pub(super) fn on_notice(&mut self, waiter: Waiter, now: Instant, trailing: Duration) -> bool {
        let shared = self.next.owed;
        self.next.owed = true;
        self.next.noticed.get_or_insert(now);
        self.next.live = true;
        self.next.waiters.push(waiter);
        self.trailing_due = Some(now + trailing);
        self.suspected = None;
        if let Some(running) = &mut self.running {
            running.outdated = true;
        }
        shared
    }

    /// A change was announced that nobody watches: what was read is worth nothing. Somebody who subscribes before its
    /// commit lands still needs the trailing re-read.
    pub(super) fn on_unwatched_notice(&mut self, now: Instant, trailing: Duration) {
        self.latest = None;
        self.trailing_due = Some(now + trailing);
        if let Some(running) = &mut self.running {
            running.outdated = true;
        }
    }

    /// Figures to hand out at once, if some are current and younger than `max_age`.
    pub(super) fn fresh(&self, now: Instant, max_age: Duration) -> Option<Reading> {
        let clean = !self.next.owed && self.retry.is_none();
        let latest = self.latest.as_ref().filter(|latest| clean && now.duration_since(latest.begun) <= max_age)?;
        Some(latest.reading.clone())
    }

    /// A newcomer wants the figures. True when it shares a read that was wanted already.
    pub(super) fn on_newcomer(&mut self, waiter: Waiter) -> bool {
        if let Some(running) = self.running.as_mut().filter(|running| !running.outdated) {
            running.wanted.waiters.push(waiter);
            return true;
        }
        let shared = self.next.is_wanted();
        self.next.waiters.push(waiter);
        shared
    }

    pub(super) fn on_unasked(&mut self, why: Unasked) {
        if !self.next.unasked.contains(&why) {
            self.next.unasked.push(why);
        }
    }

    /// The day of the figures handed out last.
    pub(super) fn day(&self) -> Option<Date> {
        self.latest.as_ref().map(|latest| latest.day)
    }

    /// Which figures were handed out last.
    pub(super) fn seq(&self) -> Option<u64> {
        self.latest.as_ref().map(|latest| latest.reading.version)
    }

    pub(super) fn step(&mut self, now: Instant) -> NextStep {
        if self.trailing_due.is_some_and(|due| due <= now) {
            self.trailing_due = None;
            self.on_unasked(Unasked::Trailing);
        }
        if self.said_due.is_some_and(|due| due <= now) {
            self.said_due = None;
            self.on_unasked(Unasked::Told);
        }
        if self.next.is_wanted() {
            // A live caller doesn't wait for the pause after a failure; nor does a newcomer, who wants an answer.
            return match self.retry {
                Some(retry) if retry.due > now && self.next.waiters.is_empty() => NextStep::WaitUntil(retry.due),
                _ if self.next.live => NextStep::Read(Urgency::Live),
                _ => NextStep::Read(Urgency::Background),
            };
        }
        self.for_others_until.take_if(|until| *until <= now);
        let due = [self.trailing_due, self.said_due].into_iter().flatten().min();
        due.map_or(NextStep::Rest, NextStep::WaitUntil)
    }

    /// The next read is the sentinel's too, which trusts nothing but the appointments themselves.
    pub(super) fn is_to_verify(&self) -> bool {
        self.next.unasked.contains(&Unasked::Sentinel)
    }

    /// The read begins: what is announced from now on belongs to the next one. Returns when its first notice arrived.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Instant> {
        // A read that begins late enough is its own trailing re-read.
        self.trailing_due.take_if(|due| *due <= now);
        self.said_due = None;
        let wanted = std::mem::take(&mut self.next);
        let noticed = wanted.noticed;
        self.running = Some(Running { wanted, begun: now, outdated: false });
        noticed
    }

    /// Whether the next read may be made together with others'.
    pub(super) fn may_share(&self) -> bool {
        self.is_quick
    }

    /// The read was made together with others' and failed, perhaps for one of those: all it had to do is still wanted,
    /// of a read of its own.
    pub(super) fn put_back(&mut self) {
        self.is_quick = false;
        let Some(Running { wanted, .. }) = self.running.take() else { return };
        self.next.owed |= wanted.owed;
        self.next.live |= wanted.live;
        self.next.noticed = wanted.noticed.or(self.next.noticed);
        self.next.waiters.extend(wanted.waiters);
        for why in wanted.unasked {
            self.on_unasked(why);
        }
    }

    /// Nobody watches any more: nothing is read. Returns whom to tell.
    pub(super) fn abandon(&mut self) -> Vec<Waiter> {
        let waiters = std::mem::take(&mut self.next.waiters);
        *self = Self { trailing_due: self.trailing_due, known_since: self.known_since, ..Self::default() };
        waiters
    }

    /// May an unwatched state be forgotten?
    pub(super) fn is_spent(&self, now: Instant) -> bool {
        !self.has_runner && self.known_since.is_none() && self.trailing_due.is_none_or(|due| due <= now)
    }

    /// The read has its answer, after `took` of its own. `reading` is what to hand out.
    pub(super) fn succeed(
        &mut self,
        (reading, version): (Reading, Option<Version>),
        figures: Figures,
        day: Date,
        now: Instant,
        took: Duration,
    ) -> Option<Finished> {
        let Running { wanted, begun, outdated } = self.running.take()?;
        self.is_quick = took <= QUICK;
        self.retry = None;
        let before = self.latest.as_ref();
        if let Some(newer) = before.filter(|before| before.reading.version > reading.version) {
            let reading = Arc::clone(&newer.reading);
            return Some(Finished { reading, publish: false, tell: false, waiters: wanted.waiters, corrected: false });
        }
        let moved = before.is_none_or(|before| before.figures != figures);
        // What another node told of, others were told of too.
        let news = moved && before.is_some() && wanted.unasked != [Unasked::Told];
        let unannounced = moved && !wanted.owed && !self.next.owed && before.is_some_and(|before| before.day == day);
        // What may have missed a change is good enough for those who waited, and for no newcomer.
        self.latest = (!outdated).then(|| Latest { reading: Arc::clone(&reading), version, figures, day, begun });
        if unannounced && wanted.unasked == [Unasked::Sentinel] {
            self.suspected = Some(now);
        }
        Some(Finished {
            reading,
            publish: wanted.owed || moved,
            tell: wanted.owed || news || self.for_others_until.is_some(),
            waiters: wanted.waiters,
            corrected: unannounced && wanted.unasked.contains(&Unasked::Trailing),
        })
    }

    /// The read failed: what it owed is still owed, and newcomers get theirs by the broadcast that follows.
    pub(super) fn fail(&mut self, now: Instant) -> Vec<Waiter> {
        self.is_quick = false;
        let Some(Running { mut wanted, .. }) = self.running.take() else { return Vec::new() };
        let waiters = std::mem::take(&mut wanted.waiters);
        self.next.owed |= wanted.owed || !waiters.is_empty();
        self.next.noticed = wanted.noticed.or(self.next.noticed);
        for why in wanted.unasked {
            self.on_unasked(why);
        }
        let pause = self.retry.map_or(FIRST_RETRY, |retry| (retry.pause * 2).min(LONGEST_RETRY));
        self.retry = Some(Retry { due: now + pause, pause });
        waiters
    }

    /// What the sentinel found is the rollup's doing: nobody forgot a notice.
    pub(super) fn clear_drift(&mut self) {
        self.suspected = None;
    }

    /// True once for a difference that the sentinel found and no notice explained within [`EXPLAINED_WITHIN`].
    pub(super) fn take_drift(&mut self, now: Instant) -> bool {
        self.suspected.take_if(|since| now.duration_since(*since) > EXPLAINED_WITHIN).is_some()
    }

    /// The database is back: the pause after a failure is over.
    pub(super) fn end_pause(&mut self, now: Instant) {
        if let Some(retry) = &mut self.retry {
            retry.due = now;
        }
    }
}

impl Demand {
    fn is_wanted(&self) -> bool {
        self.owed || !self.unasked.is_empty() || !self.waiters.is_empty()
    }
}
