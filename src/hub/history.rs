//! The latest events of each channel, for clients that were away for a while.
//!
//! Bounded by number and age in each channel and by bytes in all. Must not know who missed what.

mod doubt;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::Gap;
use crate::model::Channel;
use crate::publication::{Payload, Publication};

use doubt::Doubts;

/// Events kept of one channel.
pub const KEPT_EVENTS: usize = 256;
/// How long an event is kept.
pub const KEPT_FOR: Duration = Duration::from_mins(10);
/// Bytes of memory for events kept in all; beyond them a channel that has news gives up its own oldest.
pub const KEPT_BYTES: usize = 64 * 1024 * 1024;
/// What an allocator adds to a piece of memory, at most.
const ALLOCATION: usize = 16;
/// What an event takes beside its payload and its place in the log: the publication, whose room stays when what was made
/// of it has gone, and what counts the owners of both.
const BESIDE_AN_EVENT: usize = size_of::<Publication>() + 4 * size_of::<usize>() + 2 * ALLOCATION;
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
    /// By how much a position may be newer than [`Self::last_id`] and still be one: its client has read elsewhere what is
    /// on its way here.
    ahead: u64,
    doubts: Doubts,
}

#[derive(Debug)]
struct Log {
    events: VecDeque<Kept>,
    /// Bytes of their payloads.
    payloads: usize,
    /// Bytes of the channel's name.
    name: usize,
    /// Events up to here may have been forgotten.
    forgotten: u64,
}

/// An event as it is kept: what was made of it for those it was sent to goes when the last of them has it.
#[derive(Debug)]
struct Kept {
    at: Instant,
    id: u64,
    sent: u64,
    event: &'static str,
    payload: Payload,
    /// The publication, for as long as somebody is to be sent it.
    publication: Weak<Publication>,
}

impl History {
    pub(super) fn new(first_id: u64) -> Self {
        let (channels, doubts) = (HashMap::new(), Doubts::default());
        Self { channels, last_id: first_id, forgotten: first_id, bytes: 0, ahead: 0, doubts }
    }

    /// Positions may be newer than the newest event by up to `ahead` from now on.
    pub(super) fn allow_ahead(&mut self, ahead: u64) {
        self.ahead = ahead;
    }

    /// Of who is after the one and up to the other nobody knows what it has.
    pub(super) fn doubt(&mut self, after: u64, up_to: u64) {
        self.doubts.add(after, up_to);
    }

    /// Events up to `id` may have happened of which nobody here knows.
    pub(super) fn forget_until(&mut self, id: u64) {
        self.forgotten = self.forgotten.max(id);
        self.last_id = self.last_id.max(id);
        for log in self.channels.values_mut() {
            log.forgotten = log.forgotten.max(id);
        }
    }

    /// Events that are not newer are not for who joins now from this position.
    pub(super) fn floor(&self, since: Since) -> u64 {
        match since {
            Since::After(id) if self.is_reached(id) => self.last_id.max(id),
            _ => self.last_id,
        }
    }

    fn is_reached(&self, position: u64) -> bool {
        position <= self.last_id.saturating_add(self.ahead)
    }

    /// The position that a client says, if what it has is known by that.
    pub(super) fn position(&self, since: Since) -> Option<u64> {
        match since {
            Since::After(id) if self.is_reached(id) && !self.doubts.has(id) => Some(id),
            Since::Now | Since::After(_) | Since::Unknown => None,
        }
    }

    /// The memory that all events take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The id of the newest event.
    pub(super) fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Keeps an event, whose id is greater than all before.
    pub(super) fn keep(&mut self, event: Publication) -> Arc<Publication> {
        debug_assert!(event.version > self.last_id, "events come in the order of their ids");
        self.last_id = event.version;
        let event = Arc::new(event);
        let now = Instant::now();
        if self.channels.len() >= KNOWN_CHANNELS && !self.channels.contains_key(&event.channel) {
            self.forget_the_silent();
        }
        let forgotten = self.forgotten;
        let log = self.channels.entry(event.channel.clone()).or_insert_with_key(|channel| Log::new(channel, forgotten));
        self.bytes -= log.bytes();
        if log.events.len() >= KEPT_EVENTS {
            log.forget_oldest();
        }
        log.keep(now, &event);
        while self.bytes + log.bytes() > KEPT_BYTES && !log.events.is_empty() {
            log.forget_oldest();
        }
        self.bytes += log.bytes();
        event
    }

    /// What a client that has the events up to `since` missed of `channels`, in the order of the ids.
    pub(super) fn missed(&mut self, channels: &[Channel], since: Since) -> Result<Vec<Arc<Publication>>, Gap> {
        if since == Since::Now {
            return Ok(Vec::new());
        }
        let since = self.position(since).ok_or(Gap)?;
        let now = Instant::now();
        let mut missed = Vec::new();
        for channel in channels {
            let Some(log) = self.channels.get_mut(channel) else {
                if since < self.forgotten {
                    return Err(Gap);
                }
                continue;
            };
            self.bytes -= log.bytes();
            log.forget_before(now);
            self.bytes += log.bytes();
            if since < log.forgotten {
                return Err(Gap);
            }
            let newer = log.events.iter_mut().filter(|kept| kept.id > since);
            missed.extend(newer.map(|kept| kept.publication(channel)));
        }
        missed.sort_by_key(|event| event.version);
        Ok(missed)
    }

    /// Drops what is too old.
    pub(super) fn sweep(&mut self) {
        let now = Instant::now();
        for log in self.channels.values_mut() {
            self.bytes -= log.bytes();
            log.forget_before(now);
            self.bytes += log.bytes();
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
    fn new(channel: &Channel, forgotten: u64) -> Self {
        Self { events: VecDeque::new(), payloads: 0, name: channel.name_bytes(), forgotten }
    }

    /// The memory that its events take. A channel that has none is only known, as [`KNOWN_CHANNELS`] are.
    fn bytes(&self) -> usize {
        if self.events.is_empty() {
            return 0;
        }
        let channel = size_of::<(Channel, Self)>() + self.name + 2 * ALLOCATION;
        let places = self.events.capacity() * size_of::<Kept>();
        channel + places + self.events.len() * BESIDE_AN_EVENT + self.payloads
    }

    fn keep(&mut self, at: Instant, event: &Arc<Publication>) {
        let payload = event.payload.clone();
        self.payloads += payload.len();
        let publication = Arc::downgrade(event);
        self.events.push_back(Kept {
            at,
            id: event.version,
            sent: event.sent(),
            event: event.event,
            payload,
            publication,
        });
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.events.pop_front() else { return };
        self.forgotten = oldest.id;
        self.payloads -= oldest.payload.len();
        // Few events do not keep the room of many.
        if self.events.is_empty() {
            self.events = VecDeque::new();
        } else if self.events.capacity() > 4 * self.events.len().max(4) {
            self.events.shrink_to(2 * self.events.len());
        }
    }

    fn forget_before(&mut self, now: Instant) {
        while self.events.front().is_some_and(|kept| now.duration_since(kept.at) > KEPT_FOR) {
            self.forget_oldest();
        }
    }
}

impl Kept {
    /// All that are to be sent it now share one, whatever is made of it.
    fn publication(&mut self, channel: &Channel) -> Arc<Publication> {
        self.publication.upgrade().unwrap_or_else(|| {
            let again = Publication::event(channel.clone(), self.id, self.event, self.payload.clone());
            let again = Arc::new(again.sent_at(self.sent));
            self.publication = Arc::downgrade(&again);
            again
        })
    }
}

#[cfg(test)]
mod tests;
