//! What is read because time has passed: a result that changes by itself (`next_change_at`), one that is read `every` so often,
//! and the sentinel's sample of each query.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use tokio::time::{Instant, sleep_until};

use super::live::Turn;
use super::{Refresher, is_of};
use crate::model::{Channel, QueryName};
use crate::queries::Standing;
use crate::refresh::kept::{Kept, spread};
use crate::refresh::state::{RefreshState, Unasked};
use crate::telemetry::metrics::QueryLabel;

/// How often the wall clock is looked at where a result changes by it: it may be set, and timers stand still while a machine
/// sleeps.
const LOOK: Duration = Duration::from_secs(1);
/// So many milliseconds after the node that read last the others do by the same clock.
const BEHIND: Range<i64> = 20..100;

impl Refresher {
    /// Reads what is to be read by a clock, for as long as it is polled.
    pub(in crate::refresh) async fn follow_clocks(self: &Arc<Self>) {
        let mut last = self.clock.now();
        loop {
            let now = self.clock.now();
            if now < last {
                self.went_back(now);
            }
            last = now;
            self.read_what_is_due(now);
            let next = self.next_look();
            tokio::select! {
                () = self.earlier.notified() => {}
                () = async {
                    match next {
                        Some(at) => sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }

    fn next_look(&self) -> Option<Instant> {
        let kept = self.lock();
        let now = Instant::now();
        let until = |at: Timestamp| {
            let left = at.duration_since(self.clock.now());
            // Timers are as fine as a millisecond: what is a little early looks once more.
            Duration::try_from(left).unwrap_or_default().clamp(Duration::from_millis(1), LOOK)
        };
        let change = kept.changes.first().map(|at| now + until(at));
        // A clock that goes back is to be noticed also where no result says any more when it changes.
        let look = kept.is_by_clock().then(|| now + LOOK);
        [change, kept.intervals.first(), look].into_iter().flatten().min()
    }

    fn read_what_is_due(self: &Arc<Self>, now: Timestamp) {
        let mut kept = self.lock();
        while let Some((at, channel)) = kept.take_change(now) {
            self.read_by_clock(&mut kept, &channel, |state| state.on_clock(at));
        }
        let now = Instant::now();
        while let Some((at, channel)) = kept.take_interval(now) {
            if !self.read_by_clock(&mut kept, &channel, |state| state.on_unasked(Unasked::Interval)) {
                continue;
            }
            let every = self.query_of(&channel).and_then(|query| query.every);
            if let Some(every) = every {
                // One that was due while the machine slept is due once.
                let next = (at + every).max(now + every / 2);
                kept.reads_every(&channel, Some(next));
            }
        }
    }

    /// Whether it is read: somebody watches.
    fn read_by_clock(
        self: &Arc<Self>,
        kept: &mut Kept,
        channel: &Channel,
        ask: impl FnOnce(&mut RefreshState),
    ) -> bool {
        let Some(watched) = kept.channels.get_mut(channel) else { return false };
        if !self.is_watched(channel) {
            return false;
        }
        ask(&mut watched.state);
        self.ensure_runner(channel, watched);
        true
    }

    /// The wall clock went back: what was read for a later time is read again.
    fn went_back(self: &Arc<Self>, now: Timestamp) {
        let mut kept = self.lock();
        for channel in kept.read_after(now) {
            self.read_by_clock(&mut kept, &channel, |state| state.on_unasked(Unasked::Clock));
        }
    }

    /// What a read says of when the next one is.
    pub(super) fn note_times(&self, kept: &mut Kept, turn: &Turn, next_change_at: Option<Timestamp>) {
        let Some(query) = &turn.query else { return };
        let mut is_earlier = kept.changes_at(&turn.channel, turn.read_at, next_change_at);
        if let Some(every) = query.every {
            is_earlier |= kept.reads_every(&turn.channel, Some(Instant::now() + spread(every)));
        }
        if is_earlier {
            self.earlier.notify_one();
        }
    }

    /// Another node has read a result that changes at `next`. What is read by a clock that one reads again, and this one only
    /// where nothing comes of that: it is told before its own time, which is a little later.
    pub(super) fn note_times_of_others(&self, channel: &Channel, read_at: Timestamp, next: Option<Timestamp>) {
        let later = rand::rng().random_range(BEHIND);
        let next = next.and_then(|next| next.checked_add(SignedDuration::from_millis(later)).ok());
        let every = self.query_of(channel).and_then(|query| query.every);
        let mut kept = self.lock();
        let mut is_earlier = kept.changes_at(channel, read_at, next);
        if let Some(every) = every {
            kept.reads_every(channel, None);
            let behind = Duration::from_millis(later.unsigned_abs());
            is_earlier |= kept.reads_every(channel, Some(Instant::now() + every + behind));
        }
        drop(kept);
        if is_earlier {
            self.earlier.notify_one();
        }
    }

    /// Reads a few watched keys of each query unasked; those that are read `every` so often need no such look.
    pub(in crate::refresh) fn sample(self: &Arc<Self>) {
        let mut chosen: HashMap<Option<QueryName>, (usize, Vec<Channel>)> = HashMap::new();
        let most = self.config.sentinel_sample;
        let mut kept = self.lock();
        for channel in kept.channels.keys() {
            let query = match channel {
                Channel::Consulta(consulta) => Some(consulta.query().clone()),
                _ => None,
            };
            let (seen, some) = chosen.entry(query).or_default();
            *seen += 1;
            if some.len() < most {
                some.push(channel.clone());
            } else if let Some(place) = some.get_mut(rand::rng().random_range(0..*seen)) {
                *place = channel.clone();
            }
        }
        chosen.retain(|query, _| query.as_ref().is_none_or(|query| self.is_watched_over(query)));
        for channel in chosen.into_values().flat_map(|(_, some)| some) {
            if let Some(watched) = kept.channels.get_mut(&channel) {
                watched.state.on_unasked(Unasked::Sentinel);
                self.ensure_runner(&channel, watched);
            }
        }
    }

    fn is_watched_over(&self, query: &QueryName) -> bool {
        self.queries.find(query).is_some_and(|live| live.query.every.is_none())
    }

    /// Queries were defined anew, or stand otherwise with the database: those are read again.
    pub(in crate::refresh) fn on_changes(self: &Arc<Self>) {
        let (mut defined_anew, mut stand_otherwise) = (Vec::new(), Vec::new());
        {
            let mut kept = self.lock();
            let mut before = std::mem::take(&mut kept.standing);
            for live in self.queries.all() {
                let name = live.query.name.clone();
                let stands = (live.query.fingerprint, matches!(live.standing, Standing::On(_)));
                match before.remove(&name) {
                    Some(before) if before == stands => {}
                    Some((fingerprint, _)) if fingerprint == stands.0 => stand_otherwise.push(name.clone()),
                    Some(_) => {
                        self.metrics.live.begin(&name);
                        defined_anew.push(name.clone());
                    }
                    // It may have been read since it is there: that is what it says.
                    None => self.metrics.live.begin(&name),
                }
                let is_off = self.metrics.live.off.get_or_create(&QueryLabel::of(&name));
                is_off.set(live.off().is_some().into());
                kept.standing.insert(name, stands);
            }
            for gone in before.into_keys() {
                self.metrics.live.off.remove(&QueryLabel::of(&gone));
                defined_anew.push(gone);
            }
        }
        for query in defined_anew {
            self.forget(&query);
        }
        for query in stand_otherwise {
            self.lock().health.forget(&query);
            self.read_again(|channel| is_of(channel, &query));
        }
    }

    /// A query means something else by now, or nothing: what was read of it is worth nothing.
    pub fn forget(self: &Arc<Self>, query: &QueryName) {
        {
            let mut kept = self.lock();
            kept.health.forget(query);
            let keys: Vec<Channel> = kept.channels.keys().filter(|channel| is_of(channel, query)).cloned().collect();
            for channel in keys {
                kept.reads_every(&channel, None);
                if let Some(state) = kept.state_of(&channel) {
                    state.set_aside_for_good();
                }
            }
        }
        self.read_again(|channel| is_of(channel, query));
    }
}
