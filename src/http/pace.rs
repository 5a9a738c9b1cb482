//! What an HTTP connection is doing and how long it may take over it: a request head, an exchange, the pause between two.
//!
//! hyper has one timeout for a head and for an idle connection alike; these need two. Must not know the stream.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::{Instant, sleep_until};

use super::visitors::Visitors;
use crate::address::{Address, Network};
use crate::config::ConnectionLimits;

/// Longer than the longest answer takes, a hook's included; what is left is a peer that does not read.
const EXCHANGE: Duration = Duration::from_secs(30);
/// What a connection costs of which a part of a head has come, beside twice that part, for a buffer grows by doubling.
const HEAD_COST: usize = 16 * 1024;

/// One connection: until when it has to have done what it is doing, and what that is.
#[derive(Debug)]
pub(super) struct Pace {
    visitors: Arc<Visitors>,
    number: u64,
    pub(super) network: Network,
    /// Milliseconds after the first connection of all could have come.
    deadline: AtomicU64,
    moment: AtomicU64,
    /// It counts against `MAX_HTTP_CONNECTIONS`.
    is_counted: AtomicBool,
    /// What is known to be held for a head of which only a part has come, and how many bytes that part has.
    half_sent: AtomicUsize,
    head_bytes: AtomicUsize,
    head: Duration,
    idle: Duration,
    task: AtomicWaker,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not said anything yet.
    New,
    /// It has been answered.
    Idle,
    /// A request is coming in.
    Head,
    /// A request has come in and is being answered.
    Asking,
    /// It carries a client until the answer comes, and it has a place of its own: hyper lets go of it.
    Client,
    /// It carries a client until the answer ends.
    Stream,
    /// Its place is another's.
    PushedOut,
}

/// A phase and since when, in microseconds; older ones are less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

const PHASES: [Phase; 7] = {
    use Phase::{Asking, Client, Head, Idle, New, PushedOut, Stream};
    [New, Idle, Head, Asking, Client, Stream, PushedOut]
};

impl Moment {
    pub(super) fn new(since: Duration, phase: Phase) -> Self {
        Self(u64::try_from(since.as_micros()).unwrap_or_default() << 3 | phase as u64)
    }

    pub(super) fn phase(self) -> Phase {
        PHASES.get((self.0 & 7) as usize).copied().unwrap_or(Phase::PushedOut)
    }
}

impl Pace {
    /// Of a connection that has just come.
    pub(super) fn new(visitors: &Arc<Visitors>, address: Address, limits: &ConnectionLimits) -> Arc<Self> {
        let now = visitors.began.elapsed();
        let pace = Arc::new(Self {
            visitors: Arc::clone(visitors),
            number: visitors.next_number(),
            network: address.network(),
            deadline: AtomicU64::new(0),
            moment: AtomicU64::new(Moment::new(now, Phase::New).0),
            is_counted: AtomicBool::new(false),
            half_sent: AtomicUsize::new(0),
            head_bytes: AtomicUsize::new(0),
            head: limits.handshake_timeout,
            idle: limits.http_idle_timeout,
            task: AtomicWaker::new(),
        });
        pace.allow(now, pace.head);
        visitors.enter(pace.number, &pace);
        pace
    }

    /// A whole head has come in. Who was to go has just saved itself.
    pub(super) fn on_request(&self) {
        self.head_is_whole();
        self.go_on(Phase::Asking, EXCHANGE);
    }

    /// A request whose answer may be held back for `wait` has begun: it carries a client until then.
    pub(super) fn on_poll(&self, wait: Duration) {
        self.count(false);
        self.go_on(Phase::Client, wait.saturating_add(EXCHANGE));
    }

    /// An answer that goes on has been taken so far, and has `patience` until more of it is.
    pub(super) fn on_stream(&self, patience: Duration) {
        self.count(false);
        self.go_on(Phase::Stream, patience);
    }

    /// An answer that goes on has ended.
    pub(super) fn on_stream_end(&self) {
        self.go_on(Phase::Idle, self.idle);
        self.count(true);
    }

    /// An answer is ready. One that does not go on is all there is.
    pub(super) fn on_answer(&self) {
        if self.moment().phase() != Phase::Stream {
            self.on_stream_end();
        }
    }

    /// Bytes have come in. `Err`: they come too late, its place is another's.
    pub(super) fn on_bytes(&self, bytes: usize) -> io::Result<()> {
        let moment = self.moment();
        let is_first = match moment.phase() {
            Phase::Head => false,
            Phase::New | Phase::Idle => true,
            Phase::Asking | Phase::Client | Phase::Stream => return Ok(()),
            Phase::PushedOut => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        if !is_first {
            self.head_bytes.fetch_add(bytes, Ordering::Relaxed);
            return Ok(());
        }
        let now = self.visitors.began.elapsed();
        let head = Moment::new(now, Phase::Head).0;
        let changed = self.moment.compare_exchange(moment.0, head, Ordering::AcqRel, Ordering::Acquire);
        changed.map_err(|_| io::ErrorKind::ConnectionAborted)?;
        self.head_bytes.store(bytes, Ordering::Relaxed);
        // Of a new connection the whole time counts.
        if moment.phase() == Phase::Idle {
            self.allow(now, self.head);
        }
        Ok(())
    }

    /// Nothing more comes just now: what has come of a head has to be kept.
    pub(super) fn on_waiting(&self) {
        if self.moment().phase() != Phase::Head {
            return;
        }
        let holds = HEAD_COST + 2 * self.head_bytes.load(Ordering::Relaxed);
        let before = self.half_sent.swap(holds, Ordering::Relaxed);
        if holds > before {
            self.visitors.on_half_sent(holds - before);
        }
    }

    fn head_is_whole(&self) {
        let held = self.half_sent.load(Ordering::Relaxed);
        if held > 0 {
            self.half_sent.store(0, Ordering::Relaxed);
            self.visitors.on_head_gone(held);
        }
    }

    fn go_on(&self, phase: Phase, time: Duration) {
        let now = self.visitors.began.elapsed();
        self.moment.store(Moment::new(now, phase).0, Ordering::Release);
        self.allow(now, time);
    }

    fn allow(&self, now: Duration, time: Duration) {
        let deadline = u64::try_from((now + time).as_millis()).unwrap_or(u64::MAX);
        self.deadline.store(deadline, Ordering::Relaxed);
    }

    fn count(&self, counts: bool) {
        if self.is_counted.load(Ordering::Relaxed) == counts {
            return;
        }
        match (self.is_counted.swap(counts, Ordering::Relaxed), counts) {
            (false, true) => self.visitors.on_answered(),
            (true, false) => self.visitors.on_no_longer_answered(),
            _ => {}
        }
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.moment.load(Ordering::Acquire))
    }

    pub(super) fn is_counted(&self) -> bool {
        self.is_counted.load(Ordering::Relaxed)
    }

    pub(super) fn half_sent(&self) -> usize {
        self.half_sent.load(Ordering::Relaxed)
    }

    /// Its place is another's if it is still doing what it did at that `moment`.
    pub(super) fn push_out(&self, moment: Moment) -> bool {
        let gone = Moment::new(self.visitors.began.elapsed(), Phase::PushedOut).0;
        let is_gone = self.moment.compare_exchange(moment.0, gone, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if is_gone {
            self.head_is_whole();
            self.count(false);
            self.task.wake();
        }
        is_gone
    }

    /// Returns when the connection has taken too long, or its place is another's. Nobody tells it that the deadline has
    /// moved, which happens twice a request: it looks at least as often as the shortest time there is, and no deadline can
    /// be nearer than that.
    pub(super) async fn overrun(&self) {
        let shortest = self.head.min(self.idle).min(EXCHANGE);
        let mut look = pin!(sleep_until(self.next_look(shortest)));
        poll_fn(|cx| {
            self.task.register(cx.waker());
            if self.moment().phase() == Phase::PushedOut {
                return Poll::Ready(());
            }
            while look.as_mut().poll(cx).is_ready() {
                let next = self.next_look(shortest);
                if next <= Instant::now() {
                    return Poll::Ready(());
                }
                look.as_mut().reset(next);
            }
            Poll::Pending
        })
        .await;
    }

    fn next_look(&self, shortest: Duration) -> Instant {
        let deadline = self.visitors.began + Duration::from_millis(self.deadline.load(Ordering::Relaxed));
        deadline.min(Instant::now() + shortest)
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.visitors.leave(self.number);
        self.head_is_whole();
        self.count(false);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    fn pace(limits: &ConnectionLimits) -> Arc<Pace> {
        Pace::new(&Visitors::new(limits, &Arc::default()), Address::of([127, 0, 0, 1].into()), limits)
    }

    async fn lasts(pace: &Pace) -> Duration {
        let from = Instant::now();
        timeout(Duration::from_hours(1), pace.overrun()).await.unwrap();
        from.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_and_an_idle_pause_have_their_own_deadlines() {
        let limits = ConnectionLimits::default();
        let pace = pace(&limits);
        assert_eq!(lasts(&pace).await, limits.handshake_timeout);
        pace.on_request();
        pace.on_answer();
        assert_eq!(lasts(&pace).await, limits.http_idle_timeout);
        pace.on_answer();
        pace.on_bytes(1).unwrap();
        // A byte now and then does not buy more time.
        pace.on_bytes(1).unwrap();
        assert_eq!(lasts(&pace).await, limits.handshake_timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moves_closer_is_noticed_by_who_waits_already() {
        let limits = ConnectionLimits::default();
        let pace = pace(&limits);
        pace.on_request();
        pace.on_answer();
        let began = async {
            tokio::task::yield_now().await;
            pace.on_bytes(1).unwrap();
        };
        assert_eq!(tokio::join!(lasts(&pace), began).0, limits.handshake_timeout);
    }
}
