//! How a socket ends: its token, its user's dismissal, the server's goodbye; and what it leaves behind.

use std::time::Duration;

use pulso_harness::{Packets, Poller, SECRET, wait};
use rustix::process::Signal;
use serde_json::json;
use tokio::time::Instant;

use super::{OTHER, RESTAURANT, auth, call, event, reached, server, status, waiter};

#[tokio::test]
async fn a_token_that_expires_disconnects_the_socket() {
    let running = server().start().await;
    let token = json!({ "token": waiter(RESTAURANT).expiring_in(2).sign(SECRET) });
    let mut socket = Packets::connected(running.port(), &token).await;
    let mut poller = Poller::open(running.port(), "").await;
    assert!(poller.connect(&token).await.starts_with("40{"));
    let mut other = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    assert_eq!(socket.expect().await, "41");
    assert_eq!(poller.next().await, "41");
    running.until_count("pulso_closes_total{code=\"4001\"}", 2).await;
    // A session without a namespace is not kept.
    socket.ended().await;
    running.until_count("pulso_connections", 1).await;
    assert_eq!(reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await, 1);
    assert_eq!(other.expect().await, event("order.status.changed", &status(RESTAURANT, 1)));
}

#[tokio::test]
async fn a_dismissed_user_is_disconnected_and_nobody_else() {
    let running = server().start().await;
    let luis = json!({ "token": waiter(RESTAURANT).with("userId", json!("luis")).sign(SECRET) });
    let mut dismissed = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let mut stays = Packets::connected(running.port(), &luis).await;
    let answer = call(&running, "/api/disconnect", r#"{"user":"ana"}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(dismissed.expect().await, "41");
    running.until_count("pulso_subscriptions", 1).await;
    assert_eq!(reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await, 1);
    stays.expect().await;
}

#[tokio::test]
async fn whoever_leaves_leaves_nothing_behind() {
    let running = server().start().await;
    // By namespace, by packet, by frame, without a word, and by polling.
    let mut leaves = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    leaves.say("41").await;
    let mut closes = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    closes.say("1").await;
    let vanishes = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    drop(vanishes);
    let mut poller = Poller::open(running.port(), "").await;
    poller.connect(&auth(RESTAURANT)).await;
    poller.say("41\u{1e}1").await;
    leaves.ended().await;
    closes.ended().await;
    running.until_count("pulso_subscriptions", 0).await;
    running.until_count("pulso_connections", 0).await;
    assert_eq!(running.count("pulso_unauthenticated_connections").await, 0);
    let ended = async || running.closed_with(1000).await + running.closed_with(1006).await;
    wait::until(async || ended().await == 4, "all are counted").await;
}

#[tokio::test]
async fn a_stopping_server_says_goodbye_to_every_transport_and_takes_nobody_new() {
    let running = server().with("SHUTDOWN_GRACE", "4s").start().await;
    let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let mut poller = Poller::open(running.port(), "").await;
    poller.connect(&auth(OTHER)).await;
    // One that has not connected a namespace, and holds a request.
    let idle = Poller::open(running.port(), "").await;
    let waiting = tokio::spawn(async move { idle.get().await });
    let polling = tokio::spawn(async move { poller.get().await });
    // Connections are accepted in their order: when these are answered, the two polls are in.
    for _ in 0..3 {
        assert_eq!(running.get("/health").await.status, 200);
    }
    let from = Instant::now();
    running.signal(Signal::TERM);
    socket.ended().await;
    assert_eq!(polling.await.unwrap().status, 200);
    assert_eq!(waiting.await.unwrap().status, 200);
    assert_eq!(running.ended().await, 0);
    assert!(from.elapsed() < Duration::from_secs(6), "{:?}", from.elapsed());
    assert!(!running.has_logged("left behind"), "{:#?}", running.log());
}

#[tokio::test]
async fn events_are_replayed_after_since_and_a_gap_is_said() {
    let running = server().start().await;
    let port = running.port();
    let mut first = Packets::open(port, &[]).await;
    first.connect(&json!({ "token": waiter(RESTAURANT).sign(SECRET), "since": "" })).await;
    for number in 1..=3 {
        reached(&running, "/notify/order/status", &status(RESTAURANT, number)).await;
    }
    let mut packets = Vec::new();
    for _ in 0..3 {
        packets.push(first.expect().await);
    }
    let id = packets[0].rsplit_once(r#"{"id":""#).unwrap().1.trim_end_matches(r#""}]"#).to_owned();
    assert!(packets[0].starts_with(r#"42["order.status.changed",{"orderId":"o-1","#), "{packets:?}");

    let since = |since: &str| json!({ "token": waiter(RESTAURANT).sign(SECRET), "since": since });
    let mut again = Packets::open(port, &[]).await;
    again.connect(&since(&id)).await;
    assert_eq!([again.expect().await, again.expect().await], packets[1..]);
    let mut unknown = Packets::open(port, &[]).await;
    unknown.connect(&since("77")).await;
    assert_eq!(unknown.expect().await, r#"42["resync",{"type":"resync"}]"#);
    // Of another restaurant there is nothing to replay.
    let mut other = Packets::open(port, &[]).await;
    other.connect(&json!({ "token": waiter(OTHER).sign(SECRET), "since": id })).await;
    other.expect_silence().await;
    wait::until(async || running.count("pulso_replayed_total").await == 2, "two events were replayed").await;
}
