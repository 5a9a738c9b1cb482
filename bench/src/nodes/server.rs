//! The Redis between the nodes: its memory with a full log, and how soon all goes on after it was away.

use std::thread;
use std::time::{Duration, Instant};

use pulso_harness::Running;
use pulso_harness::redis::Redis;

use super::{NAME, NODES, call};
use crate::caller::Caller;
use crate::report::Report;
use crate::swarm::Swarm;
use crate::wire::Wire;

/// Of events and of remembered calls.
const FULL: u32 = 100_000;
const CALLERS: u32 = 12;
const AWAY: Duration = Duration::from_secs(1);
const STILL: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(10);
/// A call that was refused is made again after this.
const AGAIN: Duration = Duration::from_millis(2);
/// No call before has such a number.
const LATER: u32 = 10_000_000;

pub fn fill(redis: &Redis, nodes: &[Running], report: &mut Report) {
    redis.say(&["FLUSHALL"]);
    let before = memory(redis);
    thread::scope(|scope| {
        for first in 0..CALLERS {
            let port = nodes[first as usize % NODES].port();
            scope.spawn(move || {
                let mut caller = Caller::open(port);
                for number in (first..FULL).step_by(CALLERS as usize) {
                    while caller.try_call(&call(LATER + number, true)) != Some(200) {
                        thread::sleep(AGAIN);
                    }
                }
            });
        }
    });
    let entries = redis.say(&["XLEN", "{pulso}:events"]);
    let taken = (memory(redis) - before) / 1e6;
    let what = format!("Redis's memory with {FULL} remembered calls and a log of {entries} events");
    report.check(NAME, &what, format!("{taken:.0} MB"), "80 MB", taken <= 80.0);
}

pub fn break_off(redis: &mut Redis, nodes: &[Running], report: &mut Report) {
    let mut screens: Vec<Swarm> =
        nodes.iter().map(|node| Swarm::new(node.port(), Wire::Sales.seats(0..1, 1))).collect();
    for screen in &mut screens {
        screen.connect(1);
    }
    redis.kill();
    thread::sleep(AWAY);
    redis.revive();
    let [accepted, level] = until_level(nodes, &mut screens, 2 * LATER);
    let what = "Redis killed and back empty: first event accepted · everywhere";
    let (most, at_most) = (Duration::from_millis(500), Duration::from_secs(1));
    report.check(NAME, what, both(accepted, level), "0.50 · 1.00 s", accepted <= most && level <= at_most);
    redis.freeze();
    thread::sleep(STILL);
    redis.thaw();
    let [accepted, level] = until_level(nodes, &mut screens, 3 * LATER);
    let what = "Redis stood still for 4 s: first event accepted · everywhere";
    report.check(NAME, what, both(accepted, level), "0.20 s ·", accepted <= Duration::from_millis(200));
}

/// From now: when a call is taken by some node, and when its event is everywhere.
fn until_level(nodes: &[Running], screens: &mut [Swarm], first: u32) -> [Duration; 2] {
    let from = Instant::now();
    let heard: Vec<u64> = screens.iter().map(|screen| screen.counts.delivered).collect();
    let mut callers: Vec<Caller> = nodes.iter().map(|node| Caller::open(node.port())).collect();
    let mut number = first;
    while callers[number as usize % NODES].try_call(&call(number, true)) != Some(200) {
        assert!(from.elapsed() < PATIENCE, "no event is taken");
        number += 1;
        thread::sleep(AGAIN);
    }
    let accepted = from.elapsed();
    for (screen, heard) in screens.iter_mut().zip(heard) {
        let has_it = screen.drive(PATIENCE, |screen| screen.counts.delivered > heard);
        assert!(has_it, "not everybody has it: {:?}", screen.counts);
    }
    [accepted, from.elapsed()]
}

fn both(accepted: Duration, level: Duration) -> String {
    format!("{:.2} · {:.2} s", accepted.as_secs_f64(), level.as_secs_f64())
}

fn memory(redis: &Redis) -> f64 {
    let said = redis.say(&["INFO", "memory"]);
    let used = said.lines().find_map(|line| line.trim().strip_prefix("used_memory:"));
    used.and_then(|used| used.parse().ok()).expect("the server says how much it uses")
}
