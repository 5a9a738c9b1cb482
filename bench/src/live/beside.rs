//! Pulso beside other programs that keep results live: the same table, statement and machine. Changes come at a steady rate, and
//! then none do; what counts is when the last screen shows each, and what that costs.
//!
//! A peer's run counts without an error and without a screen that is wrong at the end.

mod changes;
mod peer;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pulso_harness::Postgres;

use self::changes::{Change, Writer};
use self::peer::{Peer, Server};
use super::{NAME, Stage, gather};
use crate::meter::{Cpu, Memory};
use crate::quantiles::{ms, quantile};
use crate::report::Report;
use crate::swarm::Swarm;

pub(super) const KEYS: u32 = 100;
const WATCHERS: (u32, u32) = (1_000, 200);
pub(super) const A_SECOND: u32 = 50;
const SECONDS: (u32, u32) = (30, 5);
/// Without any change.
const REST: (Duration, Duration) = (Duration::from_mins(1), Duration::from_secs(5));
/// For all to have their first result.
const FURNISHED: Duration = Duration::from_mins(2);
/// For who does not keep up to show all that there was.
const CAUGHT_UP: Duration = Duration::from_mins(5);
/// For the last change to arrive: more than the longest interval of a poller.
const ARRIVED: Duration = Duration::from_secs(3);

/// A row a key, as the others have a table. A screen that shows none has a number of nought.
const TABLE: &str = "CREATE TABLE claves (clave text PRIMARY KEY, n integer NOT NULL DEFAULT 1)";

pub(super) fn measure(stage: &Stage<'_>, report: &mut Report) {
    for peer in Peer::ALL {
        if let Err(reason) = one(stage, peer, report) {
            println!("   {} is left out: {reason}", peer.name());
            report.note(NAME, &format!("beside others: {}", peer.name()), format!("not here: {reason}"));
        }
    }
}

fn one(stage: &Stage<'_>, peer: Peer, report: &mut Report) -> Result<(), String> {
    // Some hear of changes by the log of the database, so all have it.
    let postgres = Postgres::own_with(&["wal_level=logical"]);
    let database = stage.runtime.block_on(async {
        let database = postgres.empty_database().await;
        database.execute(TABLE).await;
        let rows = format!("INSERT INTO claves SELECT 'k-' || i FROM generate_series(0, {KEYS} - 1) AS i");
        database.execute(&rows).await;
        database.execute("VACUUM (ANALYZE) claves").await;
        database
    });
    let server = Server::start(peer, stage, &database)?;
    let watchers = stage.scaled(WATCHERS.0, WATCHERS.1);
    let mut swarm = Swarm::new(server.port(), (0..watchers).map(|seat| peer.seat(seat, seat % KEYS)));
    gather(&mut swarm);
    if !swarm.drive(FURNISHED, |swarm| swarm.newest().all(|(_, n)| n > 0)) {
        return Err("not every screen has a result to begin with".to_owned());
    }
    swarm.keep();
    swarm.idle(ARRIVED);
    let count = A_SECOND * stage.scaled(SECONDS.0, SECONDS.1);
    let (database_before, server_before) = (Cpu::of(postgres.pid()), Cpu::of(server.pid()));
    let writer = Writer::start(database.url(), server.port(), peer.hint(), count);
    swarm.drive(Duration::from_mins(10), |_| writer.is_done());
    let changes = writer.changes();
    let last: HashMap<u32, u64> = changes.iter().map(|change| (change.key, change.n)).collect();
    // Who has fallen behind is still at work on them.
    swarm.drive(CAUGHT_UP, |swarm| wrong(swarm, &last).next().is_none());
    swarm.idle(ARRIVED);
    let of_database = Cpu::of(postgres.pid()).since(&database_before).each(u64::from(count));
    let of_server = Cpu::of(server.pid()).since(&server_before).each(u64::from(count));
    let rest = if stage.is_quick { REST.1 } else { REST.0 };
    let (database_before, server_before) = (Cpu::of(postgres.pid()), Cpu::of(server.pid()));
    swarm.idle(rest);
    let at_rest = |spent: f64| format!("{:.2} ms/s", spent / 1e3 / rest.as_secs_f64());
    let database_at_rest = at_rest(Cpu::of(postgres.pid()).since(&database_before).each(1));
    let server_at_rest = at_rest(Cpu::of(server.pid()).since(&server_before).each(1));

    let (mut waits, wrong) = (waits(&swarm, &changes), wrong(&swarm, &last).count());
    let errors = swarm.counts.errors + swarm.counts.lost;
    let (p50, p99) = (quantile(&mut waits, 0.5).unwrap_or_default(), quantile(&mut waits, 0.99).unwrap_or_default());
    let name = peer.name();
    let line = |what: &str| format!("{watchers} watchers, {A_SECOND} changes/s, {name}: {what}");
    report.note(NAME, &line("change to last screen, p50 · p99"), format!("{} · {}", ms(p50), ms(p99)));
    let value = format!("{wrong} · {errors}");
    report.check(NAME, &line("screens wrong at the end · errors"), value, "0 · 0", wrong == 0 && errors == 0);
    report.note(
        NAME,
        &line("CPU of the database, a change · at rest"),
        format!("{of_database:.0} µs · {database_at_rest}"),
    );
    report.note(NAME, &line("CPU of the server, a change · at rest"), format!("{of_server:.0} µs · {server_at_rest}"));
    let memory = Memory::of(server.pid()).0 as f64 / 1e6;
    report.note(NAME, &line("memory of the server"), format!("{memory:.1} MB"));
    Ok(())
}

/// The screens that do not show the `last` number of their key.
fn wrong(swarm: &Swarm, last: &HashMap<u32, u64>) -> impl Iterator<Item = (u32, u64)> {
    swarm.newest().filter(|(key, newest)| last.get(key).is_some_and(|n| n != newest))
}

/// From each commit until the last of its key's screens shows it, or something newer.
fn waits(swarm: &Swarm, changes: &[Change]) -> Vec<Duration> {
    let mut screens: HashMap<u32, Vec<&[(u64, Instant)]>> = HashMap::new();
    for ((key, _), arrivals) in swarm.newest().zip(swarm.arrivals()) {
        screens.entry(key).or_default().push(arrivals);
    }
    let mut waits = Vec::with_capacity(changes.len());
    for change in changes {
        let arrived = |arrivals: &&[(u64, Instant)]| {
            let first = arrivals.iter().find(|(n, _)| *n >= change.n);
            first.map(|(_, at)| at.saturating_duration_since(change.committed))
        };
        let each = screens.get(&change.key).into_iter().flatten().map(arrived);
        // Who never shows it is wrong at the end.
        waits.extend(each.collect::<Option<Vec<_>>>().and_then(|each| each.into_iter().max()));
    }
    waits
}
