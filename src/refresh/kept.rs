//! All that is kept of the keys that are watched or have work outstanding, and when they are to be read by a clock.
//!
//! Must not know how anything is read.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::health::Health;
use super::state::RefreshState;
use super::wheel::Wheel;
use crate::model::{Channel, QueryName};

/// `next_change_at` of a key is followed no more often.
const LEAST_BETWEEN: SignedDuration = SignedDuration::from_millis(100);
/// When to look again at a result that says that it should have changed already.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// Below it a table is not made smaller, nor looked at in parts.
const FEW: usize = 1_024;
/// In how many parts all keys are looked at: whoever announces a change waits for one of them, not for all.
const PARTS: usize = 10;

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) channels: HashMap<Channel, Box<Watched>>,
    /// `next_change_at`, by the wall clock.
    pub(super) changes: Wheel<Timestamp>,
    /// `every`.
    pub(super) intervals: Wheel<Instant>,
    pub(super) health: Health,
    /// How each live query stood when that was last looked at: its fingerprint, and whether it could be read.
    pub(super) standing: HashMap<QueryName, (u64, bool)>,
    last_number: u64,
    /// How many keys have results that change by the clock.
    by_clock: usize,
    /// How many keys of this round were looked at.
    looked_at: usize,
    /// Keys that came since some were looked at last, and those of the time before: of most that nobody watches that is the end.
    young: [Vec<Channel>; 2],
}

/// One key.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) state: RefreshState,
    number: u64,
    change_at: Option<Timestamp>,
    interval_at: Option<Instant>,
    /// `$3` of the last read of a live query.
    read_at: Option<Timestamp>,
    /// A result has said when it changes.
    is_by_clock: bool,
}

impl Kept {
    pub(super) fn entry(&mut self, channel: &Channel) -> &mut Watched {
        if !self.channels.contains_key(channel) {
            self.last_number += 1;
            self.young[0].push(channel.clone());
        }
        let number = self.last_number;
        self.channels.entry(channel.clone()).or_insert_with(|| Box::new(Watched::new(number)))
    }

    pub(super) fn state_of(&mut self, channel: &Channel) -> Option<&mut RefreshState> {
        self.channels.get_mut(channel).map(|watched| &mut watched.state)
    }

    /// A result says that it changes at `next`; it is of `read_at`. True where who waits for the clock has to know.
    pub(super) fn changes_at(&mut self, channel: &Channel, read_at: Timestamp, next: Option<Timestamp>) -> bool {
        let Some(watched) = self.channels.get_mut(channel) else { return false };
        let after = |pause: SignedDuration| read_at.saturating_add(pause).unwrap_or(Timestamp::MAX);
        let at = next.map(|next| if next <= read_at { after(AGAIN_AFTER) } else { next.max(after(LEAST_BETWEEN)) });
        watched.read_at = Some(read_at);
        // Also once it does not say so any more: what was read for a later time may have passed all of them.
        if at.is_some() && !std::mem::replace(&mut watched.is_by_clock, true) {
            self.by_clock += 1;
        }
        let before = self.changes.first();
        self.changes.set(&mut watched.change_at, at, watched.number, channel);
        self.changes.first() != before
    }

    /// From now on it is read `every` so often; the first time at `first`. True where who waits has to know.
    pub(super) fn reads_every(&mut self, channel: &Channel, first: Option<Instant>) -> bool {
        let Some(watched) = self.channels.get_mut(channel) else { return false };
        if first.is_some() && watched.interval_at.is_some() {
            return false;
        }
        let before = self.intervals.first();
        self.intervals.set(&mut watched.interval_at, first, watched.number, channel);
        self.intervals.first() != before
    }

    /// The next key whose result changes by now.
    pub(super) fn take_change(&mut self, now: Timestamp) -> Option<(Timestamp, Channel)> {
        let (at, channel) = self.changes.take_due(now)?;
        if let Some(watched) = self.channels.get_mut(&channel) {
            watched.change_at = None;
        }
        Some((at, channel))
    }

    /// The next key that is to be read by now.
    pub(super) fn take_interval(&mut self, now: Instant) -> Option<(Instant, Channel)> {
        let (at, channel) = self.intervals.take_due(now)?;
        if let Some(watched) = self.channels.get_mut(&channel) {
            watched.interval_at = None;
        }
        Some((at, channel))
    }

    /// The wall clock went back to `now`: what was read for a later time.
    pub(super) fn read_after(&self, now: Timestamp) -> Vec<Channel> {
        let is_later = |watched: &Watched| watched.is_by_clock && watched.read_at.is_some_and(|read_at| read_at > now);
        self.channels.iter().filter(|(_, watched)| is_later(watched)).map(|(channel, _)| channel.clone()).collect()
    }

    /// Whether any result changes by the clock, so that it matters where that stands.
    pub(super) fn is_by_clock(&self) -> bool {
        self.by_clock > 0
    }

    /// Looks at the next part of all keys, and at the young ones, and keeps those that are to be kept.
    pub(super) fn retain_part(&mut self, mut is_kept: impl FnMut(&Channel, &mut Watched) -> bool) {
        let since_last = std::mem::take(&mut self.young[0]);
        for channel in std::mem::replace(&mut self.young[1], since_last) {
            if self.channels.get_mut(&channel).is_some_and(|watched| !is_kept(&channel, watched)) {
                self.remove(&channel);
            }
        }
        let most = self.channels.len().div_ceil(PARTS).max(FEW);
        let mut gone = Vec::new();
        for (channel, watched) in self.channels.iter_mut().skip(self.looked_at).take(most) {
            self.looked_at += 1;
            if !is_kept(channel, watched) {
                gone.push(channel.clone());
            }
        }
        // What is behind them moves up.
        self.looked_at -= gone.len();
        for channel in gone {
            self.remove(&channel);
        }
        let is_too_large = self.channels.capacity() > FEW && self.channels.capacity() / 8 > self.channels.len();
        if is_too_large {
            self.channels.shrink_to(self.channels.len() * 2);
        }
        if is_too_large || self.looked_at >= self.channels.len() {
            self.looked_at = 0;
        }
    }

    fn remove(&mut self, channel: &Channel) {
        let Some(mut watched) = self.channels.remove(channel) else { return };
        self.by_clock -= usize::from(watched.is_by_clock);
        self.changes.set(&mut watched.change_at, None, watched.number, channel);
        self.intervals.set(&mut watched.interval_at, None, watched.number, channel);
    }
}

impl Watched {
    fn new(number: u64) -> Self {
        let state = RefreshState::default();
        let (change_at, interval_at, read_at) = (None, None, None);
        Self { state, number, change_at, interval_at, read_at, is_by_clock: false }
    }

    /// Whether what is shown was read for an earlier time than this.
    pub(super) fn is_before(&self, read_at: Timestamp) -> bool {
        self.read_at.is_none_or(|ours| ours < read_at)
    }
}

/// When something that is read `every` so often was first read, it is read next after a part of that: whatever began together
/// is spread.
pub(super) fn spread(every: Duration) -> Duration {
    every.mul_f64(1.0 - rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Consulta, NegocioId};

    fn at(second: &str) -> Timestamp {
        format!("2026-03-01T12:00:{second}Z").parse().unwrap()
    }

    fn key() -> Channel {
        Channel::Consulta(Consulta::new(QueryName::parse("cocina").unwrap(), Some("r-1")))
    }

    #[test]
    fn a_result_is_read_when_it_says_that_it_changes_and_not_too_often() {
        let (mut kept, key) = (Kept::default(), key());
        kept.entry(&key);
        for (next, due) in [
            (Some(at("30")), Some(at("30"))),
            (Some(at("10.001")), Some(at("10.100"))),
            (Some(at("10")), Some(at("11"))),
            (Some(at("05")), Some(at("11"))),
            (None, None),
        ] {
            kept.changes_at(&key, at("10"), next);
            assert_eq!(kept.changes.first(), due, "{next:?}");
        }
        kept.changes_at(&key, at("10"), Some(at("20")));
        assert_eq!(kept.take_change(at("19.999999")), None);
        assert_eq!(kept.take_change(at("20")), Some((at("20"), key)));
    }

    #[test]
    fn what_is_not_kept_any_more_has_no_time() {
        let (mut kept, key) = (Kept::default(), key());
        kept.entry(&key);
        kept.changes_at(&key, at("10"), Some(at("20")));
        kept.reads_every(&key, Some(Instant::now()));
        kept.retain_part(|_, _| false);
        assert_eq!((kept.changes.first(), kept.intervals.first(), kept.is_by_clock()), (None, None, false));
    }

    #[test]
    fn a_key_at_rest_takes_few_bytes() {
        // The allocator's next larger room has 448.
        assert!(size_of::<Watched>() <= 384, "{}", size_of::<Watched>());
    }

    #[test]
    fn many_keys_are_looked_at_in_parts_and_each_once_a_round() {
        let mut kept = Kept::default();
        let key = |number: usize| Channel::Estadisticas(NegocioId::new(&number.to_string()));
        let count = FEW * PARTS + 1;
        for number in 0..count {
            kept.entry(&key(number));
        }
        (0..PARTS).for_each(|_| kept.retain_part(|_, _| true));
        let mut seen = HashMap::new();
        for _ in 0..PARTS {
            let before: usize = seen.values().sum();
            kept.retain_part(|channel, _| {
                *seen.entry(channel.clone()).or_insert(0) += 1;
                *channel != key(5)
            });
            assert!(seen.values().sum::<usize>() - before <= FEW + 1);
        }
        assert!(seen.len() == count && seen.values().all(|times| *times == 1), "{} of {count}", seen.len());
        assert_eq!(kept.channels.len(), count - 1);
    }

    #[test]
    fn young_keys_are_looked_at_all_together_before_they_are_old() {
        let mut kept = Kept::default();
        let key = |number: usize| Channel::Estadisticas(NegocioId::new(&number.to_string()));
        for number in 0..FEW * PARTS * 2 {
            kept.entry(&key(number));
        }
        kept.retain_part(|_, _| true);
        kept.retain_part(|_, _| false);
        assert!(kept.channels.is_empty() && kept.channels.capacity() <= FEW);
    }

    #[test]
    fn a_clock_that_went_back_is_noticed_where_time_matters() {
        let (mut kept, key) = (Kept::default(), key());
        kept.entry(&key);
        kept.changes_at(&key, at("10"), None);
        assert!(kept.read_after(at("05")).is_empty(), "it does not change with the time");
        kept.changes_at(&key, at("10"), Some(at("20")));
        assert!(kept.read_after(at("10")).is_empty());
        assert_eq!(kept.read_after(at("05")), std::slice::from_ref(&key));
        kept.changes_at(&key, at("30"), None);
        assert_eq!(kept.read_after(at("15")), [key], "all of its times have passed, and are to come again");
    }
}
