//! Figures on three nodes through faults: no screen shows older after newer, and all show in the end what the database has.

use std::time::Duration;

use jiff::Timestamp;
use pulso_harness::{ChaosProxy, Guarded, Postgres, token};
use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use super::crowd::Crowd;
use super::screens::Screens;
use super::*;
use crate::business::{citas, furnish, pulso};

const WARM: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(2);
/// For the last change to be everywhere.
const SETTLED: Duration = Duration::from_secs(3);
/// As [`SETTLED`], where the database was away: it is looked for at longer and longer intervals.
const DATABASE_SETTLED: Duration = Duration::from_secs(8);

async fn with_redis_at(urls: [&str; 3]) -> (Vec<Pulso>, Vec<Running>, Database) {
    let (node, database) = configured().await;
    let (nodes, running) = started(&node, urls).await;
    (nodes, running, database)
}

async fn started(node: &Pulso, urls: [&str; 3]) -> (Vec<Pulso>, Vec<Running>) {
    let node = node.clone().with("SENTINEL_INTERVAL", "0");
    let nodes: Vec<Pulso> =
        urls.iter().zip(1..).map(|(url, number)| named(&node.clone().with("REDIS_URL", url), number)).collect();
    let mut running = Vec::new();
    for node in &nodes {
        running.push(node.ready().await);
    }
    (nodes, running)
}

fn ports(running: &[Running]) -> Vec<u16> {
    running.iter().map(Running::port).collect()
}

async fn screens(running: &[Running], database: &Database) -> Screens {
    let screens = Screens::gather(ports(running), database).await;
    sleep(WARM).await;
    screens
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed_and_back_empty() {
    let mut redis = Redis::start();
    let (_nodes, running, database) = with_redis_at([&redis.url(), &redis.url(), &redis.url()]).await;
    let screens = screens(&running, &database).await;
    redis.kill();
    sleep(Duration::from_secs(2)).await;
    redis.revive();
    sleep(AFTER).await;
    screens.check("killed, back empty", SETTLED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_is_cut_off_for_five_seconds() {
    let redis = Redis::start();
    let proxy = ChaosProxy::start(redis.port()).await;
    let far = format!("redis://127.0.0.1:{}", proxy.port());
    let (_nodes, running, database) = with_redis_at([&redis.url(), &redis.url(), &far]).await;
    let screens = screens(&running, &database).await;
    proxy.silence();
    sleep(Duration::from_secs(5)).await;
    proxy.restore().await;
    sleep(AFTER).await;
    screens.check("one node cut off for 5 s", SETTLED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_killed_and_started_again() {
    let redis = Redis::start();
    let (nodes, mut running, database) = with_redis_at([&redis.url(), &redis.url(), &redis.url()]).await;
    let screens = screens(&running, &database).await;
    running[1].signal(Signal::KILL);
    running[1].ended().await;
    sleep(Duration::from_secs(1)).await;
    running[1] = nodes[1].ready().await;
    sleep(AFTER).await;
    screens.check("a node killed", SETTLED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_replace_a_master_that_stands_still() {
    let mut guarded = Guarded::start();
    let (_nodes, running, database) = with_redis_at([&guarded.url(), &guarded.url(), &guarded.url()]).await;
    let crowd = Crowd::gather(ports(&running)).await;
    let screens = screens(&running, &database).await;
    let stopped = guarded.master().port();
    guarded.master().freeze();
    // What it was asked before may be answered yet.
    sleep(Duration::from_millis(200)).await;
    let took = crowd.until_accepted().await;
    eprintln!("first event {took:?} after it stood still");
    // The Sentinels hear of it one after the other.
    let replaced = async {
        while guarded.master().port() == stopped {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SETTLED, replaced).await.expect("another is master");
    sleep(AFTER).await;
    // It goes on as what it was, until it is told what it is now.
    guarded.thaw_all();
    sleep(AFTER).await;
    screens.check("Sentinel, master stopped", SETTLED).await;
    crowd.check("Sentinel, master stopped", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_nodes_clock_is_an_hour_off_while_redis_is_emptied() {
    let redis = Redis::start();
    let (node, database) = configured().await;
    let node = node.with("REDIS_URL", &redis.url()).with("SENTINEL_INTERVAL", "0");
    let behind = Timestamp::from_second(token::now() - 3_600).unwrap().strftime("%Y-%m-%d %H:%M:%S").to_string();
    let mut running = Vec::new();
    for node in [named(&node, 1), named(&node, 2), named(&node, 3).at(&behind)] {
        running.push(node.ready().await);
    }
    let crowd = Crowd::gather(ports(&running)).await;
    let screens = screens(&running, &database).await;
    redis.say(&["FLUSHALL"]);
    sleep(AFTER).await;
    redis.say(&["CLIENT", "KILL", "TYPE", "normal"]);
    sleep(AFTER).await;
    screens.check("one clock an hour behind", SETTLED).await;
    crowd.check("one clock an hour behind", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_started_again() {
    let (postgres, redis) = (Postgres::own(), Redis::start());
    let database = postgres.database().await;
    furnish(&database).await;
    let (_nodes, running) =
        started(&pulso(&database.url()).with_hook_key(), [&redis.url(), &redis.url(), &redis.url()]).await;
    let screens = screens(&running, &database).await;
    postgres.stop_hard();
    sleep(Duration::from_secs(1)).await;
    postgres.start();
    sleep(AFTER).await;
    screens.check("database started again", DATABASE_SETTLED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_replaced_by_one_that_has_less() {
    let (postgres, redis) = (Postgres::own(), Redis::start());
    let database = postgres.database().await;
    furnish(&database).await;
    // By this the copy is known: only there somebody has come.
    citas(&database, NEGOCIO, 1, "atendida", "'2020-01-01'").await;
    postgres.save();
    database.execute("DELETE FROM citas").await;
    let (_nodes, running) =
        started(&pulso(&database.url()).with_hook_key(), [&redis.url(), &redis.url(), &redis.url()]).await;
    let screens = screens(&running, &database).await;
    sleep(AFTER).await;
    postgres.become_what_was_saved();
    sleep(AFTER).await;
    screens.check("database replaced", DATABASE_SETTLED).await;
}
