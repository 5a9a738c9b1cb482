//! What other nodes have to do with the figures: they read for this one, and this one for them.
//!
//! A change is read where it is announced, and told; who watches elsewhere shows what was told if it is newer, and reads for
//! itself whatever it cannot compare. Must not know how nodes are told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Reading, Refresher, Unavailable};
use crate::broker::Tidings;
use crate::model::Channel;
use crate::publication::Publication;
use crate::refresh::eras::Heard;
use crate::refresh::frame::frame;
use crate::refresh::state::{Adopted, Unasked};
use crate::refresh::told::Told;

impl Refresher {
    /// A change was announced of a business that nobody watches here: if somebody does elsewhere, it is read for them.
    pub(super) async fn notice_for_others(self: &Arc<Self>, channel: &Channel) -> Result<Option<Reading>, Unavailable> {
        if self.broker.ring_watchers(channel).await == 0 {
            return Ok(None);
        }
        let answer = {
            let mut channels = self.lock();
            let watched = channels.entry(channel.clone()).or_default();
            let (waiter, answer) = oneshot::channel();
            watched.state.on_notice(waiter, Instant::now(), self.config.trailing_reread);
            watched.state.read_for_others(Instant::now() + self.config.trailing_reread);
            self.ensure_runner(channel, watched);
            answer
        };
        answer.await.map_or(Ok(None), |reading| reading.map(Some))
    }

    /// What others say.
    pub(in crate::refresh) fn hear(self: &Arc<Self>, news: Tidings) {
        match news {
            Tidings::State { channel: channel @ Channel::Estadisticas(_), said } => match Told::read(&said) {
                Some(told) => self.hear_figures(&channel, &told),
                None => self.read_for_itself(&channel),
            },
            Tidings::Bell(channel @ Channel::Estadisticas(_)) => self.hear_bell(&channel),
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

    fn hear_figures(self: &Arc<Self>, channel: &Channel, told: &Told) {
        let heard = self.eras().hear(told.version, self.now());
        let today = self.clock.day_of(self.clock.now());
        match heard {
            Heard::NewEra => self.read_anew(told.version.seq()),
            Heard::Current if told.day == today => self.adopt(channel, told),
            Heard::Current | Heard::Incomparable => self.read_for_itself(channel),
        }
    }

    fn adopt(self: &Arc<Self>, channel: &Channel, told: &Told) {
        let seq = told.version.seq();
        let payload = frame(channel, &told.figures, told.second, seq);
        let reading = Arc::new(Publication::state(channel.clone(), seq, payload, None));
        let age = u64::try_from(self.clock.unix().saturating_sub(told.second)).unwrap_or_default();
        let begun = Instant::now().checked_sub(Duration::from_secs(age)).unwrap_or_else(Instant::now);
        let adopted = {
            let mut channels = self.lock();
            let Some(watched) = channels.get_mut(channel) else { return };
            if !self.is_watched(channel) {
                watched.state.forget();
                return;
            }
            let adopted = watched.state.adopt(Arc::clone(&reading), told, begun);
            if adopted == Adopted::Incomparable {
                watched.state.on_unasked(Unasked::Told);
                self.ensure_runner(channel, watched);
            }
            adopted
        };
        if adopted == Adopted::Newer {
            self.metrics.broker.adopted.inc();
            self.broker.tell(&reading);
        }
    }

    /// Somebody else has announced a change, and says how things stand if it knows that they are watched here.
    fn hear_bell(self: &Arc<Self>, channel: &Channel) {
        let (now, trailing) = (Instant::now(), self.config.trailing_reread);
        let mut channels = self.lock();
        let watched = channels.entry(channel.clone()).or_default();
        if self.is_watched(channel) {
            watched.state.on_bell(now, trailing);
            self.ensure_runner(channel, watched);
        } else {
            watched.state.on_unwatched_notice(now, trailing);
        }
    }

    fn read_for_itself(self: &Arc<Self>, channel: &Channel) {
        let mut channels = self.lock();
        let Some(watched) = channels.get_mut(channel) else { return };
        if self.is_watched(channel) {
            watched.state.on_unasked(Unasked::Told);
            self.ensure_runner(channel, watched);
        } else {
            watched.state.forget();
        }
    }

    /// µs since the epoch.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_microsecond()).unwrap_or_default()
    }
}
