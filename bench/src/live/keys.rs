//! Many queries and many watched keys: what a notice then costs, what they cost at rest, and the memory of a key.

use std::time::Duration;

use pulso_harness::Running;

use super::{CALMLY, KEYED, NAME, SETTLED, Stage, gather, hint, seats};
use crate::caller::Caller;
use crate::meter::{Cpu, Memory};
use crate::quantiles::middle;
use crate::report::Report;
use crate::swarm::Swarm;

const QUERIES: usize = 300;
/// What one connection watches.
const EACH: u32 = 100;
const NOTICES: u64 = 500;
/// Of all keys a twentieth.
const FEW: u32 = 20;
const REST: Duration = Duration::from_secs(10);
const MOST_RATIO: f64 = 1.1;
const MOST_BYTES: f64 = 1_500.0;

pub(super) fn measure(stage: &Stage<'_>, rounds: u32, report: &mut Report) {
    let keys = stage.keys;
    let names: Vec<String> = (0..QUERIES).map(|number| format!("q{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), KEYED)).collect();
    let quiet = [("SENTINEL_INTERVAL", "0")];
    let (small, _its_folder) = stage.serve(&many[..1], &quiet);
    let (large, _folder) = stage.serve(&many, &quiet);
    let mut all = Swarm::new(large.port(), seats(0..stage.keys, EACH, name));
    gather(&mut all);
    // Behind it: nobody answers its pings meanwhile.
    let mut one = Swarm::new(small.port(), seats(0..1, 1, name));
    one.connect(CALMLY);
    all.idle(SETTLED);

    let (mut ratios, mut with_many) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (alone, among) = (each(&small, &mut one), each(&large, &mut all));
        if round > 0 {
            ratios.push(among / alone);
            with_many.push(among);
        }
    }
    let ratio = middle(&mut ratios).unwrap_or(f64::NAN);
    report.note(
        NAME,
        &format!("CPU of a notice, {QUERIES} queries, {keys} keys watched"),
        format!("{:.1} µs", middle(&mut with_many).unwrap_or(f64::NAN)),
    );
    let what = format!("notice with {QUERIES} queries and {keys} keys watched ÷ with one, CPU");
    report.check(NAME, &what, format!("{ratio:.3}"), format!("≤ {MOST_RATIO}"), ratio <= MOST_RATIO);

    all.idle(SETTLED);
    let before = stage.metric(&large, "pulso_live_reads_total", "");
    all.idle(REST);
    let reads = stage.metric(&large, "pulso_live_reads_total", "") - before;
    report.check(NAME, "reads of these at rest, 10 s, no sentinel", format!("{reads}"), "0", reads == 0.0);
    drop((one, all, small, large));
    memory(stage, report);
}

/// The same number of connections, with few keys and with many.
fn memory(stage: &Stage<'_>, report: &mut Report) {
    let (keys, connections) = (stage.keys, stage.keys / EACH);
    let taken = |keys: u32| {
        let (server, _folder) = stage.serve(&[("q0", KEYED)], &[("SENTINEL_INTERVAL", "0")]);
        let mut swarm = Swarm::new(server.port(), seats(0..keys, keys / connections, name));
        gather(&mut swarm);
        swarm.idle(Duration::from_secs(2));
        Memory::of(server.pid())
    };
    let (few, many) = (taken(keys / FEW), taken(keys));
    let bytes = many.each_since(few, (keys - keys / FEW) as usize);
    let what = "memory of a further watched key, 200 bytes of result";
    report.check(NAME, what, format!("{bytes:.0} B"), format!("≤ {MOST_BYTES} B"), bytes <= MOST_BYTES);
}

fn name(key: u32) -> String {
    format!("q0:k-{key}")
}

fn each(server: &Running, swarm: &mut Swarm) -> f64 {
    let mut caller = Caller::open(server.port());
    let request = hint("q0", "k-0");
    let before = Cpu::of(server.pid());
    for _ in 0..NOTICES {
        caller.send(&request);
        let answer = caller.answer();
        assert!(answer.status == 200, "the hook answers {}", answer.status);
        swarm.idle(Duration::ZERO);
    }
    swarm.idle(SETTLED);
    Cpu::of(server.pid()).since(&before).each(NOTICES)
}
