//! What waits to be written to one client: bounded, with the newest state of each channel only, and every event.
//!
//! Knows nothing of sockets. Nobody who pushes ever waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use crate::channel::Channel;
use crate::close::CloseReason;
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
    /// How many of those that wait are replayed: they were asked for, and do not count against the capacity.
    replayed: usize,
    overflowed: bool,
    dismissed: Option<CloseReason>,
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// An answer to this client alone.
    Answer(Frame),
    /// A state or an event of a channel.
    Published(Arc<Publication>),
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
    /// The connection has to end, whatever waits.
    Dismissed(CloseReason),
}

impl Mailbox {
    /// `capacity`: messages that may wait.
    pub fn new(capacity: usize) -> Self {
        Self { inner: Mutex::default(), reader: AtomicWaker::new(), capacity }
    }

    /// From now on what is published on `channel` is taken.
    pub fn expect_channel(&self, channel: Channel) {
        let mut inner = self.lock();
        // Most expect one or two: a vector's own way would be room for four.
        inner.expected.reserve_exact(1);
        inner.expected.push((channel, 0));
    }

    /// The newest version of `channel` that was pushed; 0 for none.
    pub fn newest_version(&self, channel: &Channel) -> u64 {
        self.lock().expected.iter().find(|(expected, _)| expected == channel).map_or(0, |(_, newest)| *newest)
    }

    /// From now on what is published on `channel` is refused, and what waits of it is dropped.
    pub fn forget_channel(&self, channel: &Channel) {
        let mut inner = self.lock();
        inner.expected.retain(|(expected, _)| expected != channel);
        inner.waiting.retain(|waiting| !matches!(waiting, Outgoing::Published(one) if one.channel == *channel));
        inner.replayed = inner.replayed.min(inner.waiting.len());
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
            Outgoing::Published(state) if state.channel == publication.channel => Some(state),
            _ => None,
        });
        if let Some(older) = older {
            *older = Arc::clone(publication);
            return Push::Replaced;
        }
        self.append(inner, Outgoing::Published(Arc::clone(publication)))
    }

    /// Takes an event behind everything that waits.
    pub fn push_event(&self, event: &Arc<Publication>) -> Push {
        let inner = self.lock();
        if !inner.expected.iter().any(|(channel, _)| *channel == event.channel) {
            return Push::NotWanted;
        }
        self.append(inner, Outgoing::Published(Arc::clone(event)))
    }

    /// Takes events that the client missed and asked for.
    pub(super) fn push_replay(&self, events: impl Iterator<Item = Arc<Publication>>) {
        let mut inner = self.lock();
        if inner.overflowed {
            return;
        }
        let before = inner.waiting.len();
        inner.waiting.extend(events.map(Outgoing::Published));
        inner.replayed += inner.waiting.len() - before;
        drop(inner);
        self.reader.wake();
    }

    /// The connection is to end.
    pub fn dismiss(&self, reason: CloseReason) {
        self.lock().dismissed = Some(reason);
        self.reader.wake();
    }

    /// Takes an answer to this client.
    pub fn push_answer(&self, frame: Frame) -> Push {
        self.append(self.lock(), Outgoing::Answer(frame))
    }

    fn append(&self, mut inner: MutexGuard<'_, Inner>, message: Outgoing) -> Push {
        if inner.overflowed {
            return Push::NotWanted;
        }
        let outcome = if inner.waiting.len() >= self.capacity + inner.replayed {
            inner.overflowed = true;
            inner.replayed = 0;
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

    /// The next message, for the one task that owns the socket. While that has no room, only what ends the connection.
    pub fn poll_next(&self, cx: &mut Context<'_>, has_room: bool) -> Poll<Next> {
        // Registered before looking: a push in between wakes a task that is about to sleep.
        self.reader.register(cx.waker());
        let next = if has_room { self.try_next() } else { self.lock().ending() };
        next.map_or(Poll::Pending, Poll::Ready)
    }

    /// The next message if one waits.
    pub fn try_next(&self) -> Option<Next> {
        let mut inner = self.lock();
        if let Some(ending) = inner.ending() {
            return Some(ending);
        }
        let message = inner.waiting.pop_front()?;
        inner.replayed = inner.replayed.saturating_sub(1);
        inner.release_if_empty();
        Some(Next::Message(message))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn ending(&self) -> Option<Next> {
        let dismissed = self.dismissed.map(Next::Dismissed);
        dismissed.or_else(|| self.overflowed.then_some(Next::Overflowed))
    }

    fn release_if_empty(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > 0 {
            self.waiting = VecDeque::new();
        }
    }
}
