//! Calls to every node all the time, and when each was made and taken: what a failover looks like to who calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pulso_harness::Running;

use super::call;
use crate::caller::Caller;

/// At each node: one that waits for an answer does not keep the others from asking.
const CALLERS: usize = 4;
/// Between two calls of one caller.
const PACE: Duration = Duration::from_millis(4);

/// Calls without a key, until they are stopped.
pub struct Steady {
    stop: Arc<AtomicBool>,
    callers: Vec<(usize, JoinHandle<Vec<Taken>>)>,
}

/// A call that was answered 200.
#[derive(Clone, Copy, Debug)]
struct Taken {
    sent: Instant,
    answered: Instant,
}

/// What was taken by each node, in the order of the answers.
pub struct History {
    from: Instant,
    to: Instant,
    nodes: Vec<Vec<Taken>>,
}

impl Steady {
    /// The first call has the number `first`.
    pub fn begin(nodes: &[Running], first: u32) -> Self {
        let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(first)));
        let callers = nodes.iter().enumerate().flat_map(|(node, running)| {
            let port = running.port();
            let begin = |_| {
                let (stop, next) = (Arc::clone(&stop), Arc::clone(&next));
                (node, thread::spawn(move || keep_calling(port, &stop, &next)))
            };
            (0..CALLERS).map(begin).collect::<Vec<_>>()
        });
        Self { callers: callers.collect(), stop: Arc::clone(&stop) }
    }

    /// Ends the calls; what is asked of the history is what came after `from`.
    pub fn end(self, from: Instant) -> History {
        self.stop.store(true, Ordering::Relaxed);
        let to = Instant::now();
        let count = self.callers.iter().map(|(node, _)| node + 1).max().unwrap_or(0);
        let mut nodes = vec![Vec::new(); count];
        for (node, caller) in self.callers {
            nodes[node].extend(caller.join().expect("a caller comes to its end"));
        }
        for taken in &mut nodes {
            taken.sort_unstable_by_key(|taken| taken.answered);
        }
        History { from, to, nodes }
    }
}

impl History {
    /// How long it took until a call that was made afterwards was taken: by some node, by every node.
    pub fn until_taken(&self) -> [Duration; 2] {
        let first = |taken: &Vec<Taken>| {
            let later = taken.iter().find(|taken| taken.sent >= self.from);
            later.map_or(Duration::MAX, |taken| taken.answered - self.from)
        };
        let firsts: Vec<Duration> = self.nodes.iter().map(first).collect();
        [firsts.iter().min(), firsts.iter().max()].map(|first| first.copied().unwrap_or(Duration::MAX))
    }

    /// For how long a node took no call, at most.
    pub fn longest_gap(&self) -> Duration {
        let gap = |taken: &Vec<Taken>| {
            let within = taken.iter().map(|taken| taken.answered).filter(|at| (self.from..self.to).contains(at));
            let times: Vec<Instant> = std::iter::once(self.from).chain(within).chain([self.to]).collect();
            times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default()
        };
        self.nodes.iter().map(gap).max().unwrap_or(Duration::MAX)
    }
}

fn keep_calling(port: u16, stop: &AtomicBool, next: &AtomicU32) -> Vec<Taken> {
    let (mut caller, mut taken) = (Caller::open(port), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let (number, sent) = (next.fetch_add(1, Ordering::Relaxed), Instant::now());
        match caller.try_call(&call(number, false)) {
            Some(200) => taken.push(Taken { sent, answered: Instant::now() }),
            Some(_) => {}
            None => caller = Caller::open(port),
        }
        thread::sleep(PACE);
    }
    taken
}
