//! What waits for one client, in its order.
//!
//! Must not know who writes it, nor when.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::mailbox::{Next, Outgoing};
use crate::model::Channel;
use crate::publication::{Kind, Publication};

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

    /// Whether a message is half out.
    pub(super) fn has_rest(&self) -> bool {
        self.rest.is_some()
    }

    /// Takes a message behind all others, unless `capacity` wait already.
    pub(super) fn append(&mut self, message: Outgoing, capacity: usize) -> bool {
        let has_room = self.waiting.len() < capacity + self.replayed;
        if has_room {
            self.waiting.push_back(message);
        }
        has_room
    }

    /// Takes a message of which the socket took `sent` bytes, at least one, before all others.
    pub(super) fn put_rest(&mut self, message: Outgoing, sent: usize) {
        self.rest = Some((message, sent));
    }

    /// Takes back a publication that was to be sent before all others and of which nothing was. A state whose channel has
    /// another one here by now is dropped (`false`): that one is the newer, and of each channel at most one state waits.
    pub(super) fn put_back(&mut self, publication: &Arc<Publication>) -> bool {
        let is_outdated = publication.kind == Kind::State && self.state_of(&publication.channel).is_some();
        if !is_outdated {
            self.waiting.push_front(Outgoing::Published(Arc::clone(publication)));
        }
        !is_outdated
    }

    pub(super) fn replay(&mut self, messages: impl ExactSizeIterator<Item = Outgoing>) {
        self.replayed += messages.len();
        self.waiting.extend(messages);
    }

    /// Puts a state in the place of an older one of its channel, if one waits.
    pub(super) fn replace(&mut self, newer: &Arc<Publication>) -> bool {
        self.state_of(&newer.channel).map(|older| *older = Arc::clone(newer)).is_some()
    }

    fn state_of(&mut self, channel: &Channel) -> Option<&mut Arc<Publication>> {
        self.waiting.iter_mut().find_map(|waiting| match waiting {
            Outgoing::Published(one) if one.kind == Kind::State && one.channel == *channel => Some(one),
            _ => None,
        })
    }

    /// Puts a control message in the place of an older one of its kind, if one waits.
    pub(super) fn replace_control(&mut self, newer: &Bytes) -> bool {
        let older = self.waiting.iter_mut().find_map(|waiting| match waiting {
            Outgoing::Control(one) if one.first() == newer.first() => Some(one),
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
