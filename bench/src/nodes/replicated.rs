//! A Redis in several processes that gets another master, by Sentinels and as a Cluster: for how long no event is taken.

use std::thread;
use std::time::{Duration, Instant};

use pulso_harness::{Cluster, Database, Guarded, Running};

use super::steady::Steady;
use super::{NAME, node, start};
use crate::report::Report;

/// Calls go on for so long before anything happens, and for so long afterwards.
const WARM: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(6);
const LOG: &str = "{pulso}:events";
/// No call before has such a number.
const NUMBERS: [u32; 4] = [50_000_000, 60_000_000, 70_000_000, 80_000_000];
/// No call may be refused for longer while everybody lives.
const UNNOTICED: Duration = Duration::from_millis(500);

pub fn measure(binary: &str, database: &Database, report: &mut Report) {
    by_sentinels(binary, database, report);
    as_a_cluster(binary, database, report);
}

fn by_sentinels(binary: &str, database: &Database, report: &mut Report) {
    let mut guarded = Guarded::start();
    let nodes = start(&node(binary, database, &guarded.url()));
    let ordered = befalls(&nodes, NUMBERS[0], || guarded.fail_over());
    refused("Sentinel, a failover that somebody orders", ordered, UNNOTICED, report);
    drop((nodes, guarded));

    guarded = Guarded::start();
    let nodes = start(&node(binary, database, &guarded.url()));
    let killed = befalls(&nodes, NUMBERS[1], || guarded.master().kill());
    refused("Sentinel, master killed", killed, Duration::from_secs(3), report);
}

fn as_a_cluster(binary: &str, database: &Database, report: &mut Report) {
    let mut cluster = Cluster::start();
    let nodes = start(&node(binary, database, &cluster.url()));
    let moved = befalls(&nodes, NUMBERS[2], || cluster.move_slot(LOG));
    refused("Cluster, slot moved under load", moved, UNNOTICED, report);
    let killed = befalls(&nodes, NUMBERS[3], || cluster.owner(LOG).kill());
    refused("Cluster, owner killed", killed, Duration::from_secs(4), report);
}

/// For how long a node takes no call at most, from the moment in which it begins.
fn befalls(nodes: &[Running], first: u32, what: impl FnOnce()) -> Duration {
    let steady = Steady::begin(nodes, first);
    thread::sleep(WARM);
    let from = Instant::now();
    what();
    thread::sleep(AFTER);
    steady.longest_gap(from)
}

fn refused(what: &str, gap: Duration, most: Duration, report: &mut Report) {
    let what = format!("{what}: no event taken by a node for, at most");
    report.check(NAME, &what, seconds(gap), seconds(most), gap <= most);
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
