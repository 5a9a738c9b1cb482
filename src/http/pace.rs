//! How long an HTTP connection may take over what it is doing: a request head, an exchange, the pause between two.
//!
//! hyper has one timeout for a head and for an idle connection alike; these need two.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use crate::config::ConnectionLimits;

/// Longer than the longest answer takes, a hook's included; what is left is a peer that does not read.
const EXCHANGE: Duration = Duration::from_secs(30);

/// The deadline of one connection, moved by what happens on it.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    /// Milliseconds after `began`.
    deadline: AtomicU64,
    is_idle: AtomicBool,
    head: Duration,
    idle: Duration,
}

/// A stream that tells its pace when a request begins to come in.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
}

impl Pace {
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        let pace = Self {
            began: Instant::now(),
            deadline: AtomicU64::new(0),
            is_idle: AtomicBool::new(false),
            head: limits.handshake_timeout,
            idle: limits.http_idle_timeout,
        };
        pace.allow(pace.head);
        pace
    }

    pub(super) fn on_request(&self) {
        self.is_idle.store(false, Ordering::Relaxed);
        self.allow(EXCHANGE);
    }

    /// A request whose answer may be held back for `wait` has begun.
    pub(super) fn on_poll(&self, wait: Duration) {
        self.allow(wait.saturating_add(EXCHANGE));
    }

    /// An answer that goes on has been taken so far, and has `patience` until more of it is.
    pub(super) fn on_stream(&self, patience: Duration) {
        self.is_idle.store(false, Ordering::Relaxed);
        self.allow(patience);
    }

    pub(super) fn on_answer(&self) {
        self.allow(self.idle);
        self.is_idle.store(true, Ordering::Relaxed);
    }

    fn on_bytes(&self) {
        if self.is_idle.swap(false, Ordering::Relaxed) {
            self.allow(self.head);
        }
    }

    fn allow(&self, time: Duration) {
        let deadline = self.began.elapsed() + time;
        self.deadline.store(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns when the connection has taken too long. Nobody tells it that the deadline has moved, which happens twice
    /// a request: it looks at least as often as the shortest time there is, and no deadline can be nearer than that.
    pub(super) async fn overrun(&self) {
        let shortest = self.head.min(self.idle).min(EXCHANGE);
        loop {
            let deadline = self.began + Duration::from_millis(self.deadline.load(Ordering::Relaxed));
            let now = Instant::now();
            if deadline <= now {
                return;
            }
            sleep_until(deadline.min(now + shortest)).await;
        }
    }
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Arc<Pace>) -> Self {
        Self { stream, pace }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.pace.on_bytes();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    async fn lasts(pace: &Pace) -> Duration {
        let from = Instant::now();
        timeout(Duration::from_hours(1), pace.overrun()).await.unwrap();
        from.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_and_an_idle_pause_have_their_own_deadlines() {
        let limits = ConnectionLimits::default();
        let pace = Pace::new(&limits);
        assert_eq!(lasts(&pace).await, limits.handshake_timeout);
        pace.on_request();
        pace.on_answer();
        assert_eq!(lasts(&pace).await, limits.http_idle_timeout);
        pace.on_answer();
        pace.on_bytes();
        // A byte now and then does not buy more time.
        pace.on_bytes();
        assert_eq!(lasts(&pace).await, limits.handshake_timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moves_closer_is_noticed_by_who_waits_already() {
        let limits = ConnectionLimits::default();
        let pace = Pace::new(&limits);
        pace.on_request();
        pace.on_answer();
        let began = async {
            tokio::task::yield_now().await;
            pace.on_bytes();
        };
        assert_eq!(tokio::join!(lasts(&pace), began).0, limits.handshake_timeout);
    }
}
