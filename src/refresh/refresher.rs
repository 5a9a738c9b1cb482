//! What is asked of states, and the tasks that see to it: per channel at most one read at a time and one pending.

mod clocks;
mod counts;
mod followed;
mod hints;
mod live;
mod others;
mod panics;
mod reads;
mod seeking;

use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::TaskTracker;

use super::eras::Eras;
use super::kept::{Kept, Watched};
use super::queue::ReadQueue;
use super::space::Space;
use super::state::{NextStep, RefreshState, Unasked, Waiter};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::StatsConfig;
use crate::database::Database;
use crate::model::Channel;
use crate::publication::Publication;
use crate::queries::Queries;
use crate::telemetry::metrics::Metrics;

use hints::is_of;
pub use seeking::Unseen;

/// How old a state may be that is given to somebody who asks again. Not zero: asking again is free, a query is not.
const AGAIN_MAX_AGE: Duration = Duration::from_secs(1);
/// Transactions that are looked for, in all.
const MOST_SOUGHT: usize = 10_000;

/// A state as it was read, encoded for every socket.
pub type Reading = Arc<Publication>;

/// It cannot be read just now. It is read and handed out as soon as it can be, without asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be read just now")]
pub struct Unavailable;

/// Why whoever waits is given no reading.
#[derive(Clone, Debug)]
pub(super) enum Unread {
    /// The database does not answer.
    Away,
    /// What is read fails by itself: what watchers are told instead.
    Failed(Reading),
    /// Nobody can say which transaction is meant.
    TooOld,
}

/// What became of a notice.
#[derive(Clone, Debug)]
pub enum Noticed {
    /// Nobody watches.
    Unwatched,
    /// Every subscriber has been handed it.
    Read(Reading),
    /// It is read when it may be, which is too late for who announced it.
    Later,
}

/// Keeps every watched state current.
#[derive(Debug)]
pub struct Refresher {
    database: Arc<Database>,
    pub(super) broker: Arc<Broker>,
    pub(super) clock: Clock,
    pub(super) config: StatsConfig,
    pub(super) queries: Arc<Queries>,
    pub(super) metrics: Arc<Metrics>,
    kept: Mutex<Kept>,
    /// Where reads stand among all, if the database tells.
    eras: Mutex<Eras>,
    queued: ReadQueue,
    runners: TaskTracker,
    /// Room for results that are kept.
    results: Arc<Space>,
    /// Room for transactions that are looked for.
    sought: Arc<Space>,
    /// By what results are told apart.
    digests: RandomState,
    /// Wakes who waits for a clock.
    earlier: Notify,
}

impl Refresher {
    pub fn new(
        database: Arc<Database>,
        broker: Arc<Broker>,
        clock: Clock,
        config: StatsConfig,
        queries: Arc<Queries>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            database,
            broker,
            clock,
            results: Space::new(config.results_bytes),
            config,
            queries,
            metrics,
            kept: Mutex::default(),
            eras: Mutex::default(),
            queued: ReadQueue::default(),
            runners: TaskTracker::new(),
            sought: Space::new(MOST_SOUGHT),
            digests: RandomState::new(),
            earlier: Notify::new(),
        })
    }

    /// A change was announced. Returns when every subscriber has been handed what was read after this call, or `None`
    /// when nobody watches. Dropping the future takes nothing back: the read is made all the same.
    pub async fn notice(self: &Arc<Self>, channel: &Channel) -> Result<Option<Reading>, Unavailable> {
        self.metrics.notices.inc();
        let answer = {
            let mut kept = self.lock();
            let watched = kept.entry(channel);
            let (now, trailing) = (Instant::now(), self.config.trailing_reread);
            if !self.is_watched(channel) {
                watched.state.on_unwatched_notice(now, trailing);
                None
            } else if watched.state.is_failing(now) {
                watched.state.on_notice(None, now, trailing);
                self.ensure_runner(channel, watched);
                return Err(Unavailable);
            } else {
                let (waiter, answer) = oneshot::channel();
                if watched.state.on_notice(Some(waiter), now, trailing) {
                    self.metrics.coalesced.inc();
                }
                self.ensure_runner(channel, watched);
                Some(answer)
            }
        };
        let Some(answer) = answer else {
            if self.broker.has_others() {
                // By itself, so that a node that is alone does not carry the room for it.
                return Box::pin(self.notice_for_others(channel)).await;
            }
            return Ok(None);
        };
        match answer.await {
            Ok(reading) => reading.map(Some).map_err(|_| Unavailable),
            // Whoever watched has left before the read began.
            Err(_) => Ok(None),
        }
    }

    /// As [`Self::notice`], until `deadline`; where the read may not begin before that it is not waited for.
    pub async fn notice_by(self: &Arc<Self>, channel: &Channel, deadline: Instant) -> Result<Noticed, Unavailable> {
        let waits = self.with_state(channel, |state| state.not_before(Instant::now())).flatten();
        let is_later = waits.is_some_and(|at| at >= deadline) && self.is_watched(channel);
        let by = if is_later { Instant::now() } else { deadline };
        match timeout_at(by, self.notice(channel)).await {
            Ok(answer) => answer.map(|reading| reading.map_or(Noticed::Unwatched, Noticed::Read)),
            Err(_) if is_later => Ok(Noticed::Later),
            Err(_) => Err(Unavailable),
        }
    }

    /// The state for a newcomer, who has joined the channel already: whatever changes from now on reaches it by the
    /// hub, and versions settle what crosses. At most as old as `SNAPSHOT_MAX_AGE`, so that a crowd costs one query, and read
    /// once more where it is not quite new. What cannot be read for a reason of its own is told in its place.
    pub async fn snapshot(self: &Arc<Self>, channel: &Channel) -> Result<Reading, Unavailable> {
        self.reading(channel, self.config.snapshot_max_age, true).await
    }

    /// The state for somebody who has one and asks again: a screen that is looked at again. At most a second old.
    pub async fn snapshot_again(self: &Arc<Self>, channel: &Channel) -> Result<Reading, Unavailable> {
        self.reading(channel, self.config.snapshot_max_age.min(AGAIN_MAX_AGE), false).await
    }

    async fn reading(
        self: &Arc<Self>,
        channel: &Channel,
        max_age: Duration,
        shares: bool,
    ) -> Result<Reading, Unavailable> {
        let answer = {
            let mut kept = self.lock();
            let watched = kept.entry(channel);
            if let Some(reading) = watched.state.fresh(Instant::now(), max_age, shares) {
                self.metrics.snapshots_shared.inc();
                if watched.state.is_to_be_read() {
                    self.ensure_runner(channel, watched);
                }
                return Ok(reading);
            }
            let (waiter, answer) = oneshot::channel();
            if watched.state.on_newcomer(waiter) {
                self.metrics.coalesced.inc();
            }
            self.ensure_runner(channel, watched);
            answer
        };
        match answer.await {
            Ok(Ok(reading) | Err(Unread::Failed(reading))) => Ok(reading),
            Ok(Err(Unread::Away | Unread::TooOld)) | Err(_) => Err(Unavailable),
        }
    }

    /// The listener was away, or heard what cannot be understood yet: what was announced is not known, here nor elsewhere.
    pub fn after_a_gap(self: &Arc<Self>) {
        self.metrics.listen_gaps.inc();
        self.recover();
        self.broker.ring_all();
    }

    /// There is no listening, and it is tried again.
    pub fn not_listening(&self) {
        self.metrics.listen_failures.inc();
    }

    /// The database or its listener was away: everything watched is read again, and a difference sent.
    pub(super) fn recover(self: &Arc<Self>) {
        self.lock().health.forget_all();
        self.read_again(|_| true);
    }

    /// All that is watched of those is read again, pauses or not.
    fn read_again(self: &Arc<Self>, is_meant: impl Fn(&Channel) -> bool) {
        let now = Instant::now();
        for (channel, watched) in self.lock().channels.iter_mut().filter(|(channel, _)| is_meant(channel)) {
            watched.state.end_pause(now);
            watched.state.on_unasked(Unasked::Recovery);
            self.ensure_runner(channel, watched);
        }
    }

    /// An era of the database has begun at `seq`: what was read before is older than anything that is read now.
    fn read_anew(self: &Arc<Self>, seq: u64) {
        for (channel, watched) in &mut self.lock().channels {
            if watched.state.seq().is_some_and(|read| read < seq) {
                watched.state.on_unasked(Unasked::Recovery);
                self.ensure_runner(channel, watched);
            }
        }
    }

    /// Waits until no read is outstanding, at most until `deadline`.
    pub async fn settle(&self, deadline: Instant) {
        self.runners.close();
        // Past the deadline the reads go on, but nobody waits for them.
        let _ = timeout_at(deadline, self.runners.wait()).await;
    }

    /// How many watch on this node.
    pub fn subscribers(&self, channel: &Channel) -> usize {
        self.broker.listeners(channel)
    }

    /// Whether anybody watches: if not, nothing is read.
    pub(super) fn is_watched(&self, channel: &Channel) -> bool {
        self.broker.has_listeners(channel)
    }

    pub(super) fn ensure_runner(self: &Arc<Self>, channel: &Channel, watched: &mut Watched) {
        if let Some(runner) = &watched.state.runner {
            runner.notify_one();
        } else {
            let news = Arc::clone(watched.state.runner.get_or_insert_default());
            self.runners.spawn(Arc::clone(self).run(channel.clone(), news));
        }
    }

    /// Does what a channel wants, one thing after the other, until it wants nothing.
    async fn run(self: Arc<Self>, channel: Channel, news: Arc<Notify>) {
        while let Some(step) = self.next_step(&channel) {
            match step {
                NextStep::Read(urgency) => self.read_or_recover(&channel, urgency).await,
                NextStep::Look => {
                    tokio::select! {
                        () = self.look(&channel) => {}
                        // Somebody wants it now.
                        () = news.notified() => {}
                    }
                }
                NextStep::WaitUntil(due) => {
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = news.notified() => {}
                    }
                }
                NextStep::Watch => self.broker.watch(&channel).await,
                NextStep::Unwatch => self.broker.unwatch(&channel).await,
                NextStep::HandOn => {
                    if !self.hand_on(&channel).await {
                        return;
                    }
                }
                NextStep::Rest => return,
            }
        }
    }

    fn next_step(&self, channel: &Channel) -> Option<NextStep> {
        let mut kept = self.lock();
        let state = kept.state_of(channel)?;
        let now = Instant::now();
        let is_watched = self.is_watched(channel);
        if !is_watched && !state.is_for_others() {
            let is_owed = self.broker.has_others() && state.owes_others();
            if !is_owed {
                // Dropping the waiters tells them that nobody is left.
                drop(state.abandon(now));
            }
            // First, so that this node is not counted among those that watch.
            if state.take_known() {
                return Some(NextStep::Unwatch);
            }
            if is_owed {
                return Some(NextStep::HandOn);
            }
            state.runner = None;
            return None;
        }
        answer_all(state.take_expired(now), &Err(Unread::Away));
        let step = state.step(now);
        if is_watched && matches!(step, NextStep::Read(_)) && !state.was_made_known() && self.broker.has_others() {
            state.is_known(now);
            return Some(NextStep::Watch);
        }
        state.runner.take_if(|_| step == NextStep::Rest);
        Some(step)
    }

    fn with_state<T>(&self, channel: &Channel, act: impl FnOnce(&mut RefreshState) -> T) -> Option<T> {
        self.lock().state_of(channel).map(act)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn answer_all(waiters: Vec<Waiter>, answer: &Result<Reading, Unread>) {
    for waiter in waiters {
        // A caller that gave up is none of our business.
        let _ = waiter.send(answer.clone());
    }
}

#[cfg(test)]
mod tests;
