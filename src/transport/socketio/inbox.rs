//! What the HTTP requests of one session ask of its task, in their order.
//!
//! Bounded by the connections that they come on: each waits for its answer. Must not know HTTP, nor what is said.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tokio::sync::oneshot;

use super::upgrade::Upgraded;
use crate::session::life::Ending;

/// Something for the session's task to do.
#[derive(Debug)]
pub(super) enum Asked {
    /// What waits, when something does.
    Get(oneshot::Sender<Answer>),
    /// Packets of the client's.
    Post(Bytes, oneshot::Sender<Answer>),
    /// The answer to the oldest of those is on its way.
    Answered,
    /// A WebSocket has shown that it works.
    Probed,
    /// It takes over.
    Upgraded(Box<Upgraded>),
    /// It does not, whatever became of it.
    NotUpgraded,
    /// Packets of the client's are lost, or too many: it cannot go on.
    End(Ending),
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Packets for the client.
    Packets(String),
    /// What it sent has been carried out.
    Done,
    /// What it sent is none of its packets; the session is over.
    Malformed,
    /// It asks twice at once; the session is over.
    Overlap,
}

/// The answer to come. `None`: the session is over.
#[derive(Debug)]
pub struct Awaited(oneshot::Receiver<Answer>);

#[derive(Debug, Default)]
pub(super) struct Inbox {
    inner: Mutex<Inner>,
    task: AtomicWaker,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: Waiting,
    is_closed: bool,
    upgrade: Upgrade,
}

/// What is to be done, in its order. Most sessions ask one thing at a time, and nothing most of the time: no room is made for
/// it.
#[derive(Debug, Default)]
struct Waiting {
    first: Option<Asked>,
    /// What came behind it.
    more: VecDeque<Asked>,
}

/// A WebSocket that tries to take over: there is one at a time.
#[derive(Debug, Default)]
enum Upgrade {
    #[default]
    Free,
    /// Dropped when the session ends before that.
    Tried(#[expect(dead_code, reason = "held for its end")] oneshot::Sender<Infallible>),
    /// The session ends: there is nothing to take over.
    Over,
}

impl Inbox {
    /// Whoever asks after the session is over is dropped, and what it waits for with it.
    pub(super) fn put(&self, asked: Asked) {
        let mut inner = self.lock();
        if inner.is_closed {
            drop(inner);
            return drop(asked);
        }
        inner.waiting.push(asked);
        drop(inner);
        self.task.wake();
    }

    /// Asks; the answer is to be waited for.
    pub(super) fn ask(&self, asked: impl FnOnce(oneshot::Sender<Answer>) -> Asked) -> Awaited {
        let (say, answer) = oneshot::channel();
        self.put(asked(say));
        Awaited(answer)
    }

    /// For the session's task.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Asked> {
        // Registered before looking: who asks in between wakes a task that is about to sleep.
        self.task.register(cx.waker());
        self.lock().waiting.pop().map_or(Poll::Pending, Poll::Ready)
    }

    /// For a WebSocket that wants to take over, which is told when the session ends; `None` while another does.
    pub(super) fn try_claim(&self) -> Option<oneshot::Receiver<Infallible>> {
        let mut inner = self.lock();
        if !matches!(inner.upgrade, Upgrade::Free) {
            return None;
        }
        let (session, over) = oneshot::channel();
        inner.upgrade = Upgrade::Tried(session);
        Some(over)
    }

    /// It does not try any more, whatever became of it.
    pub(super) fn unclaim(&self) {
        let mut inner = self.lock();
        if matches!(inner.upgrade, Upgrade::Tried(_)) {
            inner.upgrade = Upgrade::Free;
        }
        drop(inner);
        // If it has taken over nobody hears this.
        self.put(Asked::NotUpgraded);
    }

    /// The session ends, and takes its time to say so: nothing takes it over any more.
    pub(super) fn end_upgrade(&self) {
        self.lock().upgrade = Upgrade::Over;
    }

    /// The session is over.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        inner.upgrade = Upgrade::Over;
        let waiting = mem::take(&mut inner.waiting);
        // Who waits is told outside of the lock.
        drop(inner);
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, asked: Asked) {
        if self.first.is_none() && self.more.is_empty() {
            self.first = Some(asked);
        } else {
            self.more.push_back(asked);
        }
    }

    fn pop(&mut self) -> Option<Asked> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let next = self.more.pop_front();
        if next.is_some() && self.more.is_empty() {
            self.more = VecDeque::new();
        }
        next
    }
}

impl Future for Awaited {
    type Output = Option<Answer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Answer>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_is_asked_is_done_in_its_order_and_who_asks_is_answered() {
        let inbox = Arc::new(Inbox::default());
        let asking = tokio::spawn({
            let inbox = Arc::clone(&inbox);
            async move { inbox.ask(|say| Asked::Post(Bytes::from_static(b"3"), say)).await }
        });
        let Asked::Post(body, say) = poll_fn(|cx| inbox.poll_next(cx)).await else { panic!("a POST was sent") };
        assert_eq!(body, "3");
        say.send(Answer::Done).unwrap();
        assert_eq!(asking.await.unwrap(), Some(Answer::Done));
        inbox.put(Asked::Probed);
        inbox.put(Asked::NotUpgraded);
        assert!(matches!(poll_fn(|cx| inbox.poll_next(cx)).await, Asked::Probed));
        assert!(matches!(poll_fn(|cx| inbox.poll_next(cx)).await, Asked::NotUpgraded));
    }

    #[tokio::test]
    async fn who_asks_a_session_that_is_over_does_not_wait() {
        let inbox = Inbox::default();
        let (say, answer) = oneshot::channel();
        inbox.put(Asked::Get(say));
        inbox.close();
        assert!(answer.await.is_err());
        assert_eq!(inbox.ask(Asked::Get).await, None);
    }
}
