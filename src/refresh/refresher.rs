//! What is asked of states, and the tasks that see to it: per channel at most one read at a time and one pending.

mod others;
mod panics;
mod reads;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::seq::IteratorRandom;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::eras::Eras;
use super::queue::ReadQueue;
use super::state::{NextStep, RefreshState, Unasked};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::StatsConfig;
use crate::database::Database;
use crate::model::Channel;
use crate::publication::Publication;
use crate::telemetry::metrics::Metrics;

/// How old figures may be that are given to somebody who asks again. Not zero: asking again is free, a query is not.
const AGAIN_MAX_AGE: Duration = Duration::from_secs(1);

/// Figures as they were read, encoded for every socket.
pub type Reading = Arc<Publication>;

/// The figures cannot be read just now. They are read and handed out as soon as they can be, without asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the figures cannot be read just now")]
pub struct Unavailable;

/// Keeps the figures of every watched business current.
#[derive(Debug)]
pub struct Refresher {
    database: Arc<Database>,
    pub(super) broker: Arc<Broker>,
    pub(super) clock: Clock,
    pub(super) config: StatsConfig,
    pub(super) metrics: Arc<Metrics>,
    channels: Mutex<HashMap<Channel, Watched>>,
    /// Where reads stand among all, if the database tells.
    eras: Mutex<Eras>,
    queued: ReadQueue,
    runners: TaskTracker,
}

#[derive(Debug, Default)]
struct Watched {
    state: RefreshState,
    /// Wakes the runner out of a pause.
    news: Arc<Notify>,
}

impl Refresher {
    pub fn new(
        database: Arc<Database>,
        broker: Arc<Broker>,
        clock: Clock,
        config: StatsConfig,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            database,
            broker,
            clock,
            config,
            metrics,
            channels: Mutex::default(),
            eras: Mutex::default(),
            queued: ReadQueue::default(),
            runners: TaskTracker::new(),
        })
    }

    /// A change was announced. Returns when every subscriber has been handed figures read after this call, or `None`
    /// when nobody watches. Dropping the future takes nothing back: the read is made all the same.
    pub async fn notice(self: &Arc<Self>, channel: &Channel) -> Result<Option<Reading>, Unavailable> {
        self.metrics.notices.inc();
        let answer = {
            let mut channels = self.lock();
            let watched = channels.entry(channel.clone()).or_default();
            if self.is_watched(channel) {
                let (waiter, answer) = oneshot::channel();
                if watched.state.on_notice(waiter, Instant::now(), self.config.trailing_reread) {
                    self.metrics.coalesced.inc();
                }
                self.ensure_runner(channel, watched);
                Some(answer)
            } else {
                watched.state.on_unwatched_notice(Instant::now(), self.config.trailing_reread);
                None
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
            Ok(reading) => reading.map(Some),
            // Whoever watched has left before the read began.
            Err(_) => Ok(None),
        }
    }

    /// The figures for a newcomer, who has joined the channel already: whatever changes from now on reaches it by the
    /// hub, and versions settle what crosses. At most as old as `SNAPSHOT_MAX_AGE`, so that a crowd costs one query.
    pub async fn snapshot(self: &Arc<Self>, channel: &Channel) -> Result<Reading, Unavailable> {
        self.reading(channel, self.config.snapshot_max_age).await
    }

    /// The figures for somebody who has some and asks again: a screen that is looked at again. At most a second old.
    pub async fn snapshot_again(self: &Arc<Self>, channel: &Channel) -> Result<Reading, Unavailable> {
        self.reading(channel, self.config.snapshot_max_age.min(AGAIN_MAX_AGE)).await
    }

    async fn reading(self: &Arc<Self>, channel: &Channel, max_age: Duration) -> Result<Reading, Unavailable> {
        let answer = {
            let mut channels = self.lock();
            let watched = channels.entry(channel.clone()).or_default();
            if let Some(reading) = watched.state.fresh(Instant::now(), max_age) {
                self.metrics.snapshots_shared.inc();
                return Ok(reading);
            }
            let (waiter, answer) = oneshot::channel();
            if watched.state.on_newcomer(waiter) {
                self.metrics.coalesced.inc();
            }
            self.ensure_runner(channel, watched);
            answer
        };
        answer.await.unwrap_or(Err(Unavailable))
    }

    /// The database's own trigger announced a change, after its commit.
    pub fn triggered(self: &Arc<Self>, channel: &Channel) {
        self.metrics.listen_notices.inc();
        let mut channels = self.lock();
        if let Some(watched) = channels.get_mut(channel) {
            if !self.is_watched(channel) {
                watched.state.on_unwatched_notice(Instant::now(), self.config.trailing_reread);
                return;
            }
            watched.state.on_unasked(Unasked::Trigger);
            self.ensure_runner(channel, watched);
        }
    }

    /// The listener was away: what was announced meanwhile is not known.
    pub fn after_a_gap(self: &Arc<Self>) {
        self.metrics.listen_gaps.inc();
        self.recover();
    }

    /// The database or its listener was away: everything watched is read again, and a difference sent.
    pub(super) fn recover(self: &Arc<Self>) {
        let now = Instant::now();
        let mut channels = self.lock();
        for (channel, watched) in channels.iter_mut() {
            watched.state.end_pause(now);
            watched.state.on_unasked(Unasked::Recovery);
            self.ensure_runner(channel, watched);
        }
    }

    /// An era of the database has begun at `seq`: what was read before is older than anything that is read now.
    fn read_anew(self: &Arc<Self>, seq: u64) {
        let mut channels = self.lock();
        for (channel, watched) in channels.iter_mut() {
            if watched.state.seq().is_some_and(|read| read < seq) {
                watched.state.on_unasked(Unasked::Recovery);
                self.ensure_runner(channel, watched);
            }
        }
    }

    /// Reads again what was read on another day than today.
    pub(super) fn roll_over(self: &Arc<Self>) {
        let today = self.clock.day_of(self.clock.now());
        let mut channels = self.lock();
        for (channel, watched) in channels.iter_mut() {
            if watched.state.day().is_some_and(|day| day != today) {
                watched.state.on_unasked(Unasked::Rollover);
                self.ensure_runner(channel, watched);
            }
        }
    }

    /// Reads a few watched channels unasked.
    pub(super) fn sample(self: &Arc<Self>) {
        let mut channels = self.lock();
        let sample = channels.iter_mut().choose_multiple(&mut rand::rng(), self.config.sentinel_sample);
        for (channel, watched) in sample {
            watched.state.on_unasked(Unasked::Sentinel);
            self.ensure_runner(channel, watched);
        }
    }

    /// Forgets what nobody watches, and reports drift.
    pub(super) fn sweep(self: &Arc<Self>) {
        let now = Instant::now();
        self.lock().retain(|channel, watched| {
            if watched.state.was_made_known() && !self.is_watched(channel) {
                // Its runner tells the others, between any two other things that it does.
                self.ensure_runner(channel, watched);
            }
            if watched.state.take_drift(now) {
                self.metrics.drift.inc();
                warn!(?channel, "figures changed without a notice: some path of the API forgets the hook");
            }
            self.subscribers(channel) > 0 || !watched.state.is_spent(now)
        });
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
    fn is_watched(&self, channel: &Channel) -> bool {
        self.broker.has_listeners(channel)
    }

    fn ensure_runner(self: &Arc<Self>, channel: &Channel, watched: &mut Watched) {
        if watched.state.has_runner {
            watched.news.notify_one();
        } else {
            watched.state.has_runner = true;
            self.runners.spawn(Arc::clone(self).run(channel.clone(), Arc::clone(&watched.news)));
        }
    }

    /// Does what a business wants, one thing after the other, until it wants nothing.
    async fn run(self: Arc<Self>, channel: Channel, news: Arc<Notify>) {
        while let Some(step) = self.next_step(&channel) {
            match step {
                NextStep::Read(urgency) => self.read_or_recover(&channel, urgency).await,
                NextStep::WaitUntil(due) => {
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = news.notified() => {}
                    }
                }
                NextStep::Watch => self.broker.watch(&channel).await,
                NextStep::Unwatch => self.broker.unwatch(&channel).await,
                NextStep::Rest => return,
            }
        }
    }

    fn next_step(&self, channel: &Channel) -> Option<NextStep> {
        let mut channels = self.lock();
        let state = &mut channels.get_mut(channel)?.state;
        let is_watched = self.is_watched(channel);
        if !is_watched && !state.is_for_others() {
            // Dropping the waiters tells them that nobody is left.
            drop(state.abandon());
            if state.take_known() {
                state.has_runner = true;
                return Some(NextStep::Unwatch);
            }
            return None;
        }
        let step = state.step(Instant::now());
        if is_watched && matches!(step, NextStep::Read(_)) && !state.was_made_known() && self.broker.has_others() {
            state.is_known(Instant::now());
            return Some(NextStep::Watch);
        }
        state.has_runner = step != NextStep::Rest;
        Some(step)
    }

    fn with_state<T>(&self, channel: &Channel, act: impl FnOnce(&mut RefreshState) -> T) -> Option<T> {
        self.lock().get_mut(channel).map(|watched| act(&mut watched.state))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Channel, Watched>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
