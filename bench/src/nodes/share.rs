//! What a delivery costs three nodes, beside one node without a log.

use std::time::Duration;

use pulso_harness::Running;

use super::{NAME, of_all};
use crate::caller::Caller;
use crate::report::Report;
use crate::swarm::Swarm;
use crate::wire::Wire;

/// On each node.
const SCREENS: u32 = 1_000;
const AT_ONCE: usize = 500;
const MESSAGES: u64 = 300;
const WARM_UP: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(10);

pub fn measure(alone: &Running, nodes: &[Running], report: &mut Report) {
    let one = each(std::slice::from_ref(alone));
    let several = each(nodes);
    report.note(NAME, "processor time a delivery, one node · three", format!("{one:.2} · {several:.2} µs"));
    let ratio = several / one;
    let what = format!("processor time a delivery to {SCREENS} screens a node, three nodes ÷ one");
    report.check(NAME, &what, format!("{ratio:.2}"), "1.10", ratio <= 1.10);
}

/// Of the nodes together, in µs.
fn each(nodes: &[Running]) -> f64 {
    let mut swarms: Vec<Swarm> =
        nodes.iter().map(|node| Swarm::new(node.port(), Wire::Sales.seats(0..SCREENS, 1))).collect();
    for swarm in &mut swarms {
        swarm.connect(AT_ONCE);
    }
    let mut caller = Caller::open(nodes[0].port());
    let mut say = |swarms: &mut [Swarm], number: u64| {
        let goals: Vec<u64> = swarms.iter().map(|swarm| swarm.counts.delivered + u64::from(SCREENS)).collect();
        assert_eq!(caller.try_call(&Wire::Sales.notice(0, number)), Some(200), "a sale is taken");
        for (swarm, goal) in swarms.iter_mut().zip(goals) {
            assert!(swarm.drive(PATIENCE, |swarm| swarm.counts.delivered >= goal), "everybody has it");
        }
    };
    (0..WARM_UP).for_each(|number| say(&mut swarms, number));
    let before = of_all(nodes);
    (WARM_UP..WARM_UP + MESSAGES).for_each(|number| say(&mut swarms, number));
    let deliveries = MESSAGES * u64::from(SCREENS) * nodes.len() as u64;
    of_all(nodes).iter().zip(&before).map(|(now, before)| now.since(before).each(deliveries)).sum()
}
