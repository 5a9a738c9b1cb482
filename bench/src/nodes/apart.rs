//! A node whose line to Redis falls silent while the others go on: how soon its screens are level when it is back.

use std::thread;
use std::time::{Duration, Instant};

use pulso_harness::{ChaosProxy, Database, Redis};
use tokio::runtime::Builder;

use super::{NAME, node};
use crate::caller::Caller;
use crate::report::Report;
use crate::swarm::Swarm;
use crate::wire::Wire;

/// Events that it misses, one after the other.
const MISSED: u32 = 250;
const PACE: Duration = Duration::from_millis(20);
/// On the node that is cut off.
const SCREENS: u32 = 100;
const AT_ONCE: usize = 100;
const PATIENCE: Duration = Duration::from_secs(10);
const MOST: Duration = Duration::from_millis(500);
/// No sale before has such a number.
const FIRST: u64 = 90_000_000;

pub fn measure(binary: &str, database: &Database, report: &mut Report) -> Result<(), String> {
    // The proxy works while this thread waits for other things.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let redis = Redis::start();
    let proxy = runtime.block_on(ChaosProxy::start(redis.port()));
    let far_url = format!("redis://127.0.0.1:{}", proxy.port());
    let near = runtime.block_on(node(binary, database, &redis.url()).ready());
    let far = runtime.block_on(node(binary, database, &far_url).ready());
    let mut screens = Swarm::new(far.port(), Wire::Sales.seats(0..SCREENS, 1));
    screens.connect(AT_ONCE);
    let mut caller = Caller::open(near.port());
    let mut say = |number: u64| assert_eq!(caller.try_call(&Wire::Sales.notice(0, number)), Some(200), "it is taken");
    say(FIRST);
    let each = u64::from(SCREENS);
    assert!(screens.drive(PATIENCE, |screens| screens.counts.delivered >= each), "everybody has the first");

    proxy.silence();
    for number in 1..=MISSED {
        say(FIRST + u64::from(number));
        thread::sleep(PACE);
    }
    let from = Instant::now();
    runtime.block_on(proxy.restore());
    let all = each * u64::from(MISSED + 1);
    let are_level = screens.drive(PATIENCE, |screens| screens.counts.delivered >= all);
    let took = from.elapsed();
    let missing = all.saturating_sub(screens.counts.delivered);
    let wrong = missing + screens.counts.disordered + screens.counts.lost;
    let what = format!("a node cut off for 5 s and {MISSED} events: its {SCREENS} screens are level after · wrong");
    let measured = format!("{:.2} s · {wrong}", took.as_secs_f64());
    report.check(NAME, &what, measured, "0.50 s · 0", are_level && took <= MOST && wrong == 0);
    Ok(())
}
