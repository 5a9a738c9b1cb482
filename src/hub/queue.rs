//! What waits for one client, in its order.
//!
//! Must not know who writes it, nor when.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::mailbox::{Next, Outgoing};
use crate::model::Channel;
use crate::publication::{Kind, Publication};

/// As much as may wait, but for what is replayed and for one message that waits alone.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// A message that is half out, and how many of its bytes are: nothing may come before the others.
    rest: Option<(Outgoing, usize)>,
    waiting: VecDeque<Outgoing>,
    /// How many of those that wait are replayed: they were asked for, and do not count against the capacity.
    replayed: usize,
    /// The size of all that wait, and of those that are replayed.
    bytes: usize,
    replayed_bytes: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_none() && self.waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.rest.is_some())
    }

    /// Whether a message is half out.
    pub(super) fn has_rest(&self) -> bool {
        self.rest.is_some()
    }

    /// Takes a message behind all others, unless `capacity` or [`MAX_BYTES`] wait already.
    pub(super) fn append(&mut self, message: Outgoing, capacity: usize) -> bool {
        let counted = self.bytes.saturating_sub(self.replayed_bytes);
        let fits = counted == 0 || counted + message.size() <= MAX_BYTES;
        let has_room = fits && self.waiting.len() < capacity + self.replayed;
        if has_room {
            self.bytes += message.size();
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
            self.bytes += publication.payload.len();
            self.waiting.push_front(Outgoing::Published(Arc::clone(publication)));
        }
        !is_outdated
    }

    pub(super) fn replay(&mut self, messages: impl ExactSizeIterator<Item = Outgoing>) {
        self.replayed += messages.len();
        for message in messages {
            self.bytes += message.size();
            self.replayed_bytes += message.size();
            self.waiting.push_back(message);
        }
    }

    /// Puts a state in the place of an older one of its channel, if one waits. Whether there is room for it is not asked: what
    /// comes next is.
    pub(super) fn replace(&mut self, newer: &Arc<Publication>) -> bool {
        let Some(older) = self.state_of(&newer.channel) else { return false };
        let before = std::mem::replace(older, Arc::clone(newer)).payload.len();
        self.bytes = (self.bytes + newer.payload.len()).saturating_sub(before);
        true
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
        // Of one kind they are nearly of one size.
        older.map(|older| newer.clone_into(older)).is_some()
    }

    /// Drops what waits of a channel.
    pub(super) fn forget(&mut self, channel: &Channel) {
        self.waiting.retain(|waiting| !matches!(waiting, Outgoing::Published(one) if one.channel == *channel));
        self.replayed = self.replayed.min(self.waiting.len());
        self.bytes = self.waiting.iter().map(Outgoing::size).sum();
        self.replayed_bytes = self.replayed_bytes.min(self.bytes);
    }

    /// Drops all but what is half out.
    pub(super) fn clear(&mut self) {
        self.waiting = VecDeque::new();
        (self.replayed, self.bytes, self.replayed_bytes) = (0, 0, 0);
    }

    pub(super) fn pop(&mut self) -> Option<Next> {
        if let Some((message, sent)) = self.rest.take() {
            return Some(Next::Message(message, sent));
        }
        let message = self.waiting.pop_front()?;
        self.replayed = self.replayed.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(message.size());
        self.replayed_bytes = self.replayed_bytes.saturating_sub(message.size());
        Some(Next::Message(message, 0))
    }
}
