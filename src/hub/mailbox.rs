//! What goes out to one client: sent at once where that can be, else kept, bounded, with the newest state of each channel
//! only, and every event.
//!
//! Whoever pushes never waits. One writer at a time has the socket: who holds the lock, or whom [`Writer`] names.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use smallvec::SmallVec;

use super::inner::{End, Inner, Writer};
pub use super::outgoing::{Next, Outgoing, Push};
use super::outlet::Outlet;
use super::sync::{AtomicWaker, Mutex, MutexGuard};
use crate::model::{Channel, CloseReason, Wording};
use crate::publication::{Encoding, Kind, Publication};

/// The outgoing side of one connection. What a delivery looks at lies together: one of thousands is never in the cache.
#[derive(Debug)]
pub struct Mailbox {
    inner: Mutex<Inner>,
    reader: AtomicWaker,
    capacity: usize,
    /// Where whoever pushes may send to. Without one everything waits for the client's task.
    outlet: OnceLock<Outlet>,
    /// How the client gets what it is sent. Whether [`Encoding::Packets`] have ids is not said here.
    encoding: Encoding,
    packets_have_ids: AtomicBool,
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

impl Mailbox {
    /// `capacity`: messages that may wait, of [`MAX_BYTES`](super::queue::MAX_BYTES) in all.
    pub fn new(capacity: usize, encoding: Encoding) -> Self {
        let (inner, reader) = (Mutex::default(), AtomicWaker::new());
        Self { inner, reader, capacity, outlet: OnceLock::new(), encoding, packets_have_ids: AtomicBool::new(false) }
    }

    /// Of a WebSocket.
    pub fn with_outlet(capacity: usize, outlet: Outlet, encoding: Encoding) -> Self {
        let mailbox = Self::new(capacity, encoding);
        mailbox.attach(outlet);
        mailbox
    }

    /// From now on whoever pushes may send to `outlet`, behind what waits. What the client's task took is written, or will
    /// never be.
    pub fn attach(&self, outlet: Outlet) {
        self.lock().writer = Writer::Nobody;
        // There is one in the life of a mailbox.
        let _ = self.outlet.set(outlet);
    }

    /// From now on events are packets with ids, or without; false if one that began otherwise is half out.
    pub fn set_ids(&self, with_ids: bool) -> bool {
        let inner = self.lock();
        let before = self.packets_have_ids.load(Ordering::Relaxed);
        let may = before == with_ids || self.outlet().is_none() || inner.is_between_messages();
        if may {
            self.packets_have_ids.store(with_ids, Ordering::Relaxed);
        }
        may
    }

    /// Makes of a publication what this client gets: once for all that get the same, and not while a lock is held.
    pub(super) fn prepare(&self, publication: &Publication) {
        let _ = self.bytes_of(publication);
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
        match self.send(&inner, || self.bytes_of(publication)) {
            Sent::All => Push::Sent,
            sent @ Sent::Some(_) => self.append(inner, Outgoing::Published(Arc::clone(publication)), sent),
        }
    }

    /// As [`Self::push`], for a caller that sends many at once by a way of its own. What to send is
    /// [`Self::bytes_of`]; until [`Self::finish`] everything else waits behind it.
    pub(super) fn begin(&self, publication: &Arc<Publication>) -> Begun {
        let mut inner = self.lock();
        if !inner.accepts(publication, false) {
            return Begun::Done(Push::NotWanted);
        }
        if self.outlet().is_some() && inner.is_clear() {
            inner.writer = Writer::Fanout;
            return Begun::Send;
        }
        Begun::Done(self.take(inner, publication))
    }

    /// The socket took the first `sent` bytes of what was begun.
    pub(super) fn finish(&self, publication: &Arc<Publication>, sent: usize) -> Push {
        let mut inner = self.lock();
        inner.writer = Writer::Nobody;
        let is_whole = sent >= self.bytes_of(publication).len();
        let push = if is_whole { Push::Sent } else { inner.put_back(publication, sent) };
        let is_waited_for = inner.queue.is_some() || inner.end.is_some();
        drop(inner);
        if is_waited_for {
            self.reader.wake();
        }
        push
    }

    /// Takes events that the client missed and asked for.
    pub(super) fn push_replay(&self, events: Vec<Arc<Publication>>) {
        let mut inner = self.lock();
        if inner.end.is_some() || events.is_empty() {
            return;
        }
        inner.queue.get_or_insert_default().replay(events.into_iter().map(Outgoing::Published));
        drop(inner);
        self.reader.wake();
    }

    /// Tells a client whose transport keeps that for it that it has what came up to `id`.
    pub(super) fn push_position(&self, id: u64) {
        let Some(position) = self.encoding.position(id) else { return };
        let mut inner = self.lock();
        if inner.end.is_some() {
            return;
        }
        inner.queue.get_or_insert_default().replay([Outgoing::Answer(position)].into_iter());
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

    /// Goes on after [`Self::dismiss`]: something else has ended.
    pub fn reopen(&self) {
        self.lock().end.take_if(|end| matches!(end, End::Dismissed(_)));
    }

    /// Whether something waits for the client's task.
    pub fn is_waiting(&self) -> bool {
        self.lock().queue.is_some()
    }

    /// How many messages wait, if `channel` is the first that its client listens to: each client has one such.
    pub(super) fn waiting_first_of(&self, channel: &Channel) -> Option<usize> {
        let inner = self.lock();
        let is_first = inner.expected.first().is_some_and(|(first, _)| first == channel);
        is_first.then(|| inner.queue.as_ref().map_or(0, |queue| queue.len()))
    }

    /// Takes an answer to this client.
    pub fn push_answer(&self, text: impl AsRef<str>) -> Push {
        self.push_encoded(self.encoding.answer(text.as_ref()))
    }

    /// As [`Self::push_answer`], of all that is said at the beginning, in room for one: with that at `place` the client stands at
    /// `position`.
    pub fn push_beginning(&self, texts: &[String], place: usize, position: u64) -> Push {
        self.push_encoded(self.encoding.beginning(texts, place, position))
    }

    /// As [`Self::push_answer`], and leaves it to the client's task: whatever is pushed before that goes on comes behind.
    pub fn leave_answer(&self, text: impl AsRef<str>) -> Push {
        let answer = Outgoing::Answer(self.encoding.answer(text.as_ref()));
        self.append(self.lock(), answer, Sent::Some(0))
    }

    /// Takes an answer that is encoded already.
    pub fn push_encoded(&self, answer: Bytes) -> Push {
        self.send_or_append(self.lock(), Outgoing::Answer(answer))
    }

    /// Takes what the transport has to say, as it goes out.
    pub fn push_control(&self, control: Bytes) -> Push {
        let mut inner = self.lock();
        if inner.queue.as_mut().is_some_and(|queue| queue.replace_control(&control)) {
            return Push::Replaced;
        }
        self.send_or_append(inner, Outgoing::Control(control))
    }

    fn send_or_append(&self, inner: MutexGuard<'_, Inner>, message: Outgoing) -> Push {
        match self.send(&inner, || self.bytes_of_outgoing(&message)) {
            Sent::All => Push::Sent,
            sent @ Sent::Some(_) => self.append(inner, message, sent),
        }
    }

    /// Sends at once, if it is this one's turn.
    fn send<'a>(&self, inner: &Inner, bytes: impl FnOnce() -> &'a Bytes) -> Sent {
        let outlet = self.outlet().filter(|_| inner.is_clear() && inner.end.is_none());
        let Some(outlet) = outlet else { return Sent::Some(0) };
        let bytes = bytes();
        match outlet.try_send(bytes) {
            sent if sent >= bytes.len() => Sent::All,
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
                queue.put_rest(message, sent);
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

    /// A publication as this client gets it.
    pub fn bytes_of<'a>(&self, publication: &'a Publication) -> &'a Bytes {
        publication.encoded(self.encoding())
    }

    /// As [`Self::bytes_of`], of any message.
    pub fn bytes_of_outgoing<'a>(&self, message: &'a Outgoing) -> &'a Bytes {
        match message {
            Outgoing::Answer(bytes) | Outgoing::Control(bytes) => bytes,
            Outgoing::Published(publication) => self.bytes_of(publication),
        }
    }

    /// In which version of the words its client is spoken to.
    pub fn wording(&self) -> Wording {
        self.encoding.wording()
    }

    fn encoding(&self) -> Encoding {
        match self.encoding {
            Encoding::Packets { .. } => Encoding::Packets { with_ids: self.packets_have_ids.load(Ordering::Relaxed) },
            fixed => fixed,
        }
    }

    pub fn outlet(&self) -> Option<&Outlet> {
        self.outlet.get()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
