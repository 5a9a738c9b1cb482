//! Queries: of one notice that is watched on three nodes or nowhere, and of everybody who comes back at once.

use std::time::{Duration, Instant};

use pulso_harness::Running;

use super::{NAME, NODES};
use crate::caller::Caller;
use crate::report::Report;
use crate::runtime;
use crate::swarm::Swarm;
use crate::wire::Wire;

/// Business 0 has other work to do.
const NEGOCIOS: u32 = 100;
const CROWD: u32 = 10_000;
const AT_ONCE: usize = 1_000;
/// Until a re-read has been made, and nothing is owed any more.
const QUIET: Duration = Duration::from_secs(2);
/// For what the first read of a notice tells, and before it is read once more.
const SOON: Duration = Duration::from_millis(200);

pub fn measure(nodes: &[Running], report: &mut Report) {
    let mut swarms: Vec<Swarm> =
        nodes.iter().map(|node| Swarm::new(node.port(), Wire::Figures.seats(0..1, 1))).collect();
    let mut caller = Caller::open(nodes[0].port());
    let mut notice = |swarms: &mut [Swarm]| {
        for swarm in &mut *swarms {
            swarm.idle(QUIET);
        }
        let before = queries(nodes);
        assert_eq!(caller.try_call(&Wire::Figures.notice(0, 0)), Some(200), "a notice is taken");
        std::thread::sleep(SOON);
        queries(nodes) - before
    };
    let nowhere = notice(&mut swarms);
    for swarm in &mut swarms {
        swarm.connect(1);
    }
    let everywhere = notice(&mut swarms);
    drop(swarms);
    let said = format!("{everywhere} · {nowhere}");
    let is_good = (everywhere, nowhere) == (1, 0);
    report.check(NAME, "queries for a notice watched on three nodes · nowhere", said, "1 · 0", is_good);

    let each = CROWD / NODES as u32;
    let seats = |node: usize| Wire::Figures.seats(each * node as u32..each * (node as u32 + 1), NEGOCIOS);
    let mut crowd: Vec<Swarm> = nodes.iter().zip(0..).map(|(node, at)| Swarm::new(node.port(), seats(at))).collect();
    for swarm in &mut crowd {
        swarm.connect(AT_ONCE);
    }
    for swarm in &mut crowd {
        swarm.idle(QUIET);
    }
    let (before, from) = (queries(nodes), Instant::now());
    for swarm in &mut crowd {
        swarm.hang_up();
        swarm.connect(AT_ONCE);
    }
    let took = from.elapsed();
    let asked = queries(nodes) - before;
    let most = u64::from(NEGOCIOS) * NODES as u64;
    let what = format!("{CROWD} dashboards of {NEGOCIOS} businesses come back: queries");
    report.check(NAME, &what, asked.to_string(), format!("{most}"), asked <= most);
    report.note(NAME, "… and all are served after", format!("{:.2} s", took.as_secs_f64()));
}

fn queries(nodes: &[Running]) -> u64 {
    let runtime = runtime().expect("a runtime");
    nodes.iter().map(|node| runtime.block_on(node.count("pulso_queries_total"))).sum()
}
