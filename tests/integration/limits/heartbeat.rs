//! Whether the peer is still there: asked by a ping, answered by anything at all.

use std::time::Duration;

use pulso_harness::{Dashboard, Running};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

use super::signed_path;
use crate::business::{NEGOCIO, database, owner, pulso};

async fn impatient() -> Running {
    let database = database().await;
    pulso(&database.url()).with("PING_INTERVAL", "200ms").with("PONG_TIMEOUT", "400ms").ready().await
}

#[tokio::test]
async fn a_peer_that_never_answers_is_gone_and_one_that_answers_stays() {
    let pulso = impatient().await;
    let mut there = pulso.connect(&owner()).await;
    there.watch(NEGOCIO).await;
    // Nothing reads from it: no ping is answered.
    let mut gone = Dashboard::connect(pulso.port(), &signed_path(), &[]).await;
    pulso.until_count("pulso_connections", 2).await;
    let waiting = async {
        loop {
            there.expect_silence().await;
        }
    };
    tokio::select! {
        () = waiting => {}
        () = pulso.until_count("pulso_connections", 1) => {}
    }
    assert_eq!(pulso.closed_with(1006).await, 1);
    assert_eq!(gone.closed().await.code, 1006);
    there.ping().await;
}

#[tokio::test]
async fn the_answer_to_our_ping_costs_nothing_and_a_pong_nobody_asked_for_does() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("PING_INTERVAL", "100ms").with("MESSAGE_BURST", "2");
    let pulso = pulso.with("MESSAGE_RATE", "1").ready().await;
    let mut answers = pulso.connect(&owner()).await;
    let began = Instant::now();
    // Pinged ten times a second, it may say one thing a second; the library answers for it.
    while began.elapsed() < Duration::from_secs(2) {
        answers.expect_silence().await;
    }
    answers.ping().await;
    let mut talks = pulso.connect(&owner()).await;
    for _ in 0..20 {
        talks.send_message(Message::Pong("x".into())).await;
    }
    assert_eq!(talks.closed().await.code, 1008);
}

#[tokio::test]
async fn whatever_a_peer_sends_shows_that_it_is_there() {
    let pulso = impatient().await;
    let mut talker = pulso.connect(&owner()).await;
    let began = Instant::now();
    // Several times as long as a silent one would last. It reads nothing, so it answers no ping.
    while began.elapsed() < Duration::from_secs(2) {
        talker.send(&json!({ "type": "ping" })).await;
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(pulso.count("pulso_connections").await, 1);
    assert_eq!(talker.next().await, json!({ "type": "pong" }));
}
