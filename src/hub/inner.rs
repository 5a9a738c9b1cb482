//! What lies under a mailbox's lock: what waits, what is wanted, who writes, and why nothing more is taken.
//!
//! Must not know the socket.

use std::sync::Arc;

use smallvec::SmallVec;

use super::outgoing::{Next, Outgoing, Push};
use super::queue::Queue;
use crate::model::{Channel, CloseReason};
use crate::publication::Publication;

#[derive(Debug, Default)]
pub(super) struct Inner {
    /// `None` while nothing waits: most clients, most of the time.
    pub(super) queue: Option<Box<Queue>>,
    /// What the client listens to, and the newest version pushed of each (of events: the newest it has no claim to).
    pub(super) expected: SmallVec<[(Channel, u64); FEW]>,
    pub(super) writer: Writer,
    pub(super) end: Option<End>,
}

/// Channels of a client that are kept without an allocation: its user's, its business's, its figures'.
const FEW: usize = 3;

/// Who writes to the socket without holding the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Writer {
    #[default]
    Nobody,
    /// The client's task, a message that it took.
    Task,
    /// The fan-out thread, between [`Mailbox::begin`] and [`Mailbox::finish`].
    Fanout,
}

/// Why nothing more is taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Overflowed,
    Dismissed(CloseReason),
    /// The client's task says its farewell.
    Closing,
}

impl Inner {
    /// Whether a publication is wanted; notes its version if it is.
    pub(super) fn accepts(&mut self, publication: &Publication, again: bool) -> bool {
        if self.end.is_some() {
            return false;
        }
        let Some((_, newest)) = self.expected.iter_mut().find(|(channel, _)| *channel == publication.channel) else {
            return false;
        };
        if publication.version < *newest || (publication.version == *newest && !again && !publication.is_again()) {
            return false;
        }
        *newest = publication.version;
        true
    }

    /// A publication of which the socket took the first `sent` bytes only. Without a byte on the line it is void where all
    /// that waits is, where its channel was left meanwhile, and where a newer state of its channel waits.
    pub(super) fn put_back(&mut self, publication: &Arc<Publication>, sent: usize) -> Push {
        if sent > 0 {
            self.queue.get_or_insert_default().put_rest(Outgoing::Published(Arc::clone(publication)), sent);
            return Push::Queued;
        }
        let is_wanted = match self.end {
            None => self.expected.iter().any(|(channel, _)| *channel == publication.channel),
            Some(End::Closing) => true,
            Some(End::Overflowed | End::Dismissed(_)) => false,
        };
        if !is_wanted {
            return Push::NotWanted;
        }
        if self.queue.get_or_insert_default().put_back(publication) { Push::Queued } else { Push::Replaced }
    }

    /// Nothing waits and nobody writes.
    pub(super) fn is_clear(&self) -> bool {
        self.queue.is_none() && self.writer == Writer::Nobody
    }

    /// Nobody is in the middle of a message.
    pub(super) fn is_between_messages(&self) -> bool {
        self.writer == Writer::Nobody && self.queue.as_ref().is_none_or(|queue| !queue.has_rest())
    }

    pub(super) fn ending(&self) -> Option<Next> {
        match self.end? {
            End::Overflowed => Some(Next::Overflowed),
            End::Dismissed(reason) => Some(Next::Dismissed(reason)),
            End::Closing => None,
        }
    }

    /// The next message, for the task; the socket is the task's until it asks again.
    pub(super) fn pop(&mut self) -> Option<Next> {
        if self.writer == Writer::Fanout {
            return None;
        }
        let next = self.queue.as_mut().and_then(|queue| queue.pop());
        self.release_if_empty();
        self.writer = if next.is_some() { Writer::Task } else { Writer::Nobody };
        next
    }

    pub(super) fn release_if_empty(&mut self) {
        if self.queue.as_ref().is_some_and(|queue| queue.is_empty()) {
            self.queue = None;
        }
    }
}
