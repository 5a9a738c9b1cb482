//! What waits for one client, in its order.
//!
//! Must not know who writes it, nor when.

use std::collections::VecDeque;
use std::sync::Arc;

use super::mailbox::{Next, Outgoing};
use crate::channel::Channel;
use crate::publication::{Frame, Kind, Publication};

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// A message that is half out, and how many of its bytes are: nothing may come before the others.
    rest: Option<(Outgoing, usize)>,
    waiting: VecDeque<Outgoing>,
    /// How many of those that wait are replayed: they were asked for, and do not count against the capacity.
    replayed: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_none() && self.waiting.is_empty()
    }

    /// Takes a message behind all others, unless `capacity` wait already.
    pub(super) fn append(&mut self, message: Outgoing, capacity: usize) -> bool {
        let has_room = self.waiting.len() < capacity + self.replayed;
        if has_room {
            self.waiting.push_back(message);
        }
        has_room
    }

    /// Takes back a message of which the socket took `sent` bytes only.
    pub(super) fn put_back(&mut self, message: Outgoing, sent: usize) {
        if sent == 0 {
            self.waiting.push_front(message);
        } else {
            self.rest = Some((message, sent));
        }
    }

    pub(super) fn replay(&mut self, events: Vec<Arc<Publication>>) {
        self.replayed += events.len();
        self.waiting.extend(events.into_iter().map(Outgoing::Published));
    }

    /// Puts a state in the place of an older one of its channel, if one waits.
    pub(super) fn replace(&mut self, newer: &Arc<Publication>) -> bool {
        let older = self.waiting.iter_mut().find_map(|waiting| match waiting {
            Outgoing::Published(one) if one.kind == Kind::State && one.channel == newer.channel => Some(one),
            _ => None,
        });
        older.map(|older| *older = Arc::clone(newer)).is_some()
    }

    /// Puts a control frame in the place of an older one of its kind, if one waits.
    pub(super) fn replace_control(&mut self, newer: &Frame) -> bool {
        let older = self.waiting.iter_mut().find_map(|waiting| match waiting {
            Outgoing::Control(one) if one.bytes().first() == newer.bytes().first() => Some(one),
            _ => None,
        });
        older.map(|older| newer.clone_into(older)).is_some()
    }

    /// Drops what waits of a channel.
    pub(super) fn forget(&mut self, channel: &Channel) {
        self.waiting.retain(|waiting| !matches!(waiting, Outgoing::Published(one) if one.channel == *channel));
        self.replayed = self.replayed.min(self.waiting.len());
    }

    /// Drops all but what is half out.
    pub(super) fn clear(&mut self) {
        self.waiting = VecDeque::new();
        self.replayed = 0;
    }

    pub(super) fn pop(&mut self) -> Option<Next> {
        if let Some((message, sent)) = self.rest.take() {
            return Some(Next::Message(message, sent));
        }
        let message = self.waiting.pop_front()?;
        self.replayed = self.replayed.saturating_sub(1);
        Some(Next::Message(message, 0))
    }
}
