//! What goes out to one client: sent at once where that can be, else kept, bounded, with the newest state of each channel
//! only, and every event.
//!
//! Whoever pushes never waits. One writer at a time has the socket: who holds the lock, or whom [`Writer`] names.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use smallvec::SmallVec;

use super::outlet::Outlet;
use super::queue::Queue;
use super::sync::{AtomicWaker, Mutex, MutexGuard};
use crate::channel::Channel;
use crate::close::CloseReason;
use crate::publication::{Frame, Kind, Publication};

/// The outgoing side of one connection. What a delivery looks at lies together: one of thousands is never in the cache.
#[derive(Debug)]
pub struct Mailbox {
    inner: Mutex<Inner>,
    reader: AtomicWaker,
    capacity: usize,
    /// Where whoever pushes may send to. Without one everything waits for the client's task.
    outlet: Option<Outlet>,
    /// The client knows ids: it gets each event with its own.
    wants_ids: bool,
}

#[derive(Debug, Default)]
struct Inner {
    /// `None` while nothing waits: most clients, most of the time.
    queue: Option<Box<Queue>>,
    /// What the client listens to, and the newest version pushed of each (of events: the newest it has no claim to).
    expected: SmallVec<[(Channel, u64); FEW]>,
    writer: Writer,
    end: Option<End>,
}

/// Channels of a client that are kept without an allocation: its user's, its business's, its figures'.
const FEW: usize = 3;

/// Who writes to the socket without holding the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    #[default]
    Nobody,
    /// The client's task, a message that it took.
    Task,
    /// The fan-out thread, between [`Mailbox::begin`] and [`Mailbox::finish`].
    Fanout,
}

/// Why nothing more is taken.
#[derive(Clone, Copy, Debug)]
enum End {
    Overflowed,
    Dismissed(CloseReason),
    /// The client's task says its farewell.
    Closing,
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// An answer to this client alone.
    Answer(Frame),
    /// What the transport itself has to say, a pong for instance: of what waits, the newest of its kind is enough.
    Control(Frame),
    /// A state or an event of a channel.
    Published(Arc<Publication>),
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// The socket has taken it whole.
    Sent,
    Queued,
    /// It took the place of an older, unsent state of its channel.
    Replaced,
    /// The mailbox is full: the client is a slow consumer and gets nothing more.
    Overflowed,
    /// Not newer than what was pushed before, not subscribed, or closed already.
    NotWanted,
}

/// How much of a message the socket has taken.
#[derive(Clone, Copy, Debug)]
enum Sent {
    All,
    /// So many bytes.
    Some(usize),
}

/// What is to be done with a publication whose sending the caller does itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// The caller sends it, and then calls [`Mailbox::finish`].
    Send,
    Done(Push),
}

/// What the client's task finds in its mailbox.
#[derive(Debug)]
pub enum Next {
    /// A message, and how many of its bytes are out already: never any where there is no outlet.
    Message(Outgoing, usize),
    Overflowed,
    /// The connection has to end, whatever waits.
    Dismissed(CloseReason),
}

impl Mailbox {
    /// `capacity`: messages that may wait.
    pub fn new(capacity: usize) -> Self {
        Self::of(capacity, None, false)
    }

    /// `wants_ids`: the client knows ids.
    pub fn with_outlet(capacity: usize, outlet: Outlet, wants_ids: bool) -> Self {
        Self::of(capacity, Some(outlet), wants_ids)
    }

    fn of(capacity: usize, outlet: Option<Outlet>, wants_ids: bool) -> Self {
        Self { inner: Mutex::default(), reader: AtomicWaker::new(), capacity, outlet, wants_ids }
    }

    /// From now on what is published on `channel` is taken, if it is newer than `floor`.
    pub(super) fn expect_channel(&self, channel: Channel, floor: u64) {
        self.lock().expected.push((channel, floor));
    }

    /// The newest version of `channel` that was pushed; 0 for none.
    pub fn newest_version(&self, channel: &Channel) -> u64 {
        self.lock().expected.iter().find(|(expected, _)| expected == channel).map_or(0, |(_, newest)| *newest)
    }

    /// From now on what is published on `channel` is refused, and what waits of it is dropped.
    pub fn forget_channel(&self, channel: &Channel) {
        let mut inner = self.lock();
        inner.expected.retain(|(expected, _)| expected != channel);
        if let Some(queue) = &mut inner.queue {
            queue.forget(channel);
        }
        inner.release_if_empty();
    }

    /// Takes a publication of a channel that is expected: a state that is newer than the one before, in place of an
    /// unsent older one if there is one; an event behind everything that waits.
    pub fn push(&self, publication: &Arc<Publication>) -> Push {
        let mut inner = self.lock();
        if inner.accepts(publication, false) { self.take(inner, publication) } else { Push::NotWanted }
    }

    /// As [`Self::push`], but takes the newest version once more: the answer to a repeated subscribe.
    pub fn push_again(&self, state: &Arc<Publication>) -> Push {
        let mut inner = self.lock();
        if inner.accepts(state, true) { self.take(inner, state) } else { Push::NotWanted }
    }

    fn take(&self, mut inner: MutexGuard<'_, Inner>, publication: &Arc<Publication>) -> Push {
        if publication.kind == Kind::State && inner.queue.as_mut().is_some_and(|queue| queue.replace(publication)) {
            return Push::Replaced;
        }
        match self.send(&inner, self.frame_of(publication)) {
            Sent::All => Push::Sent,
            sent @ Sent::Some(_) => self.append(inner, Outgoing::Published(Arc::clone(publication)), sent),
        }
    }

    /// As [`Self::push`], for a caller that sends many at once by a way of its own. The frame to send is
    /// [`Self::frame_of`]; until [`Self::finish`] everything else waits behind it.
    pub(super) fn begin(&self, publication: &Arc<Publication>) -> Begun {
        let mut inner = self.lock();
        if !inner.accepts(publication, false) {
            return Begun::Done(Push::NotWanted);
        }
        if self.outlet.is_some() && inner.is_clear() {
            inner.writer = Writer::Fanout;
            return Begun::Send;
        }
        Begun::Done(self.take(inner, publication))
    }

    /// The socket took the first `sent` bytes of what was begun.
    pub(super) fn finish(&self, publication: &Arc<Publication>, sent: usize) -> Push {
        let mut inner = self.lock();
        inner.writer = Writer::Nobody;
        let is_whole = sent >= self.frame_of(publication).bytes().len();
        // Without a byte on the line it is void where all that waits is.
        if !is_whole && (sent > 0 || !matches!(inner.end, Some(End::Overflowed | End::Dismissed(_)))) {
            inner.queue.get_or_insert_default().put_back(Outgoing::Published(Arc::clone(publication)), sent);
        }
        let is_waited_for = inner.queue.is_some() || inner.end.is_some();
        drop(inner);
        if is_waited_for {
            self.reader.wake();
        }
        if is_whole { Push::Sent } else { Push::Queued }
    }

    /// Takes events that the client missed and asked for.
    pub(super) fn push_replay(&self, events: Vec<Arc<Publication>>) {
        let mut inner = self.lock();
        if inner.end.is_some() || events.is_empty() {
            return;
        }
        inner.queue.get_or_insert_default().replay(events);
        drop(inner);
        self.reader.wake();
    }

    /// The connection is to end.
    pub fn dismiss(&self, reason: CloseReason) {
        let mut inner = self.lock();
        if !matches!(inner.end, Some(End::Closing)) {
            inner.end = Some(End::Dismissed(reason));
        }
        drop(inner);
        self.reader.wake();
    }

    /// Takes an answer to this client.
    pub fn push_answer(&self, frame: Frame) -> Push {
        self.send_or_append(self.lock(), Outgoing::Answer(frame))
    }

    /// Takes a control frame.
    pub fn push_control(&self, frame: Frame) -> Push {
        let mut inner = self.lock();
        if inner.queue.as_mut().is_some_and(|queue| queue.replace_control(&frame)) {
            return Push::Replaced;
        }
        self.send_or_append(inner, Outgoing::Control(frame))
    }

    fn send_or_append(&self, inner: MutexGuard<'_, Inner>, message: Outgoing) -> Push {
        match self.send(&inner, self.frame_of_outgoing(&message)) {
            Sent::All => Push::Sent,
            sent @ Sent::Some(_) => self.append(inner, message, sent),
        }
    }

    /// Sends at once, if it is this one's turn.
    fn send(&self, inner: &Inner, frame: &Frame) -> Sent {
        let outlet = self.outlet.as_ref().filter(|_| inner.is_clear() && inner.end.is_none());
        let Some(outlet) = outlet else { return Sent::Some(0) };
        match outlet.try_send(frame.bytes()) {
            sent if sent >= frame.bytes().len() => Sent::All,
            sent => Sent::Some(sent),
        }
    }

    fn append(&self, mut inner: MutexGuard<'_, Inner>, message: Outgoing, sent: Sent) -> Push {
        if inner.end.is_some() {
            return Push::NotWanted;
        }
        let capacity = self.capacity;
        let queue = inner.queue.get_or_insert_default();
        let outcome = match sent {
            Sent::Some(sent) if sent > 0 => {
                queue.put_back(message, sent);
                Push::Queued
            }
            _ if queue.append(message, capacity) => Push::Queued,
            _ => {
                queue.clear();
                inner.end = Some(End::Overflowed);
                inner.expected = SmallVec::new();
                inner.release_if_empty();
                Push::Overflowed
            }
        };
        drop(inner);
        self.reader.wake();
        outcome
    }

    /// The next message, for the task that owns the socket, which has written the one before. While it has no room, only
    /// what ends the connection.
    pub fn poll_next(&self, cx: &mut Context<'_>, has_room: bool) -> Poll<Next> {
        // Registered before looking: a push in between wakes a task that is about to sleep.
        self.reader.register(cx.waker());
        let next = if has_room { self.try_next() } else { self.lock().ending() };
        next.map_or(Poll::Pending, Poll::Ready)
    }

    /// The next message if one waits.
    pub fn try_next(&self) -> Option<Next> {
        let mut inner = self.lock();
        inner.ending().or_else(|| inner.pop())
    }

    /// Takes nothing more, so that the task can say its farewell. What waits goes out before, if it is `to_be_sent`; what
    /// is half out always does.
    pub fn close(&self, to_be_sent: bool) {
        let mut inner = self.lock();
        inner.end = Some(End::Closing);
        inner.expected = SmallVec::new();
        if let Some(queue) = inner.queue.as_mut().filter(|_| !to_be_sent) {
            queue.clear();
        }
        inner.release_if_empty();
    }

    /// After [`Self::close`]: what is still to be written, and `None` when the socket is the task's alone.
    pub fn poll_last(&self, cx: &mut Context<'_>) -> Poll<Option<Next>> {
        self.reader.register(cx.waker());
        let mut inner = self.lock();
        match inner.pop() {
            None if inner.writer == Writer::Fanout => Poll::Pending,
            next => Poll::Ready(next),
        }
    }

    /// The frame of a publication as this client gets it.
    pub fn frame_of<'a>(&self, publication: &'a Publication) -> &'a Frame {
        if self.wants_ids && publication.kind == Kind::Event { publication.frame_with_id() } else { &publication.frame }
    }

    /// As [`Self::frame_of`], of any message.
    pub fn frame_of_outgoing<'a>(&self, message: &'a Outgoing) -> &'a Frame {
        match message {
            Outgoing::Answer(frame) | Outgoing::Control(frame) => frame,
            Outgoing::Published(publication) => self.frame_of(publication),
        }
    }

    pub fn outlet(&self) -> Option<&Outlet> {
        self.outlet.as_ref()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether a publication is wanted; notes its version if it is.
    fn accepts(&mut self, publication: &Publication, again: bool) -> bool {
        if self.end.is_some() {
            return false;
        }
        let Some((_, newest)) = self.expected.iter_mut().find(|(channel, _)| *channel == publication.channel) else {
            return false;
        };
        if publication.version < *newest || (publication.version == *newest && !again) {
            return false;
        }
        *newest = publication.version;
        true
    }

    /// Nothing waits and nobody writes.
    fn is_clear(&self) -> bool {
        self.queue.is_none() && self.writer == Writer::Nobody
    }

    fn ending(&self) -> Option<Next> {
        match self.end? {
            End::Overflowed => Some(Next::Overflowed),
            End::Dismissed(reason) => Some(Next::Dismissed(reason)),
            End::Closing => None,
        }
    }

    /// The next message, for the task; the socket is the task's until it asks again.
    fn pop(&mut self) -> Option<Next> {
        if self.writer == Writer::Fanout {
            return None;
        }
        let next = self.queue.as_mut().and_then(|queue| queue.pop());
        self.release_if_empty();
        self.writer = if next.is_some() { Writer::Task } else { Writer::Nobody };
        next
    }

    fn release_if_empty(&mut self) {
        if self.queue.as_ref().is_some_and(|queue| queue.is_empty()) {
            self.queue = None;
        }
    }
}
