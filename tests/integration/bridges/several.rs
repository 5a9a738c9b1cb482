//! Several nodes: what a producer says is heard on each of them once, whoever listens to it and whatever becomes of that node.

use std::time::Duration;

use pulso_harness::process::steady_port;
use pulso_harness::{Packets, Pulso, Redis, Running, wait};
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::sleep;

use super::django::{clinic, numbered, staff, to_staff};
use super::socketio::{heard, producer, status, told};
use super::{is_on_duty, say};
use crate::feeds::configured;
use crate::restaurant::{RESTAURANT, auth};

async fn two(pulso: &Pulso) -> [Running; 2] {
    let node = |name: &str| pulso.clone().with("NODE_NAME", name).with("PORT", &steady_port().to_string());
    [node("caja-1").ready().await, node("caja-2").ready().await]
}

/// Which of the two listens to a producer, once one does.
async fn on_duty(nodes: &[Running; 2], bridge: &str) -> usize {
    let either = async || is_on_duty(&nodes[0], bridge).await || is_on_duty(&nodes[1], bridge).await;
    wait::until(either, "one of them has the duty").await;
    usize::from(!is_on_duty(&nodes[0], bridge).await)
}

async fn orders(client: &mut Packets, numbers: std::ops::Range<u32>) {
    for number in numbers {
        assert_eq!(heard(client).await.1, [status(RESTAURANT, number)]);
    }
}

#[tokio::test]
async fn every_node_hears_each_published_message_once_and_another_listens_when_one_stops() {
    let redis = Redis::start();
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("REDIS_URL", &redis.url()).with("BRIDGE_SOCKETIO", "socket.io").with("SHUTDOWN_GRACE", "1s");
    let mut nodes = two(&pulso).await;
    let holder = on_duty(&nodes, "socketio").await;
    assert!(!is_on_duty(&nodes[1 - holder], "socketio").await);
    let mut clients = Vec::new();
    for node in &nodes {
        clients.push(Packets::connected(node.port(), &auth(RESTAURANT)).await);
    }
    let mut producer = producer(&redis, "emitter").await;
    for number in 0..20 {
        say(&mut producer, &told(RESTAURANT, number)).await;
    }
    for client in &mut clients {
        orders(client, 0..20).await;
        client.expect_silence().await;
    }
    nodes[holder].signal(Signal::TERM);
    let (left, mut client) = (&mut nodes[1 - holder], clients.remove(1 - holder));
    wait::until(async || is_on_duty(left, "socketio").await, "the other has the duty").await;
    say(&mut producer, &told(RESTAURANT, 20)).await;
    orders(&mut client, 20..21).await;
}

#[tokio::test]
async fn a_node_that_was_frozen_on_duty_publishes_nothing_that_another_has_published() {
    let redis = Redis::start();
    let (pulso, _database) = configured().await;
    let nodes = two(&pulso.with("REDIS_URL", &redis.url()).with("BRIDGE_SOCKETIO", "socket.io")).await;
    let holder = on_duty(&nodes, "socketio").await;
    let other = &nodes[1 - holder];
    let mut client = Packets::connected(other.port(), &auth(RESTAURANT)).await;
    let mut producer = producer(&redis, "emitter").await;
    nodes[holder].signal(Signal::STOP);
    wait::until(async || is_on_duty(other, "socketio").await, "the other has the duty").await;
    for number in 0..10 {
        say(&mut producer, &told(RESTAURANT, number)).await;
    }
    orders(&mut client, 0..10).await;
    nodes[holder].signal(Signal::CONT);
    sleep(Duration::from_secs(2)).await;
    client.expect_silence().await;
    assert!(is_on_duty(other, "socketio").await && !is_on_duty(&nodes[holder], "socketio").await);
}

#[tokio::test]
async fn what_waits_in_the_core_layer_outlives_the_node_that_was_to_take_it() {
    let clinic = clinic("core", "msgpack").await;
    let nodes = two(&clinic.pulso).await;
    clinic.until_joined("staff_orders").await;
    let holder = on_duty(&nodes, "django").await;
    let mut staff = staff(&nodes[1 - holder]).await;
    let mut producer = clinic.producer("core", "msgpack");
    let say_all = |numbers: std::ops::Range<u64>| to_staff(&numbers.map(numbered).collect::<Vec<Value>>());
    say(&mut producer, &say_all(0..30)).await;
    nodes[holder].signal(Signal::KILL);
    say(&mut producer, &say_all(30..60)).await;
    for number in 0..60 {
        assert_eq!(staff.next().await["order_id"], number);
    }
    staff.expect_silence().await;
}
