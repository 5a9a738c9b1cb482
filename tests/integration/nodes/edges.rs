//! A node that comes, one that goes, one that was away for too long, and the words for what is wrong.

use std::time::Duration;

use pulso_harness::process::steady_port;
use pulso_harness::wait::until;
use pulso_harness::{ChaosProxy, HOOK_KEY};
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::*;

#[tokio::test]
async fn a_node_that_starts_lets_nobody_in_before_it_has_what_the_others_published() {
    let nodes = Nodes::start(1).await;
    let mut screen = since(&nodes.each[0], "").await;
    for number in 0..5 {
        happens(&nodes.each[0], number).await;
    }
    let (position, _) = next_table(&mut screen).await;
    nodes.redis.freeze();
    let port = steady_port();
    let node = nodes.node.clone().with("NODE_NAME", "caja-2").with("PORT", &port.to_string());
    let starting = tokio::spawn(async move { node.ready().await });
    let mut early = loop {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(stream) => break stream,
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    };
    early.write_all(b"GET /ready HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answered = timeout(Duration::from_millis(1_500), early.readable()).await;
    assert!(answered.is_err() && !starting.is_finished(), "it serves without what the others published");
    nodes.redis.thaw();
    let late = starting.await.unwrap();
    let mut screen = since(&late, &position.to_string()).await;
    for number in 1..5 {
        assert_eq!(next_table(&mut screen).await.1, number);
    }
    screen.ping().await;
}

#[tokio::test]
async fn a_node_that_was_away_for_longer_than_the_log_keeps_has_its_listeners_come_again_to_a_resync() {
    let nodes = Nodes::start(1).await;
    let proxy = ChaosProxy::start(nodes.redis.port()).await;
    let far = nodes.node.clone().with("REDIS_URL", &format!("redis://127.0.0.1:{}", proxy.port())).ready().await;
    let mut screen = since(&far, "").await;
    happens(&nodes.each[0], 1).await;
    let (position, _) = next_table(&mut screen).await;
    proxy.silence();
    let is_away = async || far.get("/ready").await.json()["degraded"] == "log_away";
    until(is_away, "it is cut off").await;
    for number in 2..20 {
        happens(&nodes.each[0], number).await;
    }
    nodes.redis.say(&["XTRIM", "{pulso}:events", "MAXLEN", "3"]);
    // What it has asked for is answered before, and is given up by then.
    sleep(Duration::from_secs(3)).await;
    proxy.cut();
    proxy.restore().await;
    let closed = loop {
        if let Err(closed) = screen.next_or_close().await {
            break closed;
        }
    };
    assert_eq!(closed.code, 1012, "{closed:?}");
    assert_eq!(far.count("pulso_broker_gaps_total").await, 1);
    let mut screen = since(&far, &position.to_string()).await;
    assert_eq!(screen.next().await["type"], "resync");
    happens(&nodes.each[0], 30).await;
    while next_table(&mut screen).await.1 != 30 {}
}

#[tokio::test]
async fn ready_says_by_a_word_what_is_wrong_with_the_log_and_nothing_when_it_is_mended() {
    let nodes = Nodes::start(1).await;
    let node = &nodes.each[0];
    let says = async |word: Option<&str>| {
        let is_said = async || {
            let ready = node.get("/ready").await;
            assert_eq!(ready.status, 200, "{ready:?}");
            ready.json()["degraded"].as_str() == word
        };
        until(is_said, &format!("/ready says {word:?}")).await;
    };
    nodes.redis.say(&["CONFIG", "SET", "maxmemory", "1"]);
    says(Some("log_full")).await;
    nodes.redis.say(&["CONFIG", "SET", "maxmemory", "0"]);
    says(None).await;
    nodes.redis.say(&["DEL", "{pulso}:now"]);
    nodes.redis.say(&["SET", "{pulso}:now", "somebody else's"]);
    says(Some("log_foreign_key")).await;
    nodes.redis.say(&["DEL", "{pulso}:now"]);
    says(None).await;
    // A key that only calls with a key go by.
    nodes.redis.say(&["DEL", "{pulso}:calls"]);
    nodes.redis.say(&["SET", "{pulso}:calls", "somebody else's"]);
    let is_said = async || {
        let answer = node.post_with("/notify/mesa", &[("idempotency-key", "una-vez")], &table(1)).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        node.get("/ready").await.json()["degraded"] == "log_foreign_key"
    };
    until(is_said, "a call that is refused is seen in /ready").await;
    node.until_logged("did not take something").await;
    nodes.redis.say(&["DEL", "{pulso}:calls"]);
    says(None).await;
    nodes.redis.say(&["CONFIG", "SET", "requirepass", "otra"]);
    let _ = nodes.redis.cli(&["-a", "otra", "CLIENT", "KILL", "TYPE", "normal"]);
    says(Some("log_refused")).await;
    nodes.redis.cli(&["-a", "otra", "CONFIG", "SET", "requirepass", ""]);
    says(None).await;
    nodes.redis.freeze();
    says(Some("log_away")).await;
    nodes.redis.thaw();
    says(None).await;
}

#[tokio::test]
async fn a_node_that_stops_gives_its_clients_all_that_it_accepted_before_its_goodbye() {
    let nodes = Nodes::start(2).await;
    let mut screens = Vec::new();
    for _ in 0..3 {
        screens.push(since(&nodes.each[0], "").await);
    }
    let mut elsewhere = since(&nodes.each[1], "").await;
    // It is told to stop in the middle of the calls.
    let mut accepted = Vec::new();
    for number in 0.. {
        match nodes.each[0].try_post("/notify/mesa", &table(number)).await {
            Some(answer) if answer.status == 200 => accepted.push(number),
            _ => break,
        }
        if number == 20 {
            nodes.each[0].signal(Signal::TERM);
        }
    }
    assert!(accepted.len() > 20, "{accepted:?}");
    for screen in &mut screens {
        let mut heard = Vec::new();
        let closed = loop {
            match screen.next_or_close().await {
                Ok(event) => heard.push(event["data"]["tableId"].as_u64().unwrap()),
                Err(closed) => break closed,
            }
        };
        assert_eq!(closed.code, 1001, "{closed:?}");
        assert!(heard.starts_with(&accepted), "{heard:?} {accepted:?}");
    }
    for number in accepted {
        assert_eq!(next_table(&mut elsewhere).await.1, number);
    }
    assert_eq!(nodes.each[0].ended().await, 0);
    let is_alone = async || {
        let asked = format!("GET /api/nodes HTTP/1.1\nx-api-key: {HOOK_KEY}");
        nodes.each[1].exchange(&asked, "").await.json()["nodes"].as_array().map(Vec::len) == Some(1)
    };
    until(is_alone, "it has taken leave").await;
}
