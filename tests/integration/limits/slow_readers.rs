//! Clients that do not read: closed when too much waits for them or a write is stuck, at nobody else's cost.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pulso_harness::{Claims, Closed, Dashboard, Running, wait};
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::signed;
use crate::business::{OWNER, database, pulso};

const NEGOCIOS: usize = 6;

fn negocio(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn all() -> Claims {
    let ids: Vec<_> = (0..NEGOCIOS).map(negocio).collect();
    Claims::naming(OWNER, &ids.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A dashboard on all businesses whose machine keeps little for it.
async fn narrow(pulso: &Running) -> Dashboard {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1_024).unwrap();
    let stream = socket.connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), pulso.port())).await.unwrap();
    let mut dashboard = Dashboard::handshake(stream, pulso.port(), &signed(&all()), &[]).await.unwrap();
    for number in 0..NEGOCIOS {
        dashboard.watch(&negocio(number)).await;
    }
    dashboard
}

/// Asks for figures without reading any, until the server can write no more.
async fn clog(pulso: &Running, dashboard: &mut Dashboard) {
    let ask = json!({ "type": "subscribe", "channel": format!("estadisticas:{}", negocio(0)) });
    let (mut delivered, mut still) = (0, 0);
    // One standstill may be the kernel's or a busy machine's.
    while still < 6 {
        let _ = timeout(Duration::from_millis(200), dashboard.send_often(&ask, 1_000)).await;
        let now = pulso.count("pulso_deliveries_total").await;
        still = if now == delivered { still + 1 } else { 0 };
        delivered = now;
    }
}

async fn patient_server(write_timeout: &str) -> Running {
    let database = database().await;
    pulso(&database.url())
        .with("MESSAGE_BURST", "1000000")
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
    let mut quick = pulso.connect(&all()).await;
    for number in 0..NEGOCIOS {
        quick.watch(&negocio(number)).await;
    }
    clog(&pulso, &mut slow).await;

    let round = async |quick: &mut Dashboard| {
        // Two of one business are one message; more businesses than the buffer has room for are too many.
        for number in [0, 0, 1, 1, 2, 3, 4, 5] {
            let answer = pulso.notify(&negocio(number)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(quick.stats().await.negocio_id, negocio(number));
        }
    };
    // The kernel may still find room for some.
    for _ in 0..10 {
        round(&mut quick).await;
        if pulso.count("pulso_slow_closes_total").await > 0 {
            break;
        }
    }
    assert_eq!(slow.closed().await, Closed { code: 1013, reason: "slow consumer".to_owned() });
    assert_eq!(pulso.closed_with(1013).await, 1);
    assert_eq!(pulso.count("pulso_slow_closes_total").await, 1);
    assert!(pulso.count("pulso_conflated_total").await >= 1);
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
            last = pulso.notify(&negocio(number)).await.json()["seq"].as_u64().unwrap();
        }
    }
    // What it missed is gone, what it reads last is the newest.
    slow.stats_until(|stats| stats.seq == last).await;
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
    let is_over = async || pulso.notify(&negocio(1)).await.status == 200 && pulso.count("pulso_connections").await == 0;
    wait::until(is_over, "the connection ends").await;
    assert_eq!(pulso.closed_with(1006).await, 1);
    assert_eq!(pulso.count("pulso_slow_closes_total").await, 0, "little waited for it");
    pulso.until_count("pulso_subscriptions", 0).await;
    wait::until(async || pulso.notify(&negocio(0)).await.status == 200, "nobody else notices").await;
}
