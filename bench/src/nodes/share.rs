//! What a delivery costs three nodes, beside one node without a log: with the screens of one of them, and with those of all, for the
//! more screens a machine has the more a delivery costs. And beside three without a log that are called at the same time: what three
//! processes cost that share a machine is no cost of the log.

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

/// Each asks all of them one after the other, so that what else the machine does befalls all.
const ROUNDS: usize = 3;

/// `apart`: as many as `nodes`, each without a log.
pub fn measure(apart: &[Running], nodes: &[Running], report: &mut Report) {
    let one = &apart[..1];
    let all = SCREENS * nodes.len() as u32;
    let round =
        |_| [each(one, 1, SCREENS), each(one, 1, all), each(apart, apart.len(), SCREENS), each(nodes, 1, SCREENS)];
    let rounds: Vec<[f64; 4]> = (0..ROUNDS).map(round).collect();
    let [one, whole, three, several] = [0, 1, 2, 3].map(|at| middle(rounds.iter().map(|round| round[at])));
    let what =
        "processor time a delivery, one node · one with the screens of all · three without a log · three with one";
    report.note(NAME, what, format!("{one:.2} · {whole:.2} · {three:.2} · {several:.2} µs"));
    let ratio = middle(rounds.iter().map(|[one, .., several]| several / one));
    let what = format!("processor time a delivery to {SCREENS} screens a node, three nodes ÷ one");
    report.check(NAME, &what, format!("{ratio:.2}"), "1.10", ratio <= 1.10);
    let ratio = middle(rounds.iter().map(|[_, whole, _, several]| several / whole));
    report.note(NAME, "the same, ÷ one node with the screens of all", format!("{ratio:.2}"));
    let ratio = middle(rounds.iter().map(|[.., three, several]| several / three));
    report.note(NAME, "the same, ÷ three without a log at once", format!("{ratio:.2}"));
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Of the nodes together, in µs; the first `called` of them are called each time.
fn each(nodes: &[Running], called: usize, screens: u32) -> f64 {
    let mut swarms: Vec<Swarm> =
        nodes.iter().map(|node| Swarm::new(node.port(), Wire::Sales.seats(0..screens, 1))).collect();
    for swarm in &mut swarms {
        swarm.connect(AT_ONCE);
    }
    let mut callers: Vec<Caller> = nodes[..called].iter().map(|node| Caller::open(node.port())).collect();
    let mut say = |swarms: &mut [Swarm], number: u64| {
        let goals: Vec<u64> = swarms.iter().map(|swarm| swarm.counts.delivered + u64::from(screens)).collect();
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
    let deliveries = MESSAGES * u64::from(screens) * nodes.len() as u64;
    of_all(nodes).iter().zip(&before).map(|(now, before)| now.since(before).each(deliveries)).sum()
}
