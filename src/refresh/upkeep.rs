//! What happens to states by the clock: the day's end, the sentinel, the recovery after an outage, the sweep.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Refresher;
use crate::broker::Tidings;
use crate::database::State;

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
                    self.roll_over();
                    self.sweep();
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
