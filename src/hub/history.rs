//! The latest events of each channel, for clients that were away for a while.
//!
//! Bounded by number and age in each channel and by bytes in all. Must not know who missed what.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Gap;
use crate::channel::Channel;
use crate::publication::Publication;

/// Events kept of one channel.
pub const KEPT_EVENTS: usize = 256;
/// How long an event is kept.
pub const KEPT_FOR: Duration = Duration::from_mins(10);
/// Bytes of events kept in all; beyond them a channel that has news gives up its own oldest.
pub const KEPT_BYTES: usize = 64 * 1024 * 1024;
/// Channels whose last event is remembered; beyond them those that have nothing left are forgotten together.
const KNOWN_CHANNELS: usize = 100_000;

/// The position of a client, as it says it: the id of the last event it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// It has nothing and misses nothing.
    Now,
    After(u64),
    /// No id of ours: nobody knows what it has.
    Unknown,
}

impl Since {
    pub fn parse(text: &str) -> Self {
        match text {
            "" => Self::Now,
            // Only as we write it: no sign, no leading zero.
            text => match text.parse::<u64>() {
                Ok(id) if id.to_string() == text => Self::After(id),
                _ => Self::Unknown,
            },
        }
    }
}

#[derive(Debug)]
pub(super) struct History {
    channels: HashMap<Channel, Log>,
    last_id: u64,
    /// Of a channel that is not in the map, events up to here may have been forgotten.
    forgotten: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Log {
    events: VecDeque<(Instant, Arc<Publication>)>,
    /// Events up to here may have been forgotten.
    forgotten: u64,
}

impl History {
    pub(super) fn new(first_id: u64) -> Self {
        Self { channels: HashMap::new(), last_id: first_id, forgotten: first_id, bytes: 0 }
    }

    /// The id of the newest event.
    pub(super) fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Gives an event its id and keeps it.
    pub(super) fn keep(&mut self, event: impl FnOnce(u64) -> Publication) -> Arc<Publication> {
        self.last_id += 1;
        let event = Arc::new(event(self.last_id));
        let now = Instant::now();
        if self.channels.len() >= KNOWN_CHANNELS && !self.channels.contains_key(&event.channel) {
            self.forget_the_silent();
        }
        let forgotten = self.forgotten;
        let log = self.channels.entry(event.channel.clone()).or_insert_with(|| Log::new(forgotten));
        log.events.push_back((now, Arc::clone(&event)));
        self.bytes += size(&event);
        while log.events.len() > KEPT_EVENTS || (self.bytes > KEPT_BYTES && !log.events.is_empty()) {
            self.bytes -= log.forget_oldest();
        }
        event
    }

    /// What a client that has the events up to `since` missed of `channels`, in the order of the ids.
    pub(super) fn missed(&mut self, channels: &[Channel], since: Since) -> Result<Vec<Arc<Publication>>, Gap> {
        let since = match since {
            Since::Now => return Ok(Vec::new()),
            Since::After(id) if id <= self.last_id => id,
            Since::After(_) | Since::Unknown => return Err(Gap),
        };
        let now = Instant::now();
        let mut missed = Vec::new();
        for channel in channels {
            let Some(log) = self.channels.get_mut(channel) else {
                if since < self.forgotten {
                    return Err(Gap);
                }
                continue;
            };
            self.bytes -= log.forget_before(now);
            if since < log.forgotten {
                return Err(Gap);
            }
            missed.extend(log.events.iter().map(|(_, event)| event).filter(|event| event.version > since).cloned());
        }
        missed.sort_by_key(|event| event.version);
        Ok(missed)
    }

    /// Drops what is too old.
    pub(super) fn sweep(&mut self) {
        let now = Instant::now();
        for log in self.channels.values_mut() {
            self.bytes -= log.forget_before(now);
        }
    }

    fn forget_the_silent(&mut self) {
        self.sweep();
        self.channels.retain(|_, log| {
            if log.events.is_empty() {
                self.forgotten = self.forgotten.max(log.forgotten);
            }
            !log.events.is_empty()
        });
    }
}

impl Log {
    fn new(forgotten: u64) -> Self {
        Self { events: VecDeque::new(), forgotten }
    }

    /// Returns the bytes that came free.
    fn forget_oldest(&mut self) -> usize {
        let Some((_, event)) = self.events.pop_front() else { return 0 };
        self.forgotten = event.version;
        size(&event)
    }

    fn forget_before(&mut self, now: Instant) -> usize {
        let mut freed = 0;
        while self.events.front().is_some_and(|(since, _)| now.duration_since(*since) > KEPT_FOR) {
            freed += self.forget_oldest();
        }
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        freed
    }
}

fn size(event: &Publication) -> usize {
    size_of::<Publication>() + event.frame.bytes().len()
}

#[cfg(test)]
mod tests;
