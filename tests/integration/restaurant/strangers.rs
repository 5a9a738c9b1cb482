//! What strangers send and how they read: far too much, far too slowly, for ever. Nobody else notices, and no place is kept.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pulso_harness::{Line, Packets, Poller, Running, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::slow_readers::{PACE, status_of};
use super::{OTHER, RESTAURANT, auth, event, reached, server, status};

const MEBIBYTE: usize = 1 << 20;
/// As a WebSocket's frame declares it: eight bytes.
const GIBIBYTE: [u8; 8] = [0, 0, 0, 0, 0x40, 0, 0, 0];
/// A client that is given something more often than this, so many times, is one that is busy.
const LONG: Duration = Duration::from_millis(1_500);
const OFTEN: u32 = 3;

async fn polling(running: &Running) -> Poller {
    let mut poller = Poller::open(running.port(), "").await;
    assert!(poller.connect(&auth(RESTAURANT)).await.starts_with("40{"));
    poller
}

async fn connect(running: &Running) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // So that little is enough to fill it.
    socket.set_recv_buffer_size(4 * 1_024).unwrap();
    socket.connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), running.port())).await.unwrap()
}

/// The head of a request of a session's.
fn head(method: &str, poller: &Poller) -> String {
    format!("{method} /socket.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nhost: x\r\n", poller.sid)
}

/// A line on which a client is busy.
async fn busy(running: &Running, poller: &Poller) -> Line {
    let mut line = Line::open(running.port()).await;
    for number in 0..OFTEN {
        line.send(head("GET", poller) + "\r\n").await;
        reached(running, "/notify/order/status", &status(RESTAURANT, number)).await;
        assert_eq!(line.answer().await.body, event("order.status.changed", &status(RESTAURANT, number)));
    }
    line
}

/// Reads a byte a second from now on, until the line ends.
fn drip(mut stream: TcpStream) -> JoinHandle<()> {
    tokio::spawn(async move {
        while stream.read_u8().await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    })
}

/// One event more reaches whoever is there, and this one has it.
async fn serves(running: &Running, other: &mut Packets, number: u32) {
    reached(running, "/notify/order/status", &status(RESTAURANT, number)).await;
    assert_eq!(other.expect().await, event("order.status.changed", &status(RESTAURANT, number)));
}

#[tokio::test]
async fn polls_that_come_behind_each_other_on_one_line_are_answered_one_after_the_other() {
    for waits in [Duration::ZERO, LONG] {
        let running = server().start().await;
        let mut sessions = Vec::new();
        for _ in 0..6 {
            sessions.push(polling(&running).await);
        }
        // More than is read at once: some of it waits in every place where it can.
        let padding = format!("x-padding: {}\r\n\r\n", "p".repeat(12 * 1_024));
        let requests: Vec<String> = sessions.iter().map(|poller| head("GET", poller) + &padding).collect();
        let mut line = Line::open(running.port()).await;
        line.send(requests.concat()).await;
        sleep(waits).await;
        assert_eq!(reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await, 6);
        for _ in &sessions {
            let answer = line.answer().await;
            assert_eq!((answer.status, answer.body), (200, event("order.status.changed", &status(RESTAURANT, 1))));
        }
    }
}

#[tokio::test]
async fn who_is_given_much_and_then_for_long_nothing_has_all_of_it_in_order_on_one_line() {
    let running = server().start().await;
    let (poller, other) = (polling(&running).await, polling(&running).await);
    let mut line = busy(&running, &poller).await;
    for (number, waits) in (0..).zip([LONG, Duration::ZERO, LONG, Duration::ZERO, Duration::ZERO, Duration::ZERO, LONG])
    {
        // Something comes behind each request.
        line.send(head("GET", &poller) + "\r\n" + &head("POST", &other) + "content-length: 1\r\n\r\n6").await;
        sleep(waits).await;
        reached(&running, "/notify/order/status", &status(RESTAURANT, number)).await;
        let (given, posted) = (line.answer().await, line.answer().await);
        assert_eq!((given.status, given.body), (200, event("order.status.changed", &status(RESTAURANT, number))));
        assert_eq!((posted.status, posted.body.as_str()), (200, "ok"));
    }
}

#[tokio::test]
async fn a_mebibyte_of_separators_ends_its_session_and_holds_nobody_up() {
    let running = server().with("MAX_MESSAGE_BYTES", "2097152").with("MESSAGE_BURST", "1000000").start().await;
    let mut other = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    for payload in ["\u{1e}".repeat(MEBIBYTE), format!("3{}", "\u{1e}3".repeat(MEBIBYTE / 2)) + "\u{1e}"] {
        let poller = polling(&running).await;
        assert_eq!(poller.post(&payload).await.status, 400);
        serves(&running, &mut other, 1).await;
    }
    running.until_count("pulso_connections", 1).await;
}

#[tokio::test]
async fn a_gibibyte_that_is_declared_is_refused_before_it_comes() {
    let running = server().start().await;
    let mut other = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let poller = polling(&running).await;
    let mut stream = connect(&running).await;
    let request = head("POST", &poller) + "content-type: text/plain\r\ncontent-length: 1073741824\r\n\r\nbAQIDBA==";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    for first in [0x81, 0x82] {
        let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
        socket.say(r#"451-["x",{"_placeholder":true,"num":0}]"#).await;
        let declared = [&[first, 0xff][..], &GIBIBYTE, &[0; 4], b"bAQ"].concat();
        socket.stream().write_all(&declared).await.unwrap();
        socket.ended().await;
    }
    running.until_count("pulso_closes_total{code=\"1009\"}", 3).await;
    running.until_count("pulso_connections", 1).await;
    serves(&running, &mut other, 1).await;
}

#[tokio::test]
async fn who_asks_and_gives_up_for_ever_keeps_no_place() {
    let running = server().with("MAX_CONNECTIONS", "3").start().await;
    for number in 0..60 {
        let poller = polling(&running).await;
        let mut asking = if number % 2 == 0 { Line::open(running.port()).await } else { busy(&running, &poller).await };
        asking.send(head("GET", &poller) + "\r\n").await;
        // Not before it has been heard.
        assert_eq!(poller.post("3").await.status, 200);
        drop(asking);
        running.until_count("pulso_connections", 0).await;
    }
    running.until_count("pulso_subscriptions", 0).await;
}

#[tokio::test]
async fn what_happens_right_behind_a_hang_up_is_not_taken_for_read() {
    let running = server().start().await;
    for number in 0..60 {
        let poller = polling(&running).await;
        let mut asking = if number % 2 == 0 { Line::open(running.port()).await } else { busy(&running, &poller).await };
        asking.send(head("GET", &poller) + "\r\n").await;
        assert_eq!(poller.post("3").await.status, 200);
        if number % 30 == 1 {
            sleep(LONG).await;
        }
        drop(asking);
        // Whether it was still there for this is a matter of luck; that the session is over is not.
        reached(&running, "/notify/order/status", &status(RESTAURANT, number)).await;
        wait::until(async || poller.post("3").await.status == 400, "its session is over").await;
    }
}

#[tokio::test]
async fn an_answer_to_a_ping_that_is_late_by_a_millisecond_is_too_late() {
    let running = server().with("PING_INTERVAL", "300ms").with("PONG_TIMEOUT", "300ms").start().await;
    let late = Duration::from_millis(301);
    let poller = polling(&running).await;
    assert_eq!(poller.get().await.body, "2");
    sleep(late).await;
    assert_eq!(poller.post("3").await.status, 400);
    let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let mut ping = [0; 3];
    socket.stream().read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping, b"\x81\x012");
    sleep(late).await;
    // Whether it can still be sent is a matter of luck.
    let _ = socket.stream().write_all(b"\x81\x81\0\0\0\x003").await;
    socket.ended().await;
    running.until_count("pulso_connections", 0).await;
    assert_eq!(running.count("pulso_closes_total{code=\"1006\"}").await, 2);
}

#[tokio::test]
async fn the_heartbeat_goes_on_by_polling_whatever_a_websocket_is_about_to_do() {
    let running = server().with("PING_INTERVAL", "300ms").with("PONG_TIMEOUT", "300ms").start().await;
    for packets in [&[][..], &["2probe"]] {
        let mut poller = polling(&running).await;
        let mut trying = poller.try_upgrade().await.unwrap();
        for packet in packets {
            trying.say(packet).await;
        }
        for _ in 0..4 {
            poller.pinged().await;
        }
        // An answer to a ping by the WebSocket is none, and ends its attempt.
        trying.say("3").await;
        poller.pinged().await;
        reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await;
        while poller.next().await == "6" {}
    }
}

#[tokio::test]
async fn who_reads_a_byte_a_second_is_cut_by_either_transport_and_in_an_upgrade() {
    let running = server().with("WRITE_TIMEOUT", "1s").with("OUTBOUND_BUFFER", "65536").start().await;
    let mut quick = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let mut dripping = Vec::new();
    for mode in ["websocket", "polling", "about to upgrade", "upgraded"] {
        if mode == "websocket" {
            let line = connect(&running).await;
            let mut socket = Packets::over(line, running.port(), "EIO=4&transport=websocket", &[]).await.unwrap();
            assert!(socket.connect(&auth(RESTAURANT)).await.starts_with("40{"));
            dripping.push(drip(socket.into_stream()));
            continue;
        }
        let poller = polling(&running).await;
        if mode != "polling" {
            let upgrade = format!("EIO=4&transport=websocket&sid={}", poller.sid);
            let mut socket = Packets::over(connect(&running).await, running.port(), &upgrade, &[]).await.unwrap();
            socket.say("2probe").await;
            assert_eq!(socket.expect().await, "3probe");
            if mode == "upgraded" {
                socket.say("5").await;
            }
            dripping.push(drip(socket.into_stream()));
        }
        if mode != "upgraded" {
            let mut asking = connect(&running).await;
            asking.write_all((head("GET", &poller) + "\r\n").as_bytes()).await.unwrap();
            dripping.push(drip(asking));
        }
    }
    let mut sent = 0;
    while running.count("pulso_connections").await > 1 {
        let payload = status_of(sent, 15_000);
        reached(&running, "/notify/order/status", &payload).await;
        assert_eq!(quick.expect().await, event("order.status.changed", &payload));
        sent += 1;
        assert!(sent < 20_000, "they are never cut");
        sleep(PACE).await;
    }
    running.until_count("pulso_closes_total{code=\"1006\"}", 4).await;
    running.until_count("pulso_subscriptions", 1).await;
    for dripping in dripping {
        dripping.abort();
    }
}

#[tokio::test]
async fn nothing_of_one_session_reaches_another() {
    let running = server().start().await;
    let (mut one, mut two) = (polling(&running).await, polling(&running).await);
    let mut elsewhere = Packets::connected(running.port(), &auth(OTHER)).await;
    // Of one a packet waits for its attachment, of the other an upgrade is under way.
    one.say(r#"451-7["x",{"_placeholder":true,"num":0}]"#).await;
    let mut trying = two.try_upgrade().await.unwrap();
    two.say("427[\"x\"]\u{1e}437[]").await;
    elsewhere.say("427[\"x\"]").await;
    one.say("bAQID").await;
    // An id that is nearly right is nobody's.
    let sid = one.sid.clone();
    for nearly in [&sid[1..], &sid.to_ascii_lowercase(), &format!("{sid}="), &format!("{sid}A"), &format!(" {sid}")] {
        one.sid = nearly.replace(' ', "%20");
        assert_eq!(one.post("41").await.status, 400, "{nearly}");
    }
    one.sid = sid;
    // One that goes takes nobody along.
    two.say("1").await;
    trying.ended().await;
    assert_eq!(reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await, 1);
    assert_eq!(one.next().await, event("order.status.changed", &status(RESTAURANT, 1)));
    assert_eq!(reached(&running, "/notify/order/status", &status(OTHER, 2)).await, 1);
    assert_eq!(elsewhere.expect().await, event("order.status.changed", &status(OTHER, 2)));
    elsewhere.send(Message::binary(vec![1])).await;
    elsewhere.ended().await;
    running.until_count("pulso_connections", 1).await;
    assert!(timeout(Duration::from_millis(500), one.get()).await.is_err(), "nothing else was for it");
}
