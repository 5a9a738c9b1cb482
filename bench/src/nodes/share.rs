//! What a delivery costs three nodes, beside one node without a log, and beside three of those that are called at the same time:
//! what three processes cost that share a machine is no cost of the log.

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

/// Each asks the three of them one after the other, so that what else the machine does befalls all.
const ROUNDS: usize = 3;

/// `apart`: as many as `nodes`, each without a log.
pub fn measure(apart: &[Running], nodes: &[Running], report: &mut Report) {
    let round = |_| [each(&apart[..1], 1), each(apart, apart.len()), each(nodes, 1)];
    let rounds: Vec<[f64; 3]> = (0..ROUNDS).map(round).collect();
    let [one, three, several] = [0, 1, 2].map(|at| middle(rounds.iter().map(|round| round[at])));
    let what = "processor time a delivery, one node · three without a log · three with one";
    report.note(NAME, what, format!("{one:.2} · {three:.2} · {several:.2} µs"));
    let ratio = middle(rounds.iter().map(|[one, _, several]| several / one));
    let what = format!("processor time a delivery to {SCREENS} screens a node, three nodes ÷ one");
    report.check(NAME, &what, format!("{ratio:.2}"), "1.10", ratio <= 1.10);
    let ratio = middle(rounds.iter().map(|[_, three, several]| several / three));
    report.note(NAME, "the same, ÷ three without a log at once", format!("{ratio:.2}"));
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Of the nodes together, in µs; the first `called` of them are called each time.
fn each(nodes: &[Running], called: usize) -> f64 {
    let mut swarms: Vec<Swarm> =
        nodes.iter().map(|node| Swarm::new(node.port(), Wire::Sales.seats(0..SCREENS, 1))).collect();
    for swarm in &mut swarms {
        swarm.connect(AT_ONCE);
    }
    let mut callers: Vec<Caller> = nodes[..called].iter().map(|node| Caller::open(node.port())).collect();
    let mut say = |swarms: &mut [Swarm], number: u64| {
        let goals: Vec<u64> = swarms.iter().map(|swarm| swarm.counts.delivered + u64::from(SCREENS)).collect();
        for caller in &mut callers {
            caller.send(&Wire::Sales.notice(0, number));
        }
        for caller in &callers {
            assert_eq!(caller.answer().status, 200, "a sale is taken");
        }
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
