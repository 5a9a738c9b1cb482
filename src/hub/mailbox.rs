//! What waits to be written to one client: bounded, with the newest state of each channel only.
//!
//! Knows nothing of sockets. Nobody who pushes ever waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use crate::channel::Channel;
use crate::publication::{Frame, Publication};

/// The outgoing buffer of one connection.
#[derive(Debug)]
pub struct Mailbox {
    inner: Mutex<Inner>,
    reader: AtomicWaker,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Inner {
    /// Unallocated while nothing waits: most clients, most of the time.
    waiting: VecDeque<Outgoing>,
    /// What the client listens to, and the newest version pushed of each.
    expected: Vec<(Channel, u64)>,
    overflowed: bool,
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// An answer to this client alone.
    Answer(Frame),
    /// The state of a channel.
    State(Arc<Publication>),
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    Queued,
    /// It took the place of an older, unsent state of its channel.
    Replaced,
    /// The mailbox is full: the client is a slow consumer and gets nothing more.
    Overflowed,
    /// Not newer than what was pushed before, not subscribed, or closed already.
    NotWanted,
}

/// What the client's actor finds in its mailbox.
#[derive(Debug)]
pub enum Next {
    Message(Outgoing),
    Overflowed,
}

impl Mailbox {
    /// `capacity`: messages that may wait.
    pub fn new(capacity: usize) -> Self {
        Self { inner: Mutex::default(), reader: AtomicWaker::new(), capacity }
    }

    /// From now on states of `channel` are taken.
    pub fn expect_channel(&self, channel: Channel) {
        self.lock().expected.push((channel, 0));
    }

    /// The newest version of `channel` that was pushed; 0 for none.
    pub fn newest_version(&self, channel: &Channel) -> u64 {
        self.lock().expected.iter().find(|(expected, _)| expected == channel).map_or(0, |(_, newest)| *newest)
    }

    /// From now on states of `channel` are refused, and one that waits is dropped.
    pub fn forget_channel(&self, channel: &Channel) {
        let mut inner = self.lock();
        inner.expected.retain(|(expected, _)| expected != channel);
        inner.waiting.retain(|waiting| !matches!(waiting, Outgoing::State(state) if state.channel == *channel));
        inner.release_if_empty();
    }

    /// Takes a state that is newer than the one before, in place of an unsent older one if there is one.
    pub fn push_state(&self, publication: &Arc<Publication>) -> Push {
        self.push_newer_than(publication, false)
    }

    /// As [`Self::push_state`], but takes the newest version once more: the answer to a repeated subscribe.
    pub fn push_state_again(&self, publication: &Arc<Publication>) -> Push {
        self.push_newer_than(publication, true)
    }

    fn push_newer_than(&self, publication: &Arc<Publication>, again: bool) -> Push {
        let mut inner = self.lock();
        let Some((_, newest)) = inner.expected.iter_mut().find(|(channel, _)| *channel == publication.channel) else {
            return Push::NotWanted;
        };
        if publication.version < *newest || (publication.version == *newest && !again) {
            return Push::NotWanted;
        }
        *newest = publication.version;
        let older = inner.waiting.iter_mut().find_map(|waiting| match waiting {
            Outgoing::State(state) if state.channel == publication.channel => Some(state),
            _ => None,
        });
        if let Some(older) = older {
            *older = Arc::clone(publication);
            return Push::Replaced;
        }
        self.append(inner, Outgoing::State(Arc::clone(publication)))
    }

    /// Takes an answer to this client.
    pub fn push_answer(&self, frame: Frame) -> Push {
        self.append(self.lock(), Outgoing::Answer(frame))
    }

    fn append(&self, mut inner: MutexGuard<'_, Inner>, message: Outgoing) -> Push {
        if inner.overflowed {
            return Push::NotWanted;
        }
        let outcome = if inner.waiting.len() >= self.capacity {
            inner.overflowed = true;
            inner.waiting.clear();
            inner.expected.clear();
            inner.release_if_empty();
            Push::Overflowed
        } else {
            inner.waiting.push_back(message);
            Push::Queued
        };
        drop(inner);
        self.reader.wake();
        outcome
    }

    /// The next message, for the one task that owns the socket. While that has no room, only an overflow.
    pub fn poll_next(&self, cx: &mut Context<'_>, has_room: bool) -> Poll<Next> {
        // Registered before looking: a push in between wakes a task that is about to sleep.
        self.reader.register(cx.waker());
        let next = if has_room { self.try_next() } else { self.lock().overflowed.then_some(Next::Overflowed) };
        next.map_or(Poll::Pending, Poll::Ready)
    }

    /// The next message if one waits.
    pub fn try_next(&self) -> Option<Next> {
        let mut inner = self.lock();
        if inner.overflowed {
            return Some(Next::Overflowed);
        }
        let message = inner.waiting.pop_front()?;
        inner.release_if_empty();
        Some(Next::Message(message))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn release_if_empty(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > 0 {
            self.waiting = VecDeque::new();
        }
    }
}
