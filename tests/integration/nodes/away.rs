//! Redis goes away and comes back, with what it had or without.

use std::time::Duration;

use pulso_harness::ChaosProxy;
use pulso_harness::wait::until;
use tokio::time::{Instant, sleep};

use super::*;

async fn refused(node: &Running, number: u64) -> (String, Duration) {
    let from = Instant::now();
    let answer = node.post("/notify/mesa", &table(number)).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    (answer.json()["error"].as_str().unwrap().to_owned(), from.elapsed())
}

/// Calls until one is taken; returns its number and for how long none was.
async fn until_taken(node: &Running, mut number: u64) -> (u64, Duration) {
    let from = Instant::now();
    while node.post("/notify/mesa", &table(number)).await.status != 200 {
        assert!(from.elapsed() < Duration::from_secs(10), "no event is taken");
        number += 1;
        sleep(Duration::from_millis(10)).await;
    }
    (number, from.elapsed())
}

#[tokio::test]
async fn while_redis_is_away_events_are_refused_nobody_is_cut_and_all_goes_on_when_it_is_back_empty() {
    let mut nodes = Nodes::start(2).await;
    let mut screens = [since(&nodes.each[0], "").await, since(&nodes.each[1], "").await];
    happens(&nodes.each[0], 1).await;
    let mut positions = Vec::new();
    for screen in &mut screens {
        positions.push(next_table(screen).await.0);
    }
    nodes.redis.kill();
    let (_, took) = refused(&nodes.each[0], 2).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    sleep(Duration::from_millis(300)).await;
    for node in &nodes.each {
        let (_, took) = refused(node, 3).await;
        // Whoever waits for an answer waits for longer.
        assert!(took < Duration::from_secs(1), "it is known: {took:?}");
        let ready = node.get("/ready").await;
        assert_eq!(ready.status, 200, "{ready:?}");
        let cita = node.post("/notify/cita", &json!({ "negocio_id": NEGOCIO }).to_string()).await;
        assert_eq!(cita.status, 200, "{cita:?}");
    }
    for screen in &mut screens {
        screen.ping().await;
    }
    nodes.redis.revive();
    let (number, took) = until_taken(&nodes.each[1], 10).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    for (screen, position) in screens.iter_mut().zip(positions) {
        let (id, table) = next_table(screen).await;
        assert!(table == number && id > position, "{table} {number} {id} {position}");
        screen.ping().await;
    }
    // Nor is anybody told to come again: what a log that began anew lacks they all have.
    for node in &nodes.each {
        assert_eq!(node.count("pulso_broker_gaps_total").await, 0);
    }
}

#[tokio::test]
async fn what_a_log_that_was_emptied_lacks_is_put_back_for_who_comes_later() {
    let mut nodes = Nodes::start(2).await;
    let mut screen = since(&nodes.each[0], "").await;
    for number in 0..20 {
        happens(&nodes.each[usize::from(number % 2 == 0)], number).await;
    }
    for number in 0..20 {
        assert_eq!(next_table(&mut screen).await.1, number);
    }
    nodes.redis.say(&["FLUSHALL"]);
    let (number, took) = until_taken(&nodes.each[0], 100).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(next_table(&mut screen).await.1, number);
    screen.ping().await;
    // What is repeated is still known.
    let key = [("idempotency-key", "k-1")];
    assert_eq!(nodes.each[0].post_with("/notify/mesa", &key, &table(200)).await.status, 200);
    assert_eq!(next_table(&mut screen).await.1, 200);
    nodes.redis.say(&["FLUSHALL"]);
    let again = async || nodes.each[1].post_with("/notify/mesa", &key, &table(201)).await.status == 200;
    until(again, "the repetition is answered").await;
    nodes.each.push(named(&nodes.node, 3).ready().await);
    happens(&nodes.each[2], 300).await;
    assert_eq!(next_table(&mut screen).await.1, 300);
}

#[tokio::test]
async fn a_node_that_was_cut_off_reads_on_where_it_was() {
    let nodes = Nodes::start(1).await;
    let proxy = ChaosProxy::start(nodes.redis.port()).await;
    let far = nodes.node.clone().with("REDIS_URL", &format!("redis://127.0.0.1:{}", proxy.port())).ready().await;
    let mut screen = since(&far, "").await;
    happens(&nodes.each[0], 1).await;
    assert_eq!(next_table(&mut screen).await.1, 1);
    proxy.silence();
    for number in 2..50 {
        happens(&nodes.each[0], number).await;
    }
    let (error, took) = refused(&far, 1_000).await;
    assert!(took < Duration::from_secs(4), "{error} after {took:?}");
    sleep(Duration::from_secs(2)).await;
    screen.ping().await;
    proxy.restore().await;
    let from = Instant::now();
    for number in 2..50 {
        let (_, mut heard) = next_table(&mut screen).await;
        if heard == 1_000 {
            // Nobody knew what became of it.
            heard = next_table(&mut screen).await.1;
        }
        assert_eq!(heard, number);
    }
    eprintln!("level {:?} after the line was back", from.elapsed());
    until_taken(&far, 2_000).await;
}

#[tokio::test]
async fn a_node_that_starts_while_redis_is_away_begins_without_it_and_joins_later() {
    let mut nodes = Nodes::start(1).await;
    nodes.redis.kill();
    let from = Instant::now();
    let alone = named(&nodes.node, 2).ready().await;
    assert!(from.elapsed() < Duration::from_secs(20), "{:?}", from.elapsed());
    let mut screen = since(&alone, "").await;
    refused(&alone, 1).await;
    nodes.redis.revive();
    let (number, _) = until_taken(&nodes.each[0], 10).await;
    // It may have been told to come again: what it heard before it was level may have had gaps.
    let mut screen = match screen.next_or_close().await {
        Ok(event) => {
            assert_eq!(event["data"]["tableId"], number);
            screen
        }
        Err(closed) => {
            assert_eq!(closed.code, 1012, "{closed:?}");
            since(&alone, "").await
        }
    };
    let (number, _) = until_taken(&alone, 20).await;
    while next_table(&mut screen).await.1 != number {}
}

#[tokio::test]
async fn somebody_elses_entries_close_no_client_and_later_events_arrive() {
    let nodes = Nodes::start(2).await;
    let mut screens = [since(&nodes.each[0], "").await, since(&nodes.each[1], "").await];
    let big = "x".repeat(100_000);
    for key in ["{pulso}:events", "{pulso}:now"] {
        for body in ["", "x", "\x01E", "\x7f\x7f\x7f", &big] {
            nodes.redis.say(&["XADD", key, "*", "b", body]);
            nodes.redis.say(&["XADD", key, "*", "what", body, "else", "y"]);
        }
    }
    happens(&nodes.each[0], 1).await;
    for screen in &mut screens {
        assert_eq!(next_table(screen).await.1, 1);
    }
    nodes.redis.say(&["DEL", "{pulso}:now"]);
    nodes.redis.say(&["SET", "{pulso}:now", "somebody else's"]);
    let is_degraded = async || nodes.each[0].get("/ready").await.body.contains("degraded");
    until(is_degraded, "/ready says that it is degraded").await;
    nodes.redis.say(&["DEL", "{pulso}:now"]);
    until_taken(&nodes.each[1], 2).await;
    for screen in &mut screens {
        next_table(screen).await;
        screen.ping().await;
    }
}
