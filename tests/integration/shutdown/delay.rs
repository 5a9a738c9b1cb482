//! `SHUTDOWN_DELAY`: between the signal and the stop, balancers are told and everybody is served.

use std::time::Duration;

use pulso_harness::http::Line;
use pulso_harness::{Claims, Running, wait};
use rustix::process::Signal;
use serde_json::json;
use tokio::time::Instant;

use super::{ROOM, going_away};
use crate::business::{NEGOCIO, database, pulso};

async fn leaving(delay: &str) -> (Running, Line) {
    let database = database().await;
    let pulso = pulso(&database.url()).with_hook_key().with("SHUTDOWN_DELAY", delay).ready().await;
    let mut kept = Line::open(pulso.port()).await;
    kept.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(kept.answer().await.header("connection"), None);
    pulso.signal(Signal::TERM);
    wait::until(async || pulso.get("/ready").await.status == 503, "/ready says no").await;
    (pulso, kept)
}

fn sale(number: u64) -> String {
    json!({ "negocio_id": NEGOCIO, "saleId": number, "tableId": null, "total": 1, "timestamp": "t" }).to_string()
}

#[tokio::test]
async fn newcomers_are_served_and_every_answer_lets_go_of_its_connection() {
    let (pulso, mut kept) = leaving("5m").await;
    kept.send("GET /ready HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = kept.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (503, Some("close")), "{answer:?}");
    assert_eq!(answer.json()["reason"], "shutting_down");
    let mut newcomer = pulso.connect(&Claims::naming("ana", &[NEGOCIO])).await;
    pulso.until_count("pulso_connections", 1).await;
    for number in 0..3 {
        let mut line = Line::open(pulso.port()).await;
        let body = sale(number);
        let head = format!("POST /notify/venta HTTP/1.1\r\nhost: x\r\nx-api-key: {}", pulso_harness::HOOK_KEY);
        let length = body.len();
        line.send(format!("{head}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")).await;
        let answer = line.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
        assert_eq!(newcomer.next_or_close().await.unwrap()["data"]["saleId"], number);
    }
    for path in ["/health", "/metrics", "/", "/nothing", "/sse", "/ws", "/socket.io/?EIO=4&transport=polling"] {
        let mut line = Line::open(pulso.port()).await;
        line.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        let answer = line.answer().await;
        let all: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "connection").collect();
        assert!(all.iter().any(|(_, value)| value.contains("close")), "{path}: {answer:?}");
    }
    // A second signal does not wait for what is left of the delay.
    pulso.signal(Signal::TERM);
    assert_eq!(pulso.ended().await, 143);
}

#[tokio::test]
async fn the_grace_counts_from_the_end_of_the_delay() {
    let from = Instant::now();
    let (pulso, _kept) = leaving("2s").await;
    let mut newcomer = pulso.connect(&Claims::naming("ana", &[NEGOCIO])).await;
    assert_eq!(newcomer.closed().await, going_away());
    assert!(from.elapsed() >= Duration::from_secs(2));
    assert_eq!(pulso.ended().await, 0);
    assert!(from.elapsed() < Duration::from_secs(2 + 8) + ROOM * 2);
}
