//! A screen that does not read: 256 events wait for it and no more, at nobody else's cost.

use std::net::{Ipv4Addr, SocketAddr};

use pulso_harness::{Closed, Dashboard, Database, Running};
use tokio::net::TcpSocket;

use super::{NEGOCIO, SALE, body, naming};
use crate::feeds::{configured, signed};

/// Events that wait for one client at most, as the contract has it.
const BUFFER: u64 = 256;

/// A server where what waits ends a connection, not how long, on however busy a machine.
async fn patient() -> (Running, Database) {
    let (pulso, database) = configured().await;
    (pulso.with("WRITE_TIMEOUT", "60s").ready().await, database)
}

/// A screen whose machine keeps little for it.
async fn narrow(pulso: &Running) -> Dashboard {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1_024).unwrap();
    let stream = socket.connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), pulso.port())).await.unwrap();
    Dashboard::handshake(stream, pulso.port(), &signed("/ws", &naming(NEGOCIO)), &[]).await.unwrap()
}

/// Sells something large, so that the kernel's buffers are soon full, and so small that as many as may wait are less than the
/// bytes that may; how many screens were handed it.
async fn sell(pulso: &Running, number: u64) -> u64 {
    let nota = "x".repeat(3_500);
    let sale = SALE.replace("123", &number.to_string()).replace('}', &format!(",\"nota\":\"{nota}\"}}"));
    let answer = pulso.post("/notify/venta", &body(&sale, NEGOCIO)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["clients"].as_u64().unwrap()
}

#[tokio::test]
async fn a_screen_that_stops_reading_is_closed_with_1013_once_256_wait_and_others_have_every_sale() {
    let (pulso, _database) = patient().await;
    let mut slow = narrow(&pulso).await;
    let mut quick = pulso.connect(&naming(NEGOCIO)).await;
    quick.ping().await;
    let mut sold = 0;
    loop {
        let clients = sell(&pulso, sold).await;
        assert_eq!(quick.next().await["data"]["saleId"], sold);
        sold += 1;
        if clients == 1 {
            break;
        }
    }
    // Counted when a socket has taken it whole: beside those that waited, one was on its way and one was too many.
    let slow_had = pulso.count("pulso_deliveries_total").await - sold;
    assert_eq!(sold - slow_had, BUFFER + 2, "of {sold}");
    assert_eq!(slow.closed().await, Closed { code: 1013, reason: "slow consumer".to_owned() });
    assert_eq!(pulso.count("pulso_slow_closes_total").await, 1);
    assert_eq!(sell(&pulso, sold).await, 1);
    assert_eq!(quick.next().await["data"]["saleId"], sold);
}

#[tokio::test]
async fn a_screen_that_reads_again_in_time_has_every_sale() {
    let (pulso, _database) = patient().await;
    let mut slow = narrow(&pulso).await;
    slow.ping().await;
    let mut sold = 0;
    while sold - pulso.count("pulso_deliveries_total").await.min(sold) < BUFFER {
        assert_eq!(sell(&pulso, sold).await, 1);
        sold += 1;
    }
    for number in 0..sold {
        assert_eq!(slow.next().await["data"]["saleId"], number);
    }
    slow.ping().await;
}
