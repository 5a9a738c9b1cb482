//! What an HTTP connection is doing and how long it may take over it: a request head, an exchange, the pause between two.
//!
//! hyper has one timeout for a head and for an idle connection alike; these need two. Must not know the stream.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::{Instant, Sleep, sleep_until};

use super::visitors::Visitors;
use crate::address::{Address, Network};
use crate::config::ConnectionLimits;

/// Longer than the longest answer takes, a hook's included; what is left is a peer that does not read.
const EXCHANGE: Duration = Duration::from_secs(30);
/// Whoever is given something more often than this does not pay for the way out of hyper and back.
const KEPT: Duration = Duration::from_secs(1);
/// That is known of who has been so often: one that has just come is greeted, and may hear nothing for long then.
const OFTEN: u8 = 2;
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
    /// How often what it waited for has come within [`KEPT`] by now, up to [`OFTEN`].
    often: AtomicU8,
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
    /// It carries a client until the answer comes, and it has a place of its own.
    Client,
    /// The same, and it may last: hyper lets go of it.
    Held,
    /// The answer has come, and nothing of it is written.
    Given,
    /// It carries a client until the answer ends.
    Stream,
    /// Its place is another's.
    PushedOut,
}

/// A phase and since when, in microseconds; older ones are less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

const PHASES: [Phase; 9] = {
    use Phase::{Asking, Client, Given, Head, Held, Idle, New, PushedOut, Stream};
    [New, Idle, Head, Asking, Client, Held, Given, Stream, PushedOut]
};
const PHASE_BITS: u32 = PHASES.len().next_power_of_two().trailing_zeros();

impl Moment {
    pub(super) fn new(since: Duration, phase: Phase) -> Self {
        Self(u64::try_from(since.as_micros()).unwrap_or_default() << PHASE_BITS | phase as u64)
    }

    pub(super) fn phase(self) -> Phase {
        PHASES.get((self.0 & ((1 << PHASE_BITS) - 1)) as usize).copied().unwrap_or(Phase::PushedOut)
    }

    fn since(self) -> Duration {
        Duration::from_micros(self.0 >> PHASE_BITS)
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
            often: AtomicU8::new(0),
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
        let is_often = self.often.load(Ordering::Relaxed) >= OFTEN;
        self.go_on(if is_often { Phase::Client } else { Phase::Held }, wait.saturating_add(EXCHANGE));
    }

    /// What was waited for since then has come.
    pub(super) fn on_come(&self) {
        let waited = self.visitors.began.elapsed().saturating_sub(self.moment().since());
        let often = self.often.load(Ordering::Relaxed);
        self.often.store(if waited < KEPT { (often + 1).min(OFTEN) } else { 0 }, Ordering::Relaxed);
    }

    /// It is about to be written.
    pub(super) fn on_given(&self) {
        self.go_on(Phase::Given, EXCHANGE);
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

    /// An answer is ready. One that does not go on is all there is; before what has waited is written, it is looked whether its
    /// peer is still there.
    pub(super) fn on_answer(&self) {
        if !matches!(self.moment().phase(), Phase::Stream | Phase::Given) {
            self.on_stream_end();
        }
    }

    /// Bytes have come in. `Err`: they come too late, its place is another's.
    pub(super) fn on_bytes(&self, bytes: usize) -> io::Result<()> {
        let moment = self.moment();
        let is_first = match moment.phase() {
            Phase::Head => false,
            Phase::New | Phase::Idle => true,
            Phase::Asking | Phase::Client | Phase::Held | Phase::Given | Phase::Stream => return Ok(()),
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

    /// Returns when an answer has been waited for so long that it is [`Phase::Held`] after all. Nobody tells it that one is: the
    /// connection's task, which looks whenever something happens, does that.
    pub(super) async fn kept(&self) {
        let mut look: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|cx| {
            loop {
                // One that rings for an answer of before costs less than to arm it anew for each.
                if let Some(sleep) = &mut look {
                    ready!(sleep.as_mut().poll(cx));
                    look = None;
                }
                let moment = self.moment();
                if moment.phase() != Phase::Client {
                    return Poll::Pending;
                }
                let until = self.visitors.began + moment.since() + KEPT;
                if until <= Instant::now() {
                    self.moment.store(Moment::new(moment.since(), Phase::Held).0, Ordering::Release);
                    return Poll::Ready(());
                }
                look = Some(Box::pin(sleep_until(until)));
            }
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
    async fn what_is_waited_for_is_let_go_of_at_once_but_by_who_has_been_given_something_often() {
        let pace = pace(&ConnectionLimits::default());
        let waits = async |wait| {
            pace.on_poll(Duration::from_secs(25));
            let phase = pace.moment().phase();
            tokio::time::advance(wait).await;
            pace.on_come();
            phase
        };
        for _ in 0..OFTEN {
            assert_eq!(waits(KEPT / 2).await, Phase::Held);
        }
        assert_eq!(waits(KEPT / 2).await, Phase::Client);
        pace.on_poll(Duration::from_secs(25));
        let from = Instant::now();
        timeout(Duration::from_hours(1), pace.kept()).await.unwrap();
        assert_eq!((from.elapsed().as_secs(), pace.moment().phase()), (KEPT.as_secs(), Phase::Held));
        pace.on_come();
        assert_eq!(waits(KEPT).await, Phase::Held, "it has to be often once more");
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
