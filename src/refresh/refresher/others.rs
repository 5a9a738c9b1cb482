//! What other nodes have to do with states: they read for this one, and this one for them.
//!
//! A change is read where it is announced, and told; who watches elsewhere shows what was told if it is newer, and reads for
//! itself whatever it cannot compare. Must not know how nodes are told.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Reading, Refresher, Unavailable};
use crate::broker::Tidings;
use crate::model::Channel;
use crate::publication::Publication;
use crate::refresh::answer::Answer;
use crate::refresh::eras::Heard;
use crate::refresh::state::{Adopted, Fresh, Room, Unasked};
use crate::refresh::told::Told;

impl Refresher {
    /// A change was announced of a channel that nobody watches here: if somebody does elsewhere, it is read for them.
    pub(super) async fn notice_for_others(self: &Arc<Self>, channel: &Channel) -> Result<Option<Reading>, Unavailable> {
        if self.broker.ring_watchers(channel).await == 0 {
            return Ok(None);
        }
        let answer = {
            let mut kept = self.lock();
            let watched = kept.entry(channel);
            let (waiter, answer) = oneshot::channel();
            watched.state.on_notice(Some(waiter), Instant::now(), self.config.trailing_reread);
            watched.state.read_for_others(Instant::now() + self.config.trailing_reread);
            self.ensure_runner(channel, watched);
            answer
        };
        answer.await.map_or(Ok(None), |reading| reading.map(Some).map_err(|_| Unavailable))
    }

    /// A live query of a key that nobody watches here may have changed: if somebody watches elsewhere, it is read for them.
    pub(super) async fn hint_for_others(self: &Arc<Self>, channel: &Channel) {
        if self.broker.ring_watchers(channel).await == 0 {
            return;
        }
        let (now, trailing) = (Instant::now(), self.config.trailing_reread);
        let mut kept = self.lock();
        let watched = kept.entry(channel);
        watched.state.on_hint(now, Some(trailing));
        watched.state.read_for_others(now + trailing);
        self.ensure_runner(channel, watched);
    }

    /// Nobody watches here any more what was announced here: if somebody does elsewhere, it is read for them. False where nobody
    /// does.
    pub(super) async fn hand_on(self: &Arc<Self>, channel: &Channel) -> bool {
        let watching = self.broker.ring_watchers(channel).await;
        let now = Instant::now();
        let mut kept = self.lock();
        let Some(state) = kept.state_of(channel) else { return false };
        if watching > 0 {
            state.read_for_others(now + self.config.trailing_reread);
        } else if !self.is_watched(channel) {
            // Dropping the waiters tells them that nobody is left.
            drop(state.abandon(now));
            state.runner = None;
            return false;
        }
        true
    }

    /// What others say.
    pub(in crate::refresh) fn hear(self: &Arc<Self>, news: Tidings) {
        match news {
            Tidings::State { channel: channel @ (Channel::Estadisticas(_) | Channel::Consulta(_)), said } => {
                match Told::read(&channel, &said).filter(|told| self.is_of_ours(&channel, told)) {
                    Some(told) => self.hear_state(&channel, told),
                    None => self.read_for_itself(&channel),
                }
            }
            Tidings::Bell(channel @ (Channel::Estadisticas(_) | Channel::Consulta(_))) => self.hear_bell(&channel),
            Tidings::State { .. } | Tidings::Bell(_) => {}
            Tidings::Anything => self.recover(),
            Tidings::Raised(era) => {
                let now = self.now();
                if self.eras().hear_era(era, now) {
                    self.recover();
                }
            }
        }
    }

    /// Nodes may have different files while they are replaced: what another query says is nothing of ours.
    fn is_of_ours(&self, channel: &Channel, told: &Told) -> bool {
        let Channel::Consulta(_) = channel else { return true };
        let ours = self.query_of(channel).map(|query| query.fingerprint);
        ours.is_some() && ours == told.live.map(|live| live.fingerprint)
    }

    fn today(&self, channel: &Channel) -> Date {
        let now = self.clock.now();
        let query = self.query_of(channel);
        query.map_or_else(|| self.clock.day_of(now), |query| self.clock.day_in(&query.zone, now))
    }

    fn hear_state(self: &Arc<Self>, channel: &Channel, told: Told) {
        let heard = self.eras().hear(told.version, self.now());
        match heard {
            Heard::NewEra => self.read_anew(told.version.seq()),
            Heard::Current if told.day == self.today(channel) => self.adopt(channel, told),
            Heard::Current | Heard::Incomparable => self.read_for_itself(channel),
        }
    }

    fn adopt(self: &Arc<Self>, channel: &Channel, Told { version, day, second, answer, is_quiet, live }: Told) {
        let seq = version.seq();
        let payload = answer.frame(channel, second, seq);
        let room = match answer {
            Answer::Figures(_) => Room::Needless,
            Answer::Data(_) => self.results.take(payload.len()).map_or(Room::None, Room::Taken),
        };
        let reading = Publication::state(channel.clone(), seq, payload, None);
        let age = u64::try_from(self.clock.unix().saturating_sub(second)).unwrap_or_default();
        let begun = Instant::now().checked_sub(Duration::from_secs(age)).unwrap_or_else(Instant::now);
        let mark = answer.mark(&self.digests);
        let (reading, adopted) = {
            let mut kept = self.lock();
            let Some(watched) = kept.channels.get_mut(channel) else { return };
            if !self.is_watched(channel) {
                watched.state.forget(Instant::now());
                return;
            }
            // What changes by the clock changes though no transaction is completed.
            let is_later = live.is_some_and(|live| watched.is_before(live.read_at));
            let is_again = watched.state.seq() == Some(seq);
            let reading = Arc::new(if is_again { reading.again() } else { reading });
            let fresh =
                Fresh { reading: Arc::clone(&reading), room, version: Some(version), mark, day, seen: Vec::new() };
            let adopted = watched.state.adopt(fresh, is_quiet, begun, is_later);
            if adopted == Adopted::Incomparable {
                watched.state.on_unasked(Unasked::Told);
                self.ensure_runner(channel, watched);
            }
            (reading, adopted)
        };
        if matches!(adopted, Adopted::Newer | Adopted::Same)
            && let Some(live) = live
        {
            self.note_times_of_others(channel, live.read_at, live.next_change_at);
        }
        if matches!(adopted, Adopted::Newer | Adopted::Again) {
            self.metrics.broker.adopted.inc();
            self.broker.tell(&reading);
        }
    }

    /// Somebody else has announced a change, and says how things stand if it knows that they are watched here.
    fn hear_bell(self: &Arc<Self>, channel: &Channel) {
        let (now, trailing) = (Instant::now(), self.config.trailing_reread);
        let mut kept = self.lock();
        let watched = kept.entry(channel);
        if self.is_watched(channel) {
            watched.state.on_bell(now, trailing);
            self.ensure_runner(channel, watched);
        } else {
            watched.state.on_unwatched_notice(now, trailing);
        }
    }

    fn read_for_itself(self: &Arc<Self>, channel: &Channel) {
        if let Channel::Consulta(consulta) = channel
            && self.means_all_keys(channel)
        {
            return self.hint_all(consulta.query());
        }
        let mut kept = self.lock();
        let Some(watched) = kept.channels.get_mut(channel) else { return };
        if self.is_watched(channel) {
            watched.state.on_unasked(Unasked::Told);
            self.ensure_runner(channel, watched);
        } else {
            watched.state.forget(Instant::now());
        }
    }

    /// µs since the epoch.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_microsecond()).unwrap_or_default()
    }
}
