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

/// Calls without a key, until they are stopped; each caller says when it was answered 200.
pub struct Steady {
    stop: Arc<AtomicBool>,
    callers: Vec<(usize, JoinHandle<Vec<Instant>>)>,
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

    /// Ends the calls. For how long a node took no call, at most, after `from`.
    pub fn longest_gap(self, from: Instant) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        let to = Instant::now();
        let count = self.callers.iter().map(|(node, _)| node + 1).max().unwrap_or(0);
        let mut nodes = vec![Vec::new(); count];
        for (node, caller) in self.callers {
            nodes[node].extend(caller.join().expect("a caller comes to its end"));
        }
        let gap = |mut taken: Vec<Instant>| {
            taken.retain(|at| (from..to).contains(at));
            taken.extend([from, to]);
            taken.sort_unstable();
            taken.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default()
        };
        nodes.into_iter().map(gap).max().unwrap_or(Duration::MAX)
    }
}

fn keep_calling(port: u16, stop: &AtomicBool, next: &AtomicU32) -> Vec<Instant> {
    let (mut caller, mut taken) = (Caller::open(port), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        match caller.try_call(&call(number, false)) {
            Some(200) => taken.push(Instant::now()),
            Some(_) => {}
            None => caller = Caller::open(port),
        }
        thread::sleep(PACE);
    }
    taken
}
