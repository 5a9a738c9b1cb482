//! What happens to states by the clock: the day's end, the sentinel, the recovery after an outage, the sweep.

use std::collections::HashMap;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::refresher::{Refresher, Unread, answer_all};
use super::state::Unasked;
use crate::broker::Tidings;
use crate::database::State;
use crate::model::Channel;

/// How often the wall clock is looked at. Timers stand still while a machine sleeps, and a day may be 23 hours long:
/// looking is right where computing the next midnight is not.
const TICK: Duration = Duration::from_secs(1);

impl Refresher {
    /// Keeps states by the clock until stopped.
    pub async fn keep_up(self: Arc<Self>, mut database: watch::Receiver<State>, stop: CancellationToken) {
        let mut news = self.broker.news();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut contacts = database.borrow().contacts;
        let mut sample_at = Instant::now() + self.config.sentinel_interval;
        let mut definitions = self.queries.changes();
        let mut clocks = pin!(self.follow_clocks());
        self.on_changes();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut clocks => {}
                _ = ticks.tick() => {
                    self.look_round();
                    if !self.config.sentinel_interval.is_zero() && sample_at <= Instant::now() {
                        sample_at += self.config.sentinel_interval;
                        self.sample();
                    }
                }
                told = next(&mut news) => self.hear(told),
                Ok(()) = definitions.changed() => {
                    definitions.borrow_and_update();
                    self.on_changes();
                }
                changed = database.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = database.borrow_and_update().contacts;
                    if now != contacts {
                        contacts = now;
                        self.recover();
                    }
                }
            }
        }
    }

    /// Looks at the next keys: reads again what was read on another day than today, reports drift, and forgets what nobody
    /// watches.
    fn look_round(self: &Arc<Self>) {
        let (now, time) = (Instant::now(), self.clock.now());
        let today = self.clock.day_of(time);
        // Of each query: its zone is another.
        let mut days = HashMap::new();
        self.lock().retain_part(|channel, watched| {
            let today = match channel {
                Channel::Consulta(consulta) => *days.entry(consulta.query().clone()).or_insert_with(|| {
                    let live = self.queries.find(consulta.query());
                    live.map_or(today, |live| self.clock.day_in(&live.query.zone, time))
                }),
                _ => today,
            };
            if watched.state.day().is_some_and(|read| read != today) {
                watched.state.on_unasked(Unasked::Rollover);
                self.ensure_runner(channel, watched);
            }
            let is_watched = self.is_watched(channel);
            if watched.state.was_made_known() && !is_watched {
                // Its runner tells the others, between any two other things that it does.
                self.ensure_runner(channel, watched);
            }
            if watched.state.take_drift(now) {
                self.count_drift(channel);
            }
            answer_all(watched.state.take_expired(now), &Err(Unread::Away));
            is_watched || !watched.state.is_spent(now)
        });
    }
}

/// What other nodes tell; nothing, for ever, on a node that is alone.
async fn next(news: &mut Option<mpsc::Receiver<Tidings>>) -> Tidings {
    match news.as_mut() {
        Some(news) => match news.recv().await {
            Some(told) => told,
            None => pending().await,
        },
        None => pending().await,
    }
}
