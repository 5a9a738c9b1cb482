//! Everything that can befall Redis, the lines to it and a node, under load: nothing accepted is lost, nothing comes twice.

use std::time::Duration;

use pulso_harness::{ChaosProxy, Cluster, Guarded};
use rustix::process::Signal;
use tokio::time::sleep;

use super::crowd::Crowd;
use super::*;

const WARM: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(2);

/// Three nodes with Redis at `url`.
async fn three(url: &str) -> (Vec<Pulso>, Vec<Running>, Database) {
    at(&[url, url, url]).await
}

async fn at(urls: &[&str]) -> (Vec<Pulso>, Vec<Running>, Database) {
    let (node, database) = configured().await;
    let nodes: Vec<Pulso> =
        urls.iter().zip(1..).map(|(url, number)| named(&node.clone().with("REDIS_URL", url), number)).collect();
    let mut running = Vec::new();
    for node in &nodes {
        running.push(node.ready().await);
    }
    (nodes, running, database)
}

async fn crowd(running: &[Running]) -> Crowd {
    let crowd = Crowd::gather(running.iter().map(Running::port).collect()).await;
    sleep(WARM).await;
    crowd
}

async fn is_killed_and_back(mut redis: Redis, what: &str) {
    let (_nodes, running, _database) = three(&redis.url()).await;
    let crowd = crowd(&running).await;
    redis.kill();
    sleep(Duration::from_secs(1)).await;
    redis.revive();
    eprintln!("{what}: first event {:?} after it is back", crowd.until_accepted().await);
    sleep(AFTER).await;
    crowd.check(what, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed_and_back_empty() {
    is_killed_and_back(Redis::start(), "killed, back empty").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed_and_back_with_its_file() {
    is_killed_and_back(Redis::with("appendonly yes\nappendfsync everysec"), "killed, back with its file").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_stands_still_for_four_seconds() {
    let redis = Redis::start();
    let (_nodes, running, _database) = three(&redis.url()).await;
    let crowd = crowd(&running).await;
    redis.freeze();
    sleep(Duration::from_secs(4)).await;
    redis.thaw();
    eprintln!("first event {:?} after it goes on", crowd.until_accepted().await);
    sleep(AFTER).await;
    crowd.check("stopped for 4 s", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_emptied_again_and_again() {
    let redis = Redis::start();
    let (_nodes, running, _database) = three(&redis.url()).await;
    let crowd = crowd(&running).await;
    for cut in [false, true, false] {
        redis.say(&["FLUSHALL"]);
        if cut {
            redis.say(&["CLIENT", "KILL", "TYPE", "normal"]);
        }
        sleep(Duration::from_secs(1)).await;
    }
    sleep(AFTER).await;
    crowd.check("emptied three times", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_full_for_a_while() {
    let redis = Redis::start();
    let (_nodes, running, _database) = three(&redis.url()).await;
    let crowd = crowd(&running).await;
    redis.say(&["CONFIG", "SET", "maxmemory", "1"]);
    sleep(Duration::from_secs(2)).await;
    redis.say(&["CONFIG", "SET", "maxmemory", "0"]);
    eprintln!("first event {:?} after there is room", crowd.until_accepted().await);
    sleep(AFTER).await;
    crowd.check("full for 2 s", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_changed_and_changed_back() {
    let mut redis = Redis::with("requirepass uno");
    redis.set_password(Some("uno"));
    let url = format!("redis://:uno@127.0.0.1:{}", redis.port());
    let (_nodes, running, _database) = three(&url).await;
    let crowd = crowd(&running).await;
    redis.say(&["CONFIG", "SET", "requirepass", "dos"]);
    redis.set_password(Some("dos"));
    redis.say(&["CLIENT", "KILL", "TYPE", "normal"]);
    sleep(Duration::from_secs(1)).await;
    redis.say(&["CONFIG", "SET", "requirepass", "uno"]);
    eprintln!("first event {:?} after the password is right", crowd.until_accepted().await);
    sleep(AFTER).await;
    assert!(running.iter().all(|node| !node.has_logged(":uno@")));
    crowd.check("password changed", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_is_cut_off_for_five_seconds() {
    let redis = Redis::start();
    let proxy = ChaosProxy::start(redis.port()).await;
    let far = format!("redis://127.0.0.1:{}", proxy.port());
    let (_nodes, running, _database) = at(&[&redis.url(), &redis.url(), &far]).await;
    let crowd = crowd(&running).await;
    proxy.silence();
    sleep(Duration::from_secs(5)).await;
    proxy.restore().await;
    sleep(AFTER).await;
    crowd.check("one node cut off for 5 s", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_lines_are_cut_again_and_again() {
    let redis = Redis::start();
    let proxy = ChaosProxy::start(redis.port()).await;
    let (_nodes, running, _database) = three(&format!("redis://127.0.0.1:{}", proxy.port())).await;
    let crowd = crowd(&running).await;
    for _ in 0..4 {
        proxy.cut();
        sleep(Duration::from_millis(700)).await;
    }
    sleep(AFTER).await;
    crowd.check("all lines cut four times", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_killed_and_started_again() {
    let redis = Redis::start();
    let (nodes, mut running, _database) = three(&redis.url()).await;
    let crowd = crowd(&running).await;
    running[1].signal(Signal::KILL);
    running[1].ended().await;
    sleep(Duration::from_secs(1)).await;
    running[1] = nodes[1].ready().await;
    sleep(AFTER).await;
    crowd.check("a node killed", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_replace_a_master_that_died() {
    let mut guarded = Guarded::start();
    let (_nodes, running, _database) = three(&guarded.url()).await;
    let crowd = crowd(&running).await;
    guarded.master().kill();
    eprintln!("first event {:?} after its death", crowd.until_accepted().await);
    sleep(AFTER).await;
    crowd.check("Sentinel, master killed", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_replace_a_master_because_somebody_says_so() {
    let guarded = Guarded::start();
    let (_nodes, running, _database) = three(&guarded.url()).await;
    let crowd = crowd(&running).await;
    guarded.fail_over();
    sleep(Duration::from_secs(5)).await;
    crowd.check("Sentinel, graceful", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_moves_to_another_owner_and_that_one_dies() {
    let mut cluster = Cluster::start();
    let (_nodes, running, _database) = three(&cluster.url()).await;
    let crowd = crowd(&running).await;
    cluster.move_slot("{pulso}:events");
    sleep(Duration::from_secs(1)).await;
    cluster.owner("{pulso}:events").kill();
    eprintln!("first event {:?} after the owner's death", crowd.until_accepted().await);
    sleep(AFTER).await;
    crowd.check("Cluster, slot moved and owner killed", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_killed_at_a_thousand_calls_a_second() {
    let redis = Redis::start();
    let (_nodes, running, _database) = three(&redis.url()).await;
    let crowd = Crowd::gather_at(running.iter().map(Running::port).collect(), 1_000).await;
    sleep(AFTER).await;
    running[1].signal(Signal::KILL);
    running[1].ended().await;
    sleep(AFTER).await;
    crowd.check("a node killed at 1,000 calls/s", false).await;
}
