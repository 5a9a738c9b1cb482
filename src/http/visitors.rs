//! The HTTP connections that carry no client, and which of them goes when places run out: the longest idle of the address
//! that holds most; of half-sent heads, the oldest.
//!
//! Nothing is kept in order while all is well, for that would cost every request something: who goes is looked up when
//! somebody has to, some at once. Must not know what is asked or answered.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::pace::{Moment, Pace, Phase};
use crate::address::Network;
use crate::config::ConnectionLimits;
use crate::telemetry::metrics::Metrics;

/// What half-sent heads may cost together.
const HEAD_BYTES: usize = 64 * 1024 * 1024;
/// An address holds much from this part of all places on. Below it all are alike.
const MUCH: usize = 64;
/// So many go by one look at all: this part of those who might, at most [`MOST_AT_ONCE`].
const AT_ONCE: usize = 64;
const MOST_AT_ONCE: usize = 512;
/// Longer than any call takes.
const STUCK: Duration = Duration::from_secs(5);

/// All of them.
#[derive(Debug)]
pub(super) struct Visitors {
    pub(super) began: Instant,
    metrics: Arc<Metrics>,
    /// `MAX_HTTP_CONNECTIONS`.
    most: usize,
    /// All places there are.
    places: usize,
    /// Connections that have been answered and carry no client.
    answered: AtomicUsize,
    head_bytes: AtomicUsize,
    next: AtomicU64,
    all: Mutex<HashMap<u64, Weak<Pace>>>,
    /// Whose turn it is, by what there is too much of.
    answered_turn: Turn,
    any_turn: Turn,
    head_turn: Turn,
}

/// Those who go next, each with what it was doing when that was decided.
type Turn = Mutex<VecDeque<(Weak<Pace>, Moment)>>;

/// One that might go.
struct Candidate {
    pace: Arc<Pace>,
    moment: Moment,
}

impl Visitors {
    pub(super) fn new(limits: &ConnectionLimits, metrics: &Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            metrics: Arc::clone(metrics),
            began: Instant::now(),
            most: limits.max_http,
            places: limits.max_http.saturating_add(limits.max_websockets),
            answered: AtomicUsize::new(0),
            head_bytes: AtomicUsize::new(0),
            next: AtomicU64::new(0),
            all: Mutex::default(),
            answered_turn: Turn::default(),
            any_turn: Turn::default(),
            head_turn: Turn::default(),
        })
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn enter(&self, number: u64, pace: &Arc<Pace>) {
        lock(&self.all).insert(number, Arc::downgrade(pace));
    }

    pub(super) fn leave(&self, number: u64) {
        lock(&self.all).remove(&number);
    }

    /// One more has been answered. Another goes if those are too many.
    pub(super) fn on_answered(&self) {
        if self.answered.fetch_add(1, Ordering::Relaxed) >= self.most {
            let is_idle =
                |pace: &Pace, moment: Moment| pace.is_counted() && matches!(moment.phase(), Phase::Idle | Phase::Head);
            self.push_out(&self.answered_turn, self.most, is_idle, |pace, _| pace.is_counted());
        }
    }

    /// One of those carries a client now, or is gone.
    pub(super) fn on_no_longer_answered(&self) {
        self.answered.fetch_sub(1, Ordering::Relaxed);
    }

    /// So many more bytes for half-sent heads. The oldest go while that is too much.
    pub(super) fn on_half_sent(&self, bytes: usize) {
        let mut now = self.head_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        while now > HEAD_BYTES && self.push_out_oldest_head() {
            now = self.head_bytes.load(Ordering::Relaxed);
        }
    }

    pub(super) fn on_head_gone(&self, bytes: usize) {
        self.head_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Somebody goes for one who has just come: where nobody is idle, who asks for something and is stuck.
    pub(super) fn make_room(&self) -> bool {
        use Phase::{Client, Given, Held, PushedOut, Stream};
        let is_idle = |_: &Pace, moment: Moment| matches!(moment.phase(), Phase::New | Phase::Idle | Phase::Head);
        let stuck = Moment::new(self.began.elapsed().saturating_sub(STUCK), Phase::Asking);
        let is_stuck = |_: &Pace, moment: Moment| moment.phase() == Phase::Asking && moment < stuck;
        let is_visitor =
            |_: &Pace, moment: Moment| !matches!(moment.phase(), Client | Held | Given | Stream | PushedOut);
        self.push_out(&self.any_turn, self.places, is_idle, is_visitor)
            || self.push_out(&self.any_turn, self.places, is_stuck, is_visitor)
    }

    fn push_out_oldest_head(&self) -> bool {
        self.next_of(&self.head_turn, || {
            let mut heads = self.candidates(|pace, moment| moment.phase() == Phase::Head && pace.half_sent() > 0);
            heads.sort_unstable_by_key(|candidate| candidate.moment);
            let most = at_once(heads.len());
            heads.into_iter().take(most).map(Candidate::into_turn).collect()
        })
    }

    /// Whose turn it is among those who `may_go`; an address holds what `counts`.
    fn push_out(
        &self,
        turn: &Turn,
        places: usize,
        may_go: impl Fn(&Pace, Moment) -> bool,
        counts: impl Fn(&Pace, Moment) -> bool,
    ) -> bool {
        self.next_of(turn, || choose(self.candidates(counts), (places / MUCH).max(1), may_go))
    }

    /// Pushes out who is next, looking once for more where nobody is left who still does what it did.
    fn next_of(&self, turn: &Turn, look: impl FnOnce() -> VecDeque<(Weak<Pace>, Moment)>) -> bool {
        let mut turn = lock(turn);
        let first = |turn: &mut VecDeque<(Weak<Pace>, Moment)>| {
            while let Some((pace, moment)) = turn.pop_front() {
                if pace.upgrade().is_some_and(|pace| pace.push_out(moment)) {
                    return true;
                }
            }
            false
        };
        let has_pushed = first(&mut turn) || {
            *turn = look();
            first(&mut turn)
        };
        if has_pushed {
            self.metrics.http_pushed_out.inc();
        }
        has_pushed
    }

    fn candidates(&self, counts: impl Fn(&Pace, Moment) -> bool) -> Vec<Candidate> {
        let all: Vec<_> = lock(&self.all).values().filter_map(Weak::upgrade).collect();
        let candidates = all.into_iter().map(|pace| Candidate { moment: pace.moment(), pace });
        candidates.filter(|candidate| counts(&candidate.pace, candidate.moment)).collect()
    }
}

impl Candidate {
    fn into_turn(self) -> (Weak<Pace>, Moment) {
        (Arc::downgrade(&self.pace), self.moment)
    }
}

/// Who goes, in this order.
fn choose(
    candidates: Vec<Candidate>,
    much: usize,
    may_go: impl Fn(&Pace, Moment) -> bool,
) -> VecDeque<(Weak<Pace>, Moment)> {
    let mut held: HashMap<Network, usize> = HashMap::new();
    let mut idle: HashMap<Network, Vec<Candidate>> = HashMap::new();
    for candidate in candidates {
        let network = candidate.pace.network;
        *held.entry(network).or_default() += 1;
        if may_go(&candidate.pace, candidate.moment) {
            idle.entry(network).or_default().push(candidate);
        }
    }
    let most = at_once(idle.values().map(Vec::len).sum());
    let mut addresses = BinaryHeap::new();
    for (network, idle) in &mut idle {
        // The longest idle is the last, to be taken first.
        idle.sort_unstable_by_key(|candidate| Reverse(candidate.moment));
        let held = held.get(network).copied().unwrap_or_default();
        addresses.extend(idle.last().map(|longest| (held.max(much), Reverse(longest.moment), held, *network)));
    }
    let mut chosen = VecDeque::new();
    while chosen.len() < most
        && let Some((_, _, held, network)) = addresses.pop()
        && let Some(idle) = idle.get_mut(&network)
    {
        chosen.extend(idle.pop().map(Candidate::into_turn));
        let held = held.saturating_sub(1);
        addresses.extend(idle.last().map(|longest| (held.max(much), Reverse(longest.moment), held, network)));
    }
    chosen
}

fn at_once(candidates: usize) -> usize {
    (candidates / AT_ONCE).clamp(1, MOST_AT_ONCE)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    fn visitors(limits: &ConnectionLimits) -> Arc<Visitors> {
        Visitors::new(limits, &Arc::default())
    }

    fn come(visitors: &Arc<Visitors>, address: u8) -> Arc<Pace> {
        Pace::new(visitors, Address::of([10, 0, 0, address].into()), &ConnectionLimits::default())
    }

    fn is_gone(pace: &Pace) -> bool {
        pace.moment().phase() == Phase::PushedOut
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_of_the_address_that_holds_most_goes_first() {
        let visitors = visitors(&ConnectionLimits { max_http: 4, ..ConnectionLimits::default() });
        let mut all = Vec::new();
        for address in [1, 2, 2, 1, 2, 3] {
            let pace = come(&visitors, address);
            pace.on_request();
            pace.on_answer();
            all.push(pace);
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        let gone: Vec<_> = all.iter().map(|pace| is_gone(pace)).collect();
        // The second address held three of five, and of the others the first came first.
        assert_eq!(gone, [true, true, false, false, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_asked_to_go_and_asks_for_something_at_that_moment_stays() {
        let visitors = visitors(&ConnectionLimits::default());
        let pace = come(&visitors, 1);
        let then = pace.moment();
        pace.on_request();
        assert!(!pace.push_out(then) && !visitors.make_room());
        tokio::time::advance(STUCK + Duration::from_secs(1)).await;
        assert!(visitors.make_room() && is_gone(&pace));
    }

    #[tokio::test(start_paused = true)]
    async fn half_sent_heads_cost_so_much_together_and_then_the_oldest_goes() {
        let visitors = visitors(&ConnectionLimits::default());
        let mut half = Vec::new();
        for _ in 0..2_000 {
            let pace = come(&visitors, 1);
            pace.on_bytes(32_000).unwrap();
            pace.on_waiting();
            assert!(visitors.head_bytes.load(Ordering::Relaxed) <= HEAD_BYTES);
            half.push(pace);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let gone = half.iter().take_while(|pace| is_gone(pace)).count();
        assert!(gone > 500 && half.iter().skip(gone).all(|pace| !is_gone(pace)), "{gone}");
        assert!(half[0].on_bytes(1).is_err() && half[gone].on_bytes(1).is_ok());
        drop(half);
        assert_eq!(visitors.head_bytes.load(Ordering::Relaxed), 0);
        assert!(lock(&visitors.all).is_empty());
    }
}
