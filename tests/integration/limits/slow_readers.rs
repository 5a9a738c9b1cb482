//! Clients that do not read: closed when too much waits for them or a write is stuck, at nobody else's cost.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pulso_harness::{Answer, Claims, Closed, Dashboard, Running, wait};
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::time::sleep;

use super::signed;
use crate::business::{OWNER, database, pulso};

const NEGOCIOS: usize = 6;
/// Of a message that fills a line, in bytes: a line takes some twenty.
const MUCH: usize = 200_000;

fn negocio(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

pub fn all() -> Claims {
    let ids: Vec<_> = (0..NEGOCIOS).map(negocio).collect();
    Claims::naming(OWNER, &ids.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A dashboard whose machine keeps little for it.
pub async fn narrow_line(pulso: &Running, path: &str) -> Dashboard {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1_024).unwrap();
    let stream = socket.connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), pulso.port())).await.unwrap();
    Dashboard::handshake(stream, pulso.port(), path, &[]).await.unwrap()
}

/// As [`narrow_line`], on all businesses.
async fn narrow(pulso: &Running) -> Dashboard {
    let mut dashboard = narrow_line(pulso, &signed(&all())).await;
    for number in 0..NEGOCIOS {
        dashboard.watch(&negocio(number)).await;
    }
    dashboard
}

/// The channel that fills lines.
pub fn todo() -> String {
    format!("canal:{}:todo", negocio(0))
}

/// Publishes more than the line takes while nobody reads: of the last message a part has to wait.
pub async fn clog(pulso: &Running, dashboard: &mut Dashboard) {
    let channel = todo();
    let before = pulso.count("pulso_subscriptions").await;
    dashboard.send(&json!({ "type": "subscribe", "channel": channel })).await;
    pulso.until_count("pulso_subscriptions", before + 1).await;
    let much = json!({ "channel": channel, "type": "mucho", "data": "x".repeat(MUCH) }).to_string();
    let mut still = 0;
    // One standstill may be the kernel's or a busy machine's.
    while still < 5 {
        let delivered = pulso.count("pulso_deliveries_total").await;
        if still == 0 {
            assert_eq!(pulso.post("/api/publish", &much).await.status, 200);
        } else {
            sleep(Duration::from_millis(200)).await;
        }
        let is_still = pulso.count("pulso_deliveries_total").await == delivered;
        still = if is_still { still + 1 } else { 0 };
    }
}

async fn announce(pulso: &Running, number: usize) -> Answer {
    pulso.post("/notify/cita", &json!({ "negocio_id": negocio(number) }).to_string()).await
}

pub async fn patient_server(write_timeout: &str) -> Running {
    let database = database().await;
    pulso(&database.url())
        .with_hook_key()
        .with("HOOK_MAX_BODY_BYTES", &(2 * MUCH).to_string())
        .with("SNAPSHOT_MAX_AGE", "60s")
        .with("OUTBOUND_BUFFER", "3")
        .with("WRITE_TIMEOUT", write_timeout)
        .ready()
        .await
}

#[tokio::test]
async fn slow_client_is_closed_and_others_still_receive() {
    let pulso = patient_server("60s").await;
    let mut slow = narrow(&pulso).await;
    clog(&pulso, &mut slow).await;
    let mut quick = pulso.connect(&all()).await;
    for number in 0..NEGOCIOS {
        quick.watch(&negocio(number)).await;
    }

    // Two of one business are one message; more businesses than the buffer has room for are too many.
    for number in [0, 0, 1, 1, 2, 3] {
        let answer = announce(&pulso, number).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(quick.stats().await.negocio_id, negocio(number));
    }
    assert_eq!(slow.closed().await, Closed { code: 1013, reason: "slow consumer".to_owned() });
    assert_eq!(pulso.closed_with(1013).await, 1);
    assert_eq!(pulso.count("pulso_slow_closes_total").await, 1);
    assert_eq!(pulso.count("pulso_conflated_total").await, 2);
    quick.ping().await;
}

#[tokio::test]
async fn states_of_a_few_businesses_never_make_a_client_slow() {
    let pulso = patient_server("60s").await;
    let mut slow = narrow(&pulso).await;
    clog(&pulso, &mut slow).await;
    let mut last = 0;
    for _ in 0..20 {
        for number in 1..3 {
            last = announce(&pulso, number).await.json()["seq"].as_u64().unwrap();
        }
    }
    // What it missed is gone, what it reads last is the newest.
    while slow.next().await["seq"] != last {}
    slow.send(&json!({ "type": "ping" })).await;
    while slow.next().await != json!({ "type": "pong" }) {}
    assert_eq!(pulso.count("pulso_slow_closes_total").await, 0);
}

#[tokio::test]
async fn a_write_that_is_stuck_ends_the_connection() {
    let pulso = patient_server("5s").await;
    let mut slow = narrow(&pulso).await;
    clog(&pulso, &mut slow).await;
    // The kernel may still find room for some.
    let is_over = async || announce(&pulso, 1).await.status == 200 && pulso.count("pulso_connections").await == 0;
    wait::until(is_over, "the connection ends").await;
    assert_eq!(pulso.closed_with(1006).await, 1);
    assert_eq!(pulso.count("pulso_slow_closes_total").await, 0, "little waited for it");
    pulso.until_count("pulso_subscriptions", 0).await;
    wait::until(async || announce(&pulso, 0).await.status == 200, "nobody else notices").await;
}
