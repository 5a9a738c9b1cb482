//! Three nodes with a Redis between them: when an event that one has answered is seen by another, what all that costs, and
//! what is lost when a node or the Redis goes away.

mod apart;
mod figures;
mod killed;
mod replicated;
mod server;
mod share;
mod steady;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pulso_harness::redis::Redis;
use pulso_harness::{Claims, Dashboard, Database, HOOK_KEY, Postgres, Pulso, Running};
use rustix::process::Pid;
use serde_json::json;
use tokio::time::timeout;

use crate::caller::Caller;
use crate::meter::Cpu;
use crate::quantiles::{ms, quantile};
use crate::report::Report;
use crate::swarm::frame::number_behind;
use crate::{runtime, town};

const NAME: &str = "nodes";
const NODES: usize = 3;
/// Each owned by the user of its number.
const NEGOCIOS: u32 = 100;
/// Events a second, each a call of its own, from each node in turn.
const RATES: [u32; 2] = [500, 1_000];
/// For what was answered to be everywhere.
const SETTLED: Duration = Duration::from_secs(2);
/// A node is killed after as many times the seconds of a rate, and as long before the end.
const KILLED_AFTER: u32 = 3;
const LOOK: Duration = Duration::from_millis(200);
/// An event is as long as this, what Pulso puts around it included: 300 bytes.
const PADDING: usize = 140;

pub fn measure(binary: &str, seconds: u32, report: &mut Report) -> Result<(), String> {
    println!("-- {NAME}: {NODES} nodes and a Redis, {RATES:?} events/s for {seconds} s each");
    let postgres = Postgres::own();
    let mut redis = Redis::start();
    let database = runtime()?.block_on(async {
        let database = postgres.database().await;
        town::found(&database, NEGOCIOS).await;
        database
    });
    let apart = start(&server(binary, &database));
    let nodes = start(&node(binary, &database, &redis.url()));
    share::measure(&apart, &nodes, report);
    drop(apart);
    for rate in RATES {
        at(rate, seconds, &nodes, redis.pid(), report);
    }
    figures::measure(&nodes, report);
    server::break_off(&mut redis, &nodes, report);
    server::fill(&redis, &nodes, report);
    killed::measure(&nodes, &database, RATES[1], seconds * KILLED_AFTER * 2, report);
    drop((nodes, redis));
    apart::measure(binary, &database, report)?;
    replicated::measure(binary, &database, report);
    Ok(())
}

fn server(binary: &str, database: &Database) -> Pulso {
    town::pulso(binary, &database.url()).with_hook_key().with("MAX_CONNECTIONS", "20000")
}

/// One of several, with the log at `url`.
fn node(binary: &str, database: &Database, url: &str) -> Pulso {
    server(binary, database).with("REDIS_URL", url)
}

/// Three of them, ready.
fn start(node: &Pulso) -> Vec<Running> {
    let runtime = runtime().expect("a runtime");
    (0..NODES).map(|_| runtime.block_on(node.ready())).collect()
}

fn at(rate: u32, seconds: u32, nodes: &[Running], redis: Pid, report: &mut Report) {
    let stop = Arc::new(AtomicBool::new(false));
    let screens: Vec<_> = nodes.iter().map(|node| listen(node.port(), &stop)).collect();
    thread::sleep(LOOK);
    let mut callers: Vec<Caller> = nodes.iter().map(|node| Caller::open(node.port())).collect();
    let (before, spent_before) = (Cpu::of(redis), of_all(nodes));
    let count = rate * seconds;
    let mut answered = Vec::new();
    let (mut refused, begun) = (0, Instant::now());
    for number in 0..count {
        let due = begun + Duration::from_secs(1) * number / rate;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let caller = &mut callers[number as usize % NODES];
        caller.send(&call(number, false));
        let answer = caller.answer();
        refused += u32::from(answer.status != 200);
        answered.push(answer.at);
    }
    let took = begun.elapsed();
    thread::sleep(SETTLED);
    let spent = Cpu::of(redis).since(&before);
    let of_nodes: f64 =
        of_all(nodes).iter().zip(&spent_before).map(|(now, before)| now.since(before).each(u64::from(count))).sum();
    stop.store(true, Ordering::Relaxed);
    let seen: Vec<_> = screens.into_iter().map(|screen| screen.join().expect("a screen reads to the end")).collect();

    let elsewhere = |number: usize| seen[(number + 1) % NODES].get(&(number as u64));
    let mut waits: Vec<Duration> = answered
        .iter()
        .enumerate()
        .filter_map(|(number, at)| Some(elsewhere(number)?.0.saturating_duration_since(*at)))
        .collect();
    let all = count as usize * NODES;
    let lost = all - seen.iter().map(HashMap::len).sum::<usize>();
    let doubled = seen.iter().flat_map(HashMap::values).filter(|(_, times)| *times > 1).count();
    let [p50, p99] = [0.5, 0.99].map(|share| quantile(&mut waits, share).unwrap_or_default());
    let named = |what: &str| format!("{rate}/s: {what}");
    report.note(NAME, &named("events a second reached"), format!("{:.0}", f64::from(count) / took.as_secs_f64()));
    report.check(NAME, &named("calls not answered 200"), refused.to_string(), "0", refused == 0);
    report.check(NAME, &named("lost · doubled"), format!("{lost} · {doubled}"), "0 · 0", lost + doubled == 0);
    let (at_half, at_most) = (Duration::from_millis(1), Duration::from_millis(5));
    let what = named("answered → seen by another node, p50");
    report.check(NAME, &what, precise(p50), ms(at_half), p50 <= at_half);
    let what = named("answered → seen by another node, p99");
    report.check(NAME, &what, precise(p99), ms(at_most), p99 <= at_most);
    let each = spent.each(u64::from(count));
    let what = named("Redis's processor time an event");
    // What it costs an idle Redis is in it, so the lower rate has no target.
    if rate >= 1_000 {
        report.check(NAME, &what, format!("{each:.0} µs"), "200 µs", each <= 200.0);
    } else {
        report.note(NAME, &what, format!("{each:.0} µs"));
    }
    report.note(NAME, &named("processor time an event of the nodes together"), format!("{of_nodes:.0} µs"));
}

fn of_all(nodes: &[Running]) -> Vec<Cpu> {
    nodes.iter().map(|node| Cpu::of(node.pid())).collect()
}

fn precise(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// `is_keyed`: with a key of its own.
fn call(number: u32, is_keyed: bool) -> Vec<u8> {
    let body = json!({
        "negocio_id": town::negocio(0), "tableId": null, "total": "45.50", "timestamp": "2025-07-20T10:30:00Z",
        "note": "x".repeat(PADDING), "saleId": number,
    });
    let body = body.to_string();
    let key = if is_keyed { format!("idempotency-key: sale-{number}\r\n") } else { String::new() };
    format!(
        "POST /notify/venta HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-api-key: {HOOK_KEY}\r\n{key}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A screen of the shop: when it has seen each event first, and how often, until `stop`.
fn listen(port: u16, stop: &Arc<AtomicBool>) -> JoinHandle<HashMap<u64, (Instant, u32)>> {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let runtime = runtime().expect("a runtime of its own");
        runtime.block_on(async {
            let token = Claims::naming("ana", &[&town::negocio(0)]).sign(pulso_harness::SECRET);
            let mut screen = Dashboard::connect(port, &format!("/ws?token={token}"), &[]).await;
            let (mut seen, mut place) = (HashMap::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                let Ok(text) = timeout(LOOK, screen.text()).await else { continue };
                let at = Instant::now();
                if let Some(number) = number_behind(b"\"saleId\":", text.as_bytes(), &mut place) {
                    seen.entry(number).or_insert((at, 0)).1 += 1;
                }
            }
            seen
        })
    })
}
