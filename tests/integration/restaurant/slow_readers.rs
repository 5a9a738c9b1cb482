//! Clients that do not read, by each transport: cut within a bound, at little memory and at nobody else's cost.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pulso_harness::{Packets, Poller, Running};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::{RESTAURANT, auth, event, reached, server};

/// An order's status with something long to say.
/// Between long statuses, so that while a write may take its second fewer bytes come to wait than may.
pub const PACE: Duration = Duration::from_millis(25);

fn long_status(number: usize) -> String {
    status_of(number, 15_000)
}

pub fn status_of(number: usize, length: usize) -> String {
    let notes = "x".repeat(length);
    format!(r#"{{"orderId":"o-{number}","restaurantId":"{RESTAURANT}","newStatus":"READY","notes":"{notes}"}}"#)
}

async fn narrow(running: &Running) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1_024).unwrap();
    socket.connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), running.port())).await.unwrap()
}

/// A WebSocket that has connected and reads nothing from now on.
async fn silent_socket(running: &Running) -> Packets {
    let stream = narrow(running).await;
    let mut packets = Packets::over(stream, running.port(), "EIO=4&transport=websocket", &[]).await.unwrap();
    assert!(packets.connect(&auth(RESTAURANT)).await.starts_with("40{"));
    packets
}

/// One that began by polling.
async fn silent_upgraded(running: &Running) -> Packets {
    let mut poller = Poller::open(running.port(), "").await;
    assert!(poller.connect(&auth(RESTAURANT)).await.starts_with("40{"));
    let upgrade = format!("EIO=4&transport=websocket&sid={}", poller.sid);
    let mut packets = Packets::over(narrow(running).await, running.port(), &upgrade, &[]).await.unwrap();
    packets.say("2probe").await;
    assert_eq!(packets.expect().await, "3probe");
    packets.say("5").await;
    packets
}

/// The server's memory, in KiB.
fn memory(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn slow_clients_of_every_transport_are_cut_and_others_still_receive() {
    let running = server().with("WRITE_TIMEOUT", "60s").with("OUTBOUND_BUFFER", "50").start().await;
    let mut quick = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(silent_socket(&running).await);
        slow.push(silent_upgraded(&running).await);
    }
    let mut pollers = Vec::new();
    for _ in 0..3 {
        let mut poller = Poller::open(running.port(), "").await;
        assert!(poller.connect(&auth(RESTAURANT)).await.starts_with("40{"));
        pollers.push(poller);
    }
    let before = memory(&running);
    let mut sent = 0;
    // As much as the kernel takes for a socket, and then what the mailbox takes.
    while running.count("pulso_subscriptions").await > 1 {
        for _ in 0..20 {
            let payload = long_status(sent);
            reached(&running, "/notify/order/status", &payload).await;
            assert_eq!(quick.expect().await, event("order.status.changed", &payload));
            sent += 1;
        }
        assert!(sent < 5_000, "they are never cut");
    }
    let grown = memory(&running).saturating_sub(before);
    // Twice what the history may hold, and some room for nine.
    assert!(grown < 9 * 256 + 2 * 256 * 16 + 16 * 1_024, "{grown} KiB");
    assert_eq!(running.count("pulso_slow_closes_total").await, 9);
    running.until_count("pulso_closes_total{code=\"1013\"}", 9).await;
    running.until_count("pulso_connections", 1).await;
    for poller in &pollers {
        assert_eq!(poller.get().await.status, 400, "the session is over");
    }
    for slow in &mut slow {
        slow.ended().await;
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_ends_although_little_waits_for_it() {
    let running = server().with("WRITE_TIMEOUT", "1s").with("OUTBOUND_BUFFER", "65536").start().await;
    let mut quick = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let _slow = (silent_socket(&running).await, silent_upgraded(&running).await);
    let mut poller = Poller::open(running.port(), "").await;
    poller.connect(&auth(RESTAURANT)).await;
    let mut sent = 0;
    while running.count("pulso_connections").await > 1 {
        let payload = long_status(sent);
        reached(&running, "/notify/order/status", &payload).await;
        assert_eq!(quick.expect().await, event("order.status.changed", &payload));
        sent += 1;
        assert!(sent < 20_000, "they are never cut");
        sleep(PACE).await;
    }
    running.until_count("pulso_closes_total{code=\"1006\"}", 3).await;
    assert_eq!(running.count("pulso_slow_closes_total").await, 0);
    running.until_count("pulso_subscriptions", 1).await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_ends_even_when_it_reads_nothing() {
    let running = server().with("PING_INTERVAL", "1s").with("PONG_TIMEOUT", "1s").start().await;
    let mut socket = silent_socket(&running).await;
    let _upgraded = silent_upgraded(&running).await;
    let mut poller = Poller::open(running.port(), "").await;
    poller.connect(&auth(RESTAURANT)).await;
    assert_eq!(running.count("pulso_connections").await, 3);
    running.until_count("pulso_connections", 0).await;
    running.until_count("pulso_subscriptions", 0).await;
    running.until_count("pulso_closes_total{code=\"1006\"}", 3).await;
    socket.ended().await;
}

#[tokio::test]
async fn a_burst_that_a_poller_fetches_comes_whole_and_in_order() {
    // Less in all than the bytes that may wait.
    let running = server().start().await;
    let mut poller = Poller::open(running.port(), "").await;
    poller.connect(&auth(RESTAURANT)).await;
    let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    for number in 0..60 {
        reached(&running, "/notify/order/status", &long_status(number)).await;
    }
    for number in 0..60 {
        let expected = event("order.status.changed", &long_status(number));
        assert_eq!(poller.next().await, expected);
        assert_eq!(socket.expect().await, expected);
    }
    assert_eq!(running.count("pulso_connections").await, 2);
}

#[tokio::test]
async fn a_client_that_shows_nobody_and_reads_no_refusals_is_cut_too() {
    let running =
        server().with("AUTH_TIMEOUT", "1s").with("WRITE_TIMEOUT", "1s").with("MESSAGE_BURST", "100000").start().await;
    let stream = narrow(&running).await;
    let mut stuck = Packets::over(stream, running.port(), "EIO=4&transport=websocket", &[]).await.unwrap();
    // Each is answered with as much.
    let namespace = format!("40/{},", "x".repeat(15_000));
    // More than the kernel takes.
    while timeout(Duration::from_secs(1), stuck.try_say(&namespace, 100)).await == Ok(true) {}
    running.until_count("pulso_connections", 0).await;
    assert_eq!(running.count("pulso_unauthenticated_connections").await, 0);
}
