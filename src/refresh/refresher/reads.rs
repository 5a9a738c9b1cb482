//! The reads themselves: whose turn it is, with whom each is made together, and what becomes of its answer.
//!
//! Must not know why anything is read.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::debug;

use super::live::{Said, Trouble, Turn, ask};
use super::{Refresher, Unread, answer_all};
use crate::database::{Admission, Urgency};
use crate::model::{Channel, Version};
use crate::publication::{Payload, Publication};
use crate::queries::LiveQuery;
use crate::refresh::answer::{Answer, failed};
use crate::refresh::eras::{Begun, Eras, Stand};
use crate::refresh::queue::QueuedRead;
use crate::refresh::state::{Finished, Fresh, Room, Tell};
use crate::refresh::told::{Told, ToldLive};
use crate::store::StoreError;

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
    /// Reads what `channel` is of: itself, with others that wait for a connection, or by another runner that takes it along.
    pub(super) async fn read(self: &Arc<Self>, channel: &Channel, urgency: Urgency) {
        if let Some(trouble) = self.barred(channel) {
            return self.begin_and_fail(channel, trouble);
        }
        let may_share =
            self.with_state(channel, |state| state.may_share() && !state.is_to_verify()).unwrap_or_default();
        let mut over = self.queued.queue(channel.clone(), may_share);
        tokio::select! {
            biased;
            _ = &mut over => return,
            // Whatever is announced while this waits for a connection is still in time for this read.
            admission = self.admit(channel, urgency) => match admission {
                Ok(admission) => {
                    let queued = self.queued.take(channel, self.most_at_once(channel));
                    if !queued.is_empty() {
                        return self.read_together(admission, queued).await;
                    }
                }
                Err(failure) => if let [_own] = self.queued.take(channel, 1).as_slice() {
                    self.note_failure(channel, &failure);
                    return self.begin_and_fail(channel, Trouble::of(channel, &failure));
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
        let turns = self.begin_all(&queued, begun);
        if turns.is_empty() {
            return;
        }
        let begun_for = self.begun_for(&turns);
        let answer = ask(admission, &turns).await;
        drop(begun_for);
        let took = begun.elapsed();
        match answer {
            Ok(answers) => {
                let together = turns.len();
                let each = took / u32::try_from(together).unwrap_or(u32::MAX);
                let tellings: Vec<Telling> = turns
                    .into_iter()
                    .zip(answers)
                    .filter_map(|(mut turn, answer)| {
                        turn.told(took, together, answer.is_err());
                        match answer {
                            Ok(said) => self.succeed(turn, said, begun_in, (took, each)),
                            Err(failure) => {
                                self.fail(&turn.channel, &failure);
                                None
                            }
                        }
                    })
                    .collect();
                join_all(tellings.into_iter().map(|telling| self.tell_others(telling))).await;
            }
            // Perhaps for one of them only.
            Err(StoreError::Refused(_) | StoreError::TimedOut(_)) if turns.len() > 1 => {
                debug!(together = turns.len(), "not read together; each is read alone");
                for turn in &turns {
                    self.put_back(&turn.channel);
                }
            }
            Err(failure) => {
                let together = turns.len();
                for mut turn in turns {
                    turn.told(took, together, true);
                    self.fail(&turn.channel, &failure);
                }
            }
        }
    }

    /// Begins those that can be read; the others wait for that.
    fn begin_all(&self, queued: &[QueuedRead], begun: Instant) -> Vec<Turn> {
        let now = self.clock.now();
        let mut turns = Vec::with_capacity(queued.len());
        let mut unreadable = Vec::new();
        {
            let mut kept = self.lock();
            for QueuedRead { channel, .. } in queued {
                let query = self.query_of(channel);
                let Some(state) = kept.state_of(channel) else { continue };
                if query.is_none() && matches!(channel, Channel::Consulta(_)) {
                    unreadable.push(channel);
                    continue;
                }
                let beginning = state.begin(begun, query.as_ref().map_or(Duration::ZERO, |query| query.min_gap));
                // Also where the clock has gone back since.
                let read_at = beginning.clock_floor.map_or(now, |floor| floor.max(now));
                let zone = query.as_ref().map(|query| &query.zone);
                let day = zone.map_or_else(|| self.clock.day_of(read_at), |zone| self.clock.day_in(zone, read_at));
                turns.push(Turn { channel: channel.clone(), beginning, query, read_at, day });
            }
        }
        for channel in unreadable {
            self.begin_and_fail(channel, Trouble::Away);
        }
        self.count_begun(&turns);
        turns
    }

    fn succeed(
        self: &Arc<Self>,
        turn: Turn,
        said: Said,
        begun_in: Option<Begun>,
        (took, each): (Duration, Duration),
    ) -> Option<Telling> {
        let channel = &turn.channel;
        self.count_read(&turn, &said, took);
        let is_of_now = |query: &Arc<_>| self.query_of(channel).is_some_and(|now| Arc::ptr_eq(&now, query));
        if !turn.query.as_ref().is_none_or(is_of_now) {
            // It means something else by now.
            self.put_back(channel);
            return None;
        }
        let place = begun_in.map(|begun_in| self.place(begun_in, said.order, turn.read_at.as_microsecond()));
        let (seq, version, begins_era) = match place {
            Some(Place::Outdated) => {
                self.put_back(channel);
                return None;
            }
            Some(Place::At { seq, version, begins_era }) => (seq, version, begins_era),
            None => (self.broker.next_version(), None, false),
        };
        let Said { answer, drifted, next_change_at, seen, .. } = said;
        let second = turn.read_at.as_second();
        let encode = || Payload::from(answer.frame(channel, second, seq));
        let payload = match &turn.beginning.followed {
            None => encode(),
            Some(place) => place.encode("frame", encode),
        };
        let room = match answer {
            Answer::Figures(_) => Room::Needless,
            Answer::Data(_) => self.results.take(payload.len()).map_or(Room::None, Room::Taken),
        };
        let reading = Publication::state(channel.clone(), seq, payload, turn.beginning.noticed);
        let reading = reading.below(turn.beginning.followed.clone());
        let mark = answer.mark(&self.digests);
        let finished = {
            let mut kept = self.lock();
            let state = kept.state_of(channel)?;
            // The same snapshot, read twice.
            let is_again = place.is_some() && state.seq() == Some(seq);
            let reading = Arc::new(if is_again { reading.again() } else { reading });
            let fresh = Fresh { reading, room, version, mark, day: turn.day, seen };
            let finished = state.succeed(fresh, Instant::now(), each)?;
            if drifted {
                state.clear_drift();
            }
            self.note_times(&mut kept, &turn, next_change_at);
            finished
        };
        self.note_success(channel);
        self.count_finished(channel, &finished);
        if finished.publish {
            self.broker.tell(&finished.reading);
        }
        answer_all(finished.too_old, &Err(Unread::TooOld));
        let finished = Finished { too_old: Vec::new(), ..finished };
        if begins_era {
            self.read_anew(seq);
        }
        let tell = match finished.tell {
            Tell::Nobody => begins_era,
            // Who cannot compare would read it, too.
            Tell::Time => begins_era || version.is_some(),
            Tell::News | Tell::Asked => true,
        };
        if !self.broker.has_others() || !tell {
            answer_all(finished.waiters, &Ok(finished.reading));
            return None;
        }
        let told =
            |query: &Arc<LiveQuery>| ToldLive { fingerprint: query.fingerprint, read_at: turn.read_at, next_change_at };
        let live = turn.query.as_ref().map(told);
        let is_quiet = finished.tell != Tell::Asked;
        // Who cannot know whether it is newer reads for itself.
        let said = version.map(|version| Told { version, day: turn.day, second, answer, is_quiet, live }.write());
        let era = version.filter(|_| begins_era).and_then(|version| u64::try_from(version.era()).ok());
        Some(Telling { channel: turn.channel, said: said.unwrap_or_default(), era, finished })
    }

    /// Own screens have it already; whoever called is answered when the others have it too, or soon.
    async fn tell_others(&self, Telling { channel, said, era, finished }: Telling) {
        if let Some(era) = era {
            self.broker.raise(era).await;
        }
        self.broker.tell_state(&channel, said).await;
        answer_all(finished.waiters, &Ok(finished.reading));
    }

    fn put_back(&self, channel: &Channel) {
        let mut kept = self.lock();
        if let Some(state) = kept.state_of(channel) {
            state.put_back(Instant::now());
        }
        if let Channel::Consulta(consulta) = channel {
            kept.health.on_nothing(consulta.query(), channel);
        }
    }

    fn fail(&self, channel: &Channel, failure: &StoreError) {
        self.note_failure(channel, failure);
        let trouble = Trouble::of(channel, failure);
        if let Channel::Consulta(consulta) = channel {
            let mut kept = self.lock();
            match failure {
                // The query works, and what it says of this key cannot be sent.
                StoreError::Unsendable(_) | StoreError::Data(_) => kept.health.on_answer(consulta.query(), channel),
                StoreError::Unreachable(_) => kept.health.on_nothing(consulta.query(), channel),
                StoreError::Refused(_) | StoreError::TimedOut(_) => {
                    kept.health.on_failure(consulta.query(), channel, Instant::now());
                }
            }
            drop(kept);
            if matches!(failure, StoreError::Refused(_)) {
                self.queries.doubt(consulta.query());
            }
        }
        self.give_up(channel, trouble);
    }

    fn begin_and_fail(&self, channel: &Channel, trouble: Trouble) {
        self.with_state(channel, |state| state.begin(Instant::now(), Duration::ZERO));
        self.give_up(channel, trouble);
    }

    /// A read that has begun came to nothing. What fails by itself, its watchers are told once.
    pub(super) fn give_up(&self, channel: &Channel, trouble: Trouble) {
        let code = trouble.code();
        let frame = |seq, payload: Payload| {
            let state = Publication::state(channel.clone(), seq, payload, None);
            code.into_iter().fold(state, Publication::of_failure)
        };
        let told = code.map(|_| Arc::new(frame(self.seq_of_failure(), failed(channel).into())));
        let mut kept = self.lock();
        let Some(state) = kept.state_of(channel) else { return };
        let before = state.seq();
        let failed = state.fail(told, Instant::now());
        drop(kept);
        if let Some(told) = failed.publish {
            // Whoever has a result of this very version is told as well.
            let is_again = before == Some(told.version);
            let again = || Arc::new(frame(told.version, told.payload.clone()).again());
            self.broker.tell(&if is_again { again() } else { Arc::clone(&told) });
        }
        let unread = failed.told.filter(|_| code.is_some()).map_or(Unread::Away, Unread::Failed);
        answer_all(failed.waiters, &Err(unread));
    }

    /// Above all that any screen has of it, and not above what is read next.
    fn seq_of_failure(&self) -> u64 {
        if !self.database.orders_reads() {
            return self.broker.next_version();
        }
        let mut eras = self.eras();
        eras.highest().unwrap_or_else(|| eras.read_without_order(self.broker.next_version()))
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
