//! The bookkeeping of one business's figures: what was asked for, what is being read, what was read last.
//!
//! Pure: no task, no clock, no database. The one rule it keeps: a notice is never answered by a read that began before
//! it, because that read may not have seen the commit.

use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::refresher::{Reading, Unavailable};
use crate::database::Urgency;
use crate::store::Figures;

const FIRST_RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(2);
/// A read that took longer is made alone: others would wait for it.
const QUICK: Duration = Duration::from_millis(50);
/// A notice that comes this much after its change is late, not forgotten.
const EXPLAINED_WITHIN: Duration = Duration::from_secs(2);

pub(super) type Waiter = oneshot::Sender<Result<Reading, Unavailable>>;

/// One business while it is watched or has work outstanding.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// A task runs this slot's steps.
    pub(super) has_runner: bool,
    /// What every subscriber has been handed.
    latest: Option<Latest>,
    next: Wanted,
    running: Option<Running>,
    /// When to look again for a commit that came after its notice.
    trailing_due: Option<Instant>,
    retry: Option<Retry>,
    /// The last read was quick, and may be made together with others'.
    is_quick: bool,
    /// When the sentinel found a difference that no notice has explained since.
    suspected: Option<Instant>,
}

/// What the next read must do.
#[derive(Debug, Default)]
struct Wanted {
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
    reading: Reading,
    figures: Figures,
    day: Date,
    begun: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Retry {
    due: Instant,
    pause: Duration,
}

/// What to do next with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Read(Urgency),
    WaitUntil(Instant),
    Rest,
}

/// What to do with a finished read.
#[derive(Debug, Default)]
pub(super) struct Finished {
    pub(super) publish: bool,
    pub(super) waiters: Vec<Waiter>,
    /// The difference was found by the trailing re-read alone.
    pub(super) corrected: bool,
}

impl Slot {
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

    pub(super) fn step(&mut self, now: Instant) -> Step {
        if self.trailing_due.is_some_and(|due| due <= now) {
            self.trailing_due = None;
            self.on_unasked(Unasked::Trailing);
        }
        if self.next.is_wanted() {
            // A live caller doesn't wait for the pause after a failure; nor does a newcomer, who wants an answer.
            return match self.retry {
                Some(retry) if retry.due > now && self.next.waiters.is_empty() => Step::WaitUntil(retry.due),
                _ if self.next.live => Step::Read(Urgency::Live),
                _ => Step::Read(Urgency::Background),
            };
        }
        self.trailing_due.map_or(Step::Rest, Step::WaitUntil)
    }

    /// The next read is the sentinel's too, which trusts nothing but the appointments themselves.
    pub(super) fn is_to_verify(&self) -> bool {
        self.next.unasked.contains(&Unasked::Sentinel)
    }

    /// The read begins: what is announced from now on belongs to the next one. Returns when its first notice arrived.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Instant> {
        // A read that begins late enough is its own trailing re-read.
        self.trailing_due.take_if(|due| *due <= now);
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
        *self = Self { trailing_due: self.trailing_due, ..Self::default() };
        waiters
    }

    /// May an unwatched slot be forgotten?
    pub(super) fn is_spent(&self, now: Instant) -> bool {
        !self.has_runner && self.trailing_due.is_none_or(|due| due <= now)
    }

    /// The read has its answer, after `took` of its own. `reading` is what to hand out.
    pub(super) fn succeed(
        &mut self,
        reading: Reading,
        figures: Figures,
        day: Date,
        now: Instant,
        took: Duration,
    ) -> Finished {
        let Some(Running { wanted, begun, outdated }) = self.running.take() else { return Finished::default() };
        self.is_quick = took <= QUICK;
        self.retry = None;
        let before = self.latest.as_ref();
        let moved = before.is_none_or(|before| before.figures != figures);
        let unannounced = moved && !wanted.owed && !self.next.owed && before.is_some_and(|before| before.day == day);
        // What may have missed a change is good enough for those who waited, and for no newcomer.
        self.latest = (!outdated).then_some(Latest { reading, figures, day, begun });
        if unannounced && wanted.unasked == [Unasked::Sentinel] {
            self.suspected = Some(now);
        }
        Finished {
            publish: wanted.owed || moved,
            waiters: wanted.waiters,
            corrected: unannounced && wanted.unasked.contains(&Unasked::Trailing),
        }
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
    pub(super) fn acquit(&mut self) {
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

impl Wanted {
    fn is_wanted(&self) -> bool {
        self.owed || !self.unasked.is_empty() || !self.waiters.is_empty()
    }
}
