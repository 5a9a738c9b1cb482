//! Runs the reads: per business at most one query at a time and one pending, each handed to the hub once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use rand::seq::IteratorRandom;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::slot::{Slot, Step, Unasked, Waiter};
use super::turns::{Turn, Turns};
use crate::channel::Channel;
use crate::clock::Clock;
use crate::config::StatsConfig;
use crate::database::{Admission, Database, Urgency};
use crate::dialect;
use crate::hub::Hub;
use crate::negocio::NegocioId;
use crate::publication::Publication;
use crate::store::{StoreError, Verified};
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
    hub: Arc<Hub>,
    pub(super) clock: Clock,
    pub(super) config: StatsConfig,
    pub(super) metrics: Arc<Metrics>,
    slots: Mutex<HashMap<NegocioId, Watched>>,
    turns: Turns,
    last_version: AtomicU64,
    runners: TaskTracker,
}

#[derive(Debug, Default)]
struct Watched {
    slot: Slot,
    /// Wakes the slot's runner out of a pause.
    news: Arc<Notify>,
}

impl Refresher {
    pub fn new(
        database: Arc<Database>,
        hub: Arc<Hub>,
        clock: Clock,
        config: StatsConfig,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        // Counting from the wall clock keeps versions growing across a restart.
        let first = u64::try_from(clock.now().as_microsecond()).unwrap_or_default();
        Arc::new(Self {
            database,
            hub,
            clock,
            config,
            metrics,
            slots: Mutex::default(),
            turns: Turns::default(),
            last_version: AtomicU64::new(first),
            runners: TaskTracker::new(),
        })
    }

    /// A change was announced. Returns when every subscriber has been handed figures read after this call, or `None`
    /// when nobody watches. Dropping the future takes nothing back: the read is made all the same.
    pub async fn notice(self: &Arc<Self>, negocio: &NegocioId) -> Result<Option<Reading>, Unavailable> {
        self.metrics.notices.inc();
        let answer = {
            let mut slots = self.lock();
            let watched = slots.entry(negocio.clone()).or_default();
            if self.subscribers(negocio) == 0 {
                watched.slot.on_unwatched_notice(Instant::now(), self.config.trailing_reread);
                return Ok(None);
            }
            let (waiter, answer) = oneshot::channel();
            if watched.slot.on_notice(waiter, Instant::now(), self.config.trailing_reread) {
                self.metrics.coalesced.inc();
            }
            self.ensure_runner(negocio, watched);
            answer
        };
        match answer.await {
            Ok(reading) => reading.map(Some),
            // Whoever watched has left before the read began.
            Err(_) => Ok(None),
        }
    }

    /// The figures for a newcomer, who has joined the channel already: whatever changes from now on reaches it by the
    /// hub, and versions settle what crosses. At most as old as `SNAPSHOT_MAX_AGE`, so that a crowd costs one query.
    pub async fn snapshot(self: &Arc<Self>, negocio: &NegocioId) -> Result<Reading, Unavailable> {
        self.reading(negocio, self.config.snapshot_max_age).await
    }

    /// The figures for somebody who has some and asks again: a screen that is looked at again. At most a second old.
    pub async fn snapshot_again(self: &Arc<Self>, negocio: &NegocioId) -> Result<Reading, Unavailable> {
        self.reading(negocio, self.config.snapshot_max_age.min(AGAIN_MAX_AGE)).await
    }

    async fn reading(self: &Arc<Self>, negocio: &NegocioId, max_age: Duration) -> Result<Reading, Unavailable> {
        let answer = {
            let mut slots = self.lock();
            let watched = slots.entry(negocio.clone()).or_default();
            if let Some(reading) = watched.slot.fresh(Instant::now(), max_age) {
                self.metrics.snapshots_shared.inc();
                return Ok(reading);
            }
            let (waiter, answer) = oneshot::channel();
            if watched.slot.on_newcomer(waiter) {
                self.metrics.coalesced.inc();
            }
            self.ensure_runner(negocio, watched);
            answer
        };
        answer.await.unwrap_or(Err(Unavailable))
    }

    /// The database's own trigger announced a change, after its commit.
    pub fn triggered(self: &Arc<Self>, negocio: &NegocioId) {
        self.metrics.listen_notices.inc();
        let mut slots = self.lock();
        if let Some(watched) = slots.get_mut(negocio) {
            if self.subscribers(negocio) == 0 {
                watched.slot.on_unwatched_notice(Instant::now(), self.config.trailing_reread);
                return;
            }
            watched.slot.on_unasked(Unasked::Trigger);
            self.ensure_runner(negocio, watched);
        }
    }

    /// The database or its listener was away: everything watched is read again, and a difference sent.
    pub fn recover(self: &Arc<Self>) {
        let now = Instant::now();
        let mut slots = self.lock();
        for (negocio, watched) in slots.iter_mut() {
            watched.slot.end_pause(now);
            watched.slot.on_unasked(Unasked::Recovery);
            self.ensure_runner(negocio, watched);
        }
    }

    /// Reads again what was read on another day than today.
    pub(super) fn roll_over(self: &Arc<Self>) {
        let today = self.clock.day_of(self.clock.now());
        let mut slots = self.lock();
        for (negocio, watched) in slots.iter_mut() {
            if watched.slot.day().is_some_and(|day| day != today) {
                watched.slot.on_unasked(Unasked::Rollover);
                self.ensure_runner(negocio, watched);
            }
        }
    }

    /// Reads a few watched businesses unasked.
    pub(super) fn sample(self: &Arc<Self>) {
        let mut slots = self.lock();
        let sample = slots.iter_mut().choose_multiple(&mut rand::rng(), self.config.sentinel_sample);
        for (negocio, watched) in sample {
            watched.slot.on_unasked(Unasked::Sentinel);
            self.ensure_runner(negocio, watched);
        }
    }

    /// Forgets what nobody watches, and reports drift.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.lock().retain(|negocio, watched| {
            if watched.slot.take_drift(now) {
                self.metrics.drift.inc();
                warn!(?negocio, "figures changed without a notice: some path of the API forgets the hook");
            }
            self.subscribers(negocio) > 0 || !watched.slot.is_spent(now)
        });
    }

    /// Waits until no read is outstanding, at most until `deadline`.
    pub async fn settle(&self, deadline: Instant) {
        self.runners.close();
        // Past the deadline the reads go on, but nobody waits for them.
        let _ = timeout_at(deadline, self.runners.wait()).await;
    }

    pub fn subscribers(&self, negocio: &NegocioId) -> usize {
        self.hub.subscribers(&Channel::Estadisticas(negocio.clone()))
    }

    fn ensure_runner(self: &Arc<Self>, negocio: &NegocioId, watched: &mut Watched) {
        if watched.slot.has_runner {
            watched.news.notify_one();
        } else {
            watched.slot.has_runner = true;
            self.runners.spawn(Arc::clone(self).run(negocio.clone(), Arc::clone(&watched.news)));
        }
    }

    /// Does what a slot wants, one thing after the other, until it wants nothing.
    async fn run(self: Arc<Self>, negocio: NegocioId, news: Arc<Notify>) {
        while let Some(step) = self.next_step(&negocio) {
            match step {
                Step::Read(urgency) => self.read(&negocio, urgency).await,
                Step::WaitUntil(due) => {
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = news.notified() => {}
                    }
                }
                Step::Rest => return,
            }
        }
    }

    fn next_step(&self, negocio: &NegocioId) -> Option<Step> {
        let mut slots = self.lock();
        let slot = &mut slots.get_mut(negocio)?.slot;
        if self.subscribers(negocio) == 0 {
            // Dropping the waiters tells them that nobody is left.
            drop(slot.abandon());
            return None;
        }
        let step = slot.step(Instant::now());
        slot.has_runner = step != Step::Rest;
        Some(step)
    }

    /// Reads the figures of `negocio`: itself, with others that wait for a connection, or by another runner that takes it
    /// along.
    async fn read(&self, negocio: &NegocioId, urgency: Urgency) {
        let may_share = self.with_slot(negocio, |slot| slot.may_share() && !slot.is_to_verify()).unwrap_or_default();
        let mut over = self.turns.queue(negocio.clone(), may_share);
        tokio::select! {
            biased;
            _ = &mut over => return,
            // Whatever is announced while this waits for a connection is still in time for this read.
            admission = self.database.admit(urgency) => match admission {
                Ok(admission) => {
                    let turns = self.turns.take(negocio, self.database.most_at_once());
                    if !turns.is_empty() {
                        return self.read_together(admission, turns).await;
                    }
                }
                Err(failure) => if let [_own] = self.turns.take(negocio, 1).as_slice() {
                    self.with_slot(negocio, |slot| slot.begin(Instant::now()));
                    return self.fail(negocio, &failure);
                },
            },
        }
        // Another runner makes this read just now.
        let _ = over.await;
    }

    /// Makes the reads whose turn it is.
    async fn read_together(&self, admission: Admission<'_>, turns: Vec<Turn>) {
        let begun = Instant::now();
        let mut negocios = Vec::with_capacity(turns.len());
        let mut noticed = Vec::with_capacity(turns.len());
        let mut verifies = false;
        {
            let mut slots = self.lock();
            for turn in &turns {
                if let Some(watched) = slots.get_mut(&turn.negocio) {
                    // Such a read is shared with nobody.
                    verifies = turns.len() == 1 && watched.slot.is_to_verify();
                    noticed.push(watched.slot.begin(begun));
                    negocios.push(turn.negocio.clone());
                }
            }
        }
        if negocios.is_empty() {
            return;
        }
        self.metrics.queries.inc_by(negocios.len() as u64);
        let read_at = self.clock.now();
        let day = self.clock.day_of(read_at);
        let answer = match negocios.as_slice() {
            [negocio] if verifies => admission.verified_figures(negocio, day).await.map(|verified| vec![verified]),
            _ => {
                admission.figures(&negocios, day).await.map(|several| several.into_iter().map(Verified::from).collect())
            }
        };
        match answer {
            Ok(figures) => {
                let took = begun.elapsed();
                let each = took / u32::try_from(negocios.len()).unwrap_or(u32::MAX);
                for ((negocio, figures), noticed) in negocios.iter().zip(figures).zip(noticed) {
                    self.metrics.query_seconds.observe(took.as_secs_f64());
                    self.succeed(negocio, figures, (read_at.as_second(), day), noticed, each);
                }
            }
            // Perhaps for one of them only.
            Err(StoreError::Refused(_) | StoreError::TimedOut(_)) if negocios.len() > 1 => {
                debug!(together = negocios.len(), "figures not read together; each is read alone");
                for negocio in &negocios {
                    self.with_slot(negocio, Slot::put_back);
                }
            }
            Err(failure) => negocios.iter().for_each(|negocio| self.fail(negocio, &failure)),
        }
    }

    fn succeed(
        &self,
        negocio: &NegocioId,
        Verified { figures, drifted }: Verified,
        (second, day): (i64, Date),
        noticed: Option<Instant>,
        took: Duration,
    ) {
        let version = self.last_version.fetch_add(1, Ordering::Relaxed) + 1;
        let frame = dialect::stats::stats(negocio, &figures, second, version);
        let reading = Arc::new(Publication::state(Channel::Estadisticas(negocio.clone()), version, frame, noticed));
        let finished = self
            .with_slot(negocio, |slot| {
                let finished = slot.succeed(Arc::clone(&reading), figures, day, Instant::now(), took);
                if drifted {
                    slot.acquit();
                }
                finished
            })
            .unwrap_or_default();
        if finished.corrected {
            self.metrics.trailing_corrections.inc();
        }
        if finished.publish {
            self.hub.publish(&reading);
        }
        answer_all(finished.waiters, &Ok(reading));
    }

    fn fail(&self, negocio: &NegocioId, failure: &StoreError) {
        self.note_failure(negocio, failure);
        let waiters = self.with_slot(negocio, |slot| slot.fail(Instant::now())).unwrap_or_default();
        answer_all(waiters, &Err(Unavailable));
    }

    fn note_failure(&self, negocio: &NegocioId, failure: &StoreError) {
        self.metrics.query_failures.inc();
        match failure {
            // Said once for all by the database's monitor.
            StoreError::Unreachable(_) => debug!(?negocio, %failure, "figures not read"),
            StoreError::TimedOut(_) | StoreError::Refused(_) => warn!(?negocio, %failure, "figures not read"),
        }
    }

    fn with_slot<T>(&self, negocio: &NegocioId, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.lock().get_mut(negocio).map(|watched| act(&mut watched.slot))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NegocioId, Watched>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer_all(waiters: Vec<Waiter>, answer: &Result<Reading, Unavailable>) {
    for waiter in waiters {
        // A caller that gave up is none of our business.
        let _ = waiter.send(answer.clone());
    }
}

#[cfg(test)]
mod tests;
