//! The reads themselves: whose turn it is, with whom each is made together, and what becomes of its answer.
//!
//! Must not know why anything is read.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::civil::Date;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{Reading, Refresher, Unavailable};
use crate::database::{Admission, Urgency};
use crate::model::{Channel, NegocioId, Version};
use crate::publication::Publication;
use crate::refresh::eras::{Begun, Eras, Stand};
use crate::refresh::frame::frame;
use crate::refresh::queue::QueuedRead;
use crate::refresh::state::{Finished, RefreshState, Waiter};
use crate::refresh::told::Told;
use crate::store::{Counted, StoreError};

/// Where a read stands among those of others.
#[derive(Clone, Copy, Debug)]
enum Place {
    At { seq: u64, version: Option<Version>, begins_era: bool },
    Outdated,
}

/// What other nodes are still to be told of a read.
struct Telling {
    channel: Channel,
    said: String,
    /// The era that it begins.
    era: Option<u64>,
    finished: Finished,
}

impl Refresher {
    /// Reads what `channel` is of: itself, with others that wait for a connection, or by another runner that takes it
    /// along.
    pub(super) async fn read(self: &Arc<Self>, channel: &Channel, urgency: Urgency) {
        let may_share =
            self.with_state(channel, |state| state.may_share() && !state.is_to_verify()).unwrap_or_default();
        let mut over = self.queued.queue(channel.clone(), may_share);
        tokio::select! {
            biased;
            _ = &mut over => return,
            // Whatever is announced while this waits for a connection is still in time for this read.
            admission = self.database.admit(urgency) => match admission {
                Ok(admission) => {
                    let queued = self.queued.take(channel, self.database.most_at_once());
                    if !queued.is_empty() {
                        return self.read_together(admission, queued).await;
                    }
                }
                Err(failure) => if let [_own] = self.queued.take(channel, 1).as_slice() {
                    self.with_state(channel, |state| state.begin(Instant::now()));
                    return self.fail(channel, &failure);
                },
            },
        }
        // Another runner makes this read just now.
        let _ = over.await;
    }

    /// Makes the reads whose turn it is.
    async fn read_together(self: &Arc<Self>, admission: Admission<'_>, queued: Vec<QueuedRead>) {
        let begun = Instant::now();
        let begun_in = self.database.orders_reads().then(|| self.eras().begin());
        let mut channels = Vec::with_capacity(queued.len());
        let mut noticed = Vec::with_capacity(queued.len());
        let mut verifies = false;
        {
            let mut all = self.lock();
            for turn in &queued {
                if let Some(watched) = all.get_mut(&turn.channel) {
                    // Such a read is shared with nobody.
                    verifies = queued.len() == 1 && watched.state.is_to_verify();
                    noticed.push(watched.state.begin(begun));
                    channels.push(turn.channel.clone());
                }
            }
        }
        if channels.is_empty() {
            return;
        }
        let begun_for = self.begun_for(&channels);
        self.metrics.queries.inc_by(channels.len() as u64);
        let read_at = self.clock.now();
        let day = self.clock.day_of(read_at);
        let negocios: Vec<NegocioId> = channels.iter().filter_map(negocio_of).collect();
        let answer = match negocios.as_slice() {
            [negocio] if verifies => admission.verified_figures(negocio, day).await.map(|verified| vec![verified]),
            _ => admission.figures(&negocios, day).await,
        };
        drop(begun_for);
        match answer {
            Ok(counted) => {
                let took = begun.elapsed();
                let mut tellings = Vec::new();
                let each = took / u32::try_from(channels.len()).unwrap_or(u32::MAX);
                for ((channel, counted), noticed) in channels.iter().zip(counted).zip(noticed) {
                    self.metrics.query_seconds.observe(took.as_secs_f64());
                    let place = begun_in.map(|begun_in| self.place(begun_in, counted.order, read_at.as_microsecond()));
                    match place {
                        Some(Place::Outdated) => drop(self.with_state(channel, RefreshState::put_back)),
                        place => {
                            tellings.extend(self.succeed(
                                channel,
                                counted,
                                place,
                                (read_at.as_second(), day),
                                noticed,
                                each,
                            ));
                        }
                    }
                }
                join_all(tellings.into_iter().map(|telling| self.tell_others(telling))).await;
            }
            // Perhaps for one of them only.
            Err(StoreError::Refused(_) | StoreError::TimedOut(_)) if channels.len() > 1 => {
                debug!(together = channels.len(), "figures not read together; each is read alone");
                for channel in &channels {
                    self.with_state(channel, RefreshState::put_back);
                }
            }
            Err(failure) => channels.iter().for_each(|channel| self.fail(channel, &failure)),
        }
    }

    fn succeed(
        self: &Arc<Self>,
        channel: &Channel,
        Counted { figures, drifted, .. }: Counted,
        place: Option<Place>,
        (second, day): (i64, Date),
        noticed: Option<Instant>,
        took: Duration,
    ) -> Option<Telling> {
        let (seq, version, begins_era) = match place {
            Some(Place::At { seq, version, begins_era }) => (seq, version, begins_era),
            _ => (self.broker.next_version(), None, false),
        };
        let payload = frame(channel, &figures, second, seq);
        let reading = Publication::state(channel.clone(), seq, payload, noticed);
        // The same snapshot, read twice.
        let is_again = place.is_some() && self.with_state(channel, |state| state.seq()).flatten() == Some(seq);
        let reading = Arc::new(if is_again { reading.again() } else { reading });
        let finished = self
            .with_state(channel, |state| {
                let finished = state.succeed((reading, version), figures, day, Instant::now(), took);
                if drifted {
                    state.clear_drift();
                }
                finished
            })
            .flatten();
        let finished = finished?;
        if finished.corrected {
            self.metrics.trailing_corrections.inc();
        }
        if finished.publish {
            self.broker.tell(&finished.reading);
        }
        if begins_era {
            self.read_anew(seq);
        }
        if !self.broker.has_others() || !(finished.tell || begins_era) {
            answer_all(finished.waiters, &Ok(finished.reading));
            return None;
        }
        // Who cannot know whether it is newer reads for itself.
        let said = version.map(|version| Told { version, day, second, figures }.write()).unwrap_or_default();
        let era = version.filter(|_| begins_era).and_then(|version| u64::try_from(version.era()).ok());
        Some(Telling { channel: finished.reading.channel.clone(), said, era, finished })
    }

    /// Own screens have it already; whoever called is answered when the others have it too, or soon.
    async fn tell_others(&self, Telling { channel, said, era, finished }: Telling) {
        if let Some(era) = era {
            self.broker.raise(era).await;
        }
        self.broker.tell_state(&channel, said).await;
        answer_all(finished.waiters, &Ok(finished.reading));
    }

    fn fail(&self, channel: &Channel, failure: &StoreError) {
        self.note_failure(channel, failure);
        let waiters = self.with_state(channel, |state| state.fail(Instant::now())).unwrap_or_default();
        answer_all(waiters, &Err(Unavailable));
    }

    fn note_failure(&self, channel: &Channel, failure: &StoreError) {
        self.metrics.query_failures.inc();
        match failure {
            // Said once for all by the database's monitor.
            StoreError::Unreachable(_) => debug!(?channel, %failure, "figures not read"),
            StoreError::TimedOut(_) | StoreError::Refused(_) | StoreError::Data(_) | StoreError::Unsendable(_) => {
                warn!(?channel, %failure, "figures not read");
            }
        }
    }

    /// `order`: as the database told it, if it did. `now`: µs since the epoch.
    fn place(&self, begun: Begun, order: Option<u64>, now: i64) -> Place {
        let Some(order) = order else {
            let seq = self.eras().read_without_order(self.broker.next_version());
            return Place::At { seq, version: None, begins_era: false };
        };
        match self.eras().read(begun, order, u64::try_from(now).unwrap_or_default()) {
            Stand::At(version) => Place::At { seq: version.seq(), version: Some(version), begins_era: false },
            Stand::Begins(version) => Place::At { seq: version.seq(), version: Some(version), begins_era: true },
            Stand::Outdated => Place::Outdated,
        }
    }

    pub(super) fn eras(&self) -> MutexGuard<'_, Eras> {
        self.eras.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn negocio_of(channel: &Channel) -> Option<NegocioId> {
    match channel {
        Channel::Estadisticas(negocio) => Some(negocio.clone()),
        _ => None,
    }
}

pub(super) fn answer_all(waiters: Vec<Waiter>, answer: &Result<Reading, Unavailable>) {
    for waiter in waiters {
        // A caller that gave up is none of our business.
        let _ = waiter.send(answer.clone());
    }
}
