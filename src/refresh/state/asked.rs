//! What is asked of a key: by notices, by newcomers, by whoever waits for a transaction; and what is left when nobody watches.
//!
//! As pure as the rest of the state.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::demand::Unasked;
use super::{RefreshState, Waiter};
use crate::refresh::refresher::Reading;
use crate::refresh::space::Taken;
use crate::telemetry::commit::Arrival;

/// What is older was perhaps read before a change that nobody announced: a newcomer has it, and it is read once more.
const NEW: Duration = Duration::from_millis(250);
/// Newcomers who come within it share that read, so that a crowd costs two.
const CROWD: Duration = Duration::from_millis(250);

impl RefreshState {
    /// A change was announced. True when it shares a read that was wanted already.
    pub(in crate::refresh) fn on_notice(&mut self, waiter: Option<Waiter>, now: Instant, trailing: Duration) -> bool {
        let shared = self.next.owed;
        self.next.owed = true;
        self.next.noticed.get_or_insert_with(|| Arrival::of_call(now));
        self.next.follow();
        self.next.live |= waiter.is_some();
        self.next.waiters.extend(waiter);
        self.announced(now, trailing);
        shared
    }

    /// It may have changed, says somebody who wants no answer: only a difference is told. `trailing`: when to look again for a
    /// commit that comes late, if it can.
    pub(in crate::refresh) fn on_hint(&mut self, now: Instant, trailing: Option<Duration>) {
        self.next.unasked.insert(Unasked::Hint);
        self.next.follow();
        match trailing {
            Some(trailing) => self.announced(now, trailing),
            None => self.suspected = None,
        }
    }

    fn announced(&mut self, now: Instant, trailing: Duration) {
        self.trailing_due = Some(now + trailing);
        self.suspected = None;
        if let Some(running) = &mut self.running {
            running.outdated = true;
        }
    }

    /// A change was announced by whose transaction only a read counts that shows it. `place`: in what is looked for in all.
    /// False where too many wait.
    pub(in crate::refresh) fn on_transaction(
        &mut self,
        xid: u64,
        waiter: Option<Waiter>,
        (now, until): (Instant, Instant),
        place: Taken,
    ) -> bool {
        if !self.seekers.get_or_insert_default().add(xid, waiter, until, place) {
            return false;
        }
        self.next.seeks = true;
        self.next.follow();
        self.next.live = true;
        self.next.noticed.get_or_insert_with(|| Arrival::of_call(now));
        self.suspected = None;
        if let Some(running) = &mut self.running {
            running.outdated = true;
        }
        true
    }

    /// As [`Self::on_transaction`], and nobody watches: whoever comes meanwhile is given what shows it, once it can be shown.
    pub(in crate::refresh) fn on_unwatched_transaction(
        &mut self,
        xid: u64,
        until: Instant,
        place: Taken,
        now: Instant,
    ) {
        self.set_aside(now);
        self.seekers.get_or_insert_default().add(xid, None, until, place);
    }

    /// A change was announced that nobody watches: what was read is worth nothing. Somebody who subscribes before its
    /// commit lands still needs the trailing re-read.
    pub(in crate::refresh) fn on_unwatched_notice(&mut self, now: Instant, trailing: Duration) {
        self.set_aside(now);
        self.trailing_due = Some(now + trailing);
    }

    /// What is read means something else by now.
    pub(in crate::refresh) fn set_aside_for_good(&mut self) {
        self.latest = None;
        self.failed = None;
        self.not_before = None;
        if let Some(running) = &mut self.running {
            running.outdated = true;
        }
    }

    fn set_aside(&mut self, now: Instant) {
        self.forget(now);
        if let Some(running) = &mut self.running {
            running.outdated = true;
        }
    }

    /// What was read is worth nothing any more; it is given all the same while no read may be made.
    pub(in crate::refresh) fn forget(&mut self, now: Instant) {
        let is_in_gap = self.is_in_gap(now);
        self.latest.take_if(|_| !is_in_gap);
        if let Some(latest) = &mut self.latest {
            latest.is_stale = true;
        }
    }

    /// What to hand out at once, if something is current and younger than `max_age`, or no read may be made now. `shares`: what
    /// is not quite new is read once more for all who come now.
    pub(in crate::refresh) fn fresh(&mut self, now: Instant, max_age: Duration, shares: bool) -> Option<Reading> {
        if let Some(failed) = &self.failed
            && self.retry.is_some_and(|retry| retry.due > now)
        {
            return Some(Arc::clone(failed));
        }
        let is_in_gap = self.is_in_gap(now);
        let latest = self.latest.as_ref()?;
        let age = now.duration_since(latest.begun);
        let is_current = !latest.is_stale && !self.next.owed && self.retry.is_none();
        if !(is_in_gap || is_current && age <= max_age) {
            return None;
        }
        let reading = &latest.held.as_ref()?.reading;
        if is_in_gap && (!is_current || age > max_age) {
            self.next.unasked.insert(Unasked::Newcomers);
        } else if shares && age > NEW {
            // Beyond the greatest age the next of them costs a read by itself.
            self.newcomers_due = Some((now + CROWD).min(latest.begun + max_age));
        }
        Some(Arc::clone(reading))
    }

    /// A newcomer wants what is there. True when it shares a read that was wanted already.
    pub(in crate::refresh) fn on_newcomer(&mut self, waiter: Waiter) -> bool {
        if let Some(running) = self.running.as_mut().filter(|running| !running.outdated) {
            running.wanted.waiters.push(waiter);
            return true;
        }
        let shared = self.next.is_wanted();
        self.next.waiters.push(waiter);
        shared
    }

    pub(in crate::refresh) fn on_unasked(&mut self, why: Unasked) {
        self.next.unasked.insert(why);
    }

    /// The result changes now, though nothing is written: `at` was when it said that it would.
    pub(in crate::refresh) fn on_clock(&mut self, at: Timestamp) {
        self.next.unasked.insert(Unasked::Clock);
        self.clock_floor = self.clock_floor.max(Some(at));
    }

    /// Whether there is something for a runner to do, now or later.
    pub(in crate::refresh) fn is_to_be_read(&self) -> bool {
        self.next.is_wanted() || self.newcomers_due.is_some()
    }

    /// Whether what is read fails by itself, and is not tried just now.
    pub(in crate::refresh) fn is_failing(&self, now: Instant) -> bool {
        self.failed.is_some() && self.retry.is_some_and(|retry| retry.due > now)
    }

    /// When the next read may begin, if that is not now.
    pub(in crate::refresh) fn not_before(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|at| *at > now)
    }

    /// The transactions that are looked for.
    pub(in crate::refresh) fn xids(&self) -> Vec<u64> {
        self.seekers.as_ref().map(|seekers| seekers.xids()).unwrap_or_default()
    }

    /// Whether a transaction is looked for.
    pub(in crate::refresh) fn seeks(&self) -> bool {
        self.seekers.as_ref().is_some_and(|seekers| seekers.len() > 0)
    }

    /// It was asked whether transactions are over, and one of them is; or none.
    pub(in crate::refresh) fn on_look(&mut self, is_any_over: bool, now: Instant) {
        if is_any_over {
            self.next.seeks = true;
        } else {
            self.seek_again(now);
        }
    }

    /// Those who have waited too long for a transaction.
    pub(in crate::refresh) fn take_expired(&mut self, now: Instant) -> Vec<Waiter> {
        let expired = self.seekers.as_mut().map(|seekers| seekers.take_expired(now)).unwrap_or_default();
        self.seekers.take_if(|seekers| seekers.len() == 0);
        expired
    }

    /// Nobody watches any more: nothing is read. Returns whom to tell.
    pub(in crate::refresh) fn abandon(&mut self, now: Instant) -> Vec<Waiter> {
        let mut waiters = self.next.take_waiters();
        let (runner, trailing_due, known_since) = (self.runner.take(), self.trailing_due, self.known_since);
        let mut kept = Self { runner, trailing_due, known_since, ..Self::default() };
        if let Some(mut seekers) = self.seekers.take() {
            waiters.extend(seekers.take_waiters());
            seekers.leave(now);
            kept.seekers = Some(seekers);
        }
        if self.is_in_gap(now) {
            kept.not_before = self.not_before;
            kept.latest = self.latest.take();
            if self.next.is_wanted() || self.failed.is_some() {
                kept.forget(now);
            }
        }
        *self = kept;
        waiters
    }

    /// May an unwatched state be forgotten?
    pub(in crate::refresh) fn is_spent(&self, now: Instant) -> bool {
        self.runner.is_none()
            && self.known_since.is_none()
            && self.seekers.is_none()
            && self.trailing_due.is_none_or(|due| due <= now)
            && !self.is_in_gap(now)
    }
}
