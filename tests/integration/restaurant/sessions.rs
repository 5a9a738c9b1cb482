//! One session to the packet: its heartbeat, what one request brings, namespaces in one breath, and clients that do odd things.

use std::time::Duration;

use pulso_harness::{Packets, Poller, Running, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{RESTAURANT, auth, event, reached, server, status};

const SEPARATOR: &str = "\u{1e}";

async fn polling(running: &Running) -> Poller {
    let mut poller = Poller::open(running.port(), "").await;
    assert!(poller.connect(&auth(RESTAURANT)).await.starts_with("40{"));
    poller
}

/// Sends the head of a request of a session's, and as much of its body as is said.
async fn send(running: &Running, poller: &Poller, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", running.port())).await.unwrap();
    let (method, rest) = request.split_once(' ').unwrap();
    let head = format!("{method} /socket.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nhost: x\r\n{rest}", poller.sid);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn both_transports_announce_the_same_limits() {
    let running = server().with("PING_INTERVAL", "7s").with("PONG_TIMEOUT", "3s").with("MAX_MESSAGE_BYTES", "5000");
    let running = running.start().await;
    let polling = running.get("/socket.io/?EIO=4&transport=polling").await;
    let websocket = Packets::open(running.port(), &[]).await.opened;
    for (opened, upgrades) in [(polling.body, json!(["websocket"])), (websocket, json!([]))] {
        let mut opened: Value = serde_json::from_str(opened.strip_prefix('0').unwrap()).unwrap();
        assert!(opened["sid"].as_str().unwrap().len() >= 16);
        opened["sid"].take();
        let expected = json!({
            "sid": null, "upgrades": upgrades, "pingInterval": 7_000, "pingTimeout": 3_000, "maxPayload": 5_000
        });
        assert_eq!(opened, expected);
    }
}

#[tokio::test]
async fn the_first_ping_comes_after_the_interval_and_not_before() {
    let running = server().start().await;
    let poller = polling(&running).await;
    let calling = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await
    };
    let (answer, _) = tokio::join!(poller.get(), calling);
    assert_eq!(answer.body, event("order.status.changed", &status(RESTAURANT, 1)));
}

#[tokio::test]
async fn who_is_asked_and_does_not_answer_is_gone_whatever_else_it_says() {
    let running = server().with("PING_INTERVAL", "300ms").with("PONG_TIMEOUT", "300ms").start().await;
    let mut poller = polling(&running).await;
    for _ in 0..3 {
        poller.pinged().await;
    }
    // From now on it talks and does not answer.
    wait::until(async || poller.post(r#"42["x"]"#).await.status == 400, "it is gone").await;
    running.until_count("pulso_closes_total{code=\"1006\"}", 1).await;
    running.until_count("pulso_connections", 0).await;
}

#[tokio::test]
async fn who_knows_that_it_is_connected_misses_nothing() {
    let running = server().start().await;
    for number in 0..100 {
        let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
        reached(&running, "/notify/order/status", &status(RESTAURANT, number)).await;
        assert_eq!(socket.expect().await, event("order.status.changed", &status(RESTAURANT, number)));
    }
}

#[tokio::test]
async fn one_request_brings_as_many_packets_as_every_client_can_read() {
    let running = server().start().await;
    let poller = polling(&running).await;
    for number in 0..40 {
        reached(&running, "/notify/order/status", &status(RESTAURANT, number)).await;
    }
    let (mut sizes, mut packets) = (Vec::new(), Vec::new());
    while packets.len() < 40 {
        let body = poller.get().await.body;
        let before = packets.len();
        packets.extend(body.split(SEPARATOR).map(str::to_owned));
        sizes.push(packets.len() - before);
    }
    assert_eq!(sizes, [16, 16, 8]);
    let expected: Vec<_> = (0..40).map(|number| event("order.status.changed", &status(RESTAURANT, number))).collect();
    assert_eq!(packets, expected);
}

#[tokio::test]
async fn a_namespace_left_and_entered_in_one_breath_is_entered() {
    let running = server().start().await;
    let again = format!("40{}", auth(RESTAURANT));
    let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let mut poller = polling(&running).await;
    for round in 0..20 {
        socket.say("41").await;
        socket.say(&again).await;
        assert!(socket.expect().await.starts_with("40{"), "{round}");
        poller.say(&format!("41{SEPARATOR}{again}")).await;
        assert!(poller.next().await.starts_with("40{"), "{round}");
        // In it once, not twice.
        assert_eq!(reached(&running, "/notify/order/status", &status(RESTAURANT, round)).await, 2);
        let expected = event("order.status.changed", &status(RESTAURANT, round));
        assert_eq!(socket.expect().await, expected);
        assert_eq!(poller.next().await, expected);
    }
}

#[tokio::test]
async fn what_no_client_may_say_in_its_state_ends_its_session_alone() {
    let running = server().start().await;
    let mut other = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let again = format!("40{}", auth(RESTAURANT));
    for packets in [
        &[again.as_str()][..],
        &["41", "42[\"x\"]"],
        &["41", "41"],
        &["42/sync,[\"sync:orders\"]"],
        &["44{\"message\":\"x\"}"],
        &["451-[\"x\"]", "42[\"y\"]"],
        &["2probe"],
    ] {
        let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
        for packet in packets {
            socket.say(packet).await;
        }
        socket.ended().await;
        let poller = polling(&running).await;
        assert_eq!(poller.post(&packets.join(SEPARATOR)).await.status, 400, "{packets:?}");
        assert_eq!(poller.get().await.status, 400, "{packets:?}");
    }
    running.until_count("pulso_closes_total{code=\"1002\"}", 14).await;
    reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await;
    other.expect().await;
    running.until_count("pulso_connections", 1).await;
}

#[tokio::test]
async fn what_means_nothing_is_taken_and_let_go() {
    let running = server().start().await;
    let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    for packet in [
        r#"4299999999999999999999999["beyond every number"]"#,
        "439007199254740993[]",
        r#"42[1,"an event may be a number"]"#,
        "42",
        "43",
        "6",
        "0",
        "3",
        r#"4510-["x"]"#,
    ] {
        socket.say(packet).await;
    }
    for _ in 0..5 {
        socket.send(Message::binary(vec![7; 16_000])).await;
        // The same in text.
        socket.say("bAQID").await;
    }
    reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await;
    assert_eq!(socket.expect().await, event("order.status.changed", &status(RESTAURANT, 1)));
}

#[tokio::test]
async fn ten_thousand_namespaces_are_refused_one_by_one_and_take_nothing() {
    let running = server().with("MESSAGE_BURST", "100000").with("OUTBOUND_BUFFER", "65536").start().await;
    let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    for hundred in 0..100 {
        for number in 0..100 {
            socket.say(&format!("40/{hundred}-{number},")).await;
        }
        for number in 0..100 {
            let refused = format!(r#"44/{hundred}-{number},{{"message":"Invalid namespace"}}"#);
            assert_eq!(socket.expect().await, refused);
        }
    }
    assert_eq!(running.count("pulso_subscriptions").await, 1);
}

#[tokio::test]
async fn auth_is_an_object_and_its_last_word_counts() {
    let running = server().start().await;
    let token = auth(RESTAURANT)["token"].as_str().unwrap().to_owned();
    let none = r#"44{"message":"No token provided"}"#;
    for (auth, entered) in [
        (format!(r#"["{token}"]"#), false),
        (format!(r#"[null,null,"{token}"]"#), false),
        (format!(r#"{{"token":null,"token":"{token}"}}"#), true),
        (format!(r#"{{"token":"{token}","deep":{}{}}}"#, "[".repeat(500), "]".repeat(500)), true),
        (format!(r#"{{"tok\u0065n":"{token}"}}"#), true),
    ] {
        let mut socket = Packets::open(running.port(), &[]).await;
        socket.say(&format!("40{auth}")).await;
        let answer = socket.expect().await;
        assert!(if entered { answer.starts_with("40{") } else { answer == none }, "{auth}: {answer}");
    }
    // As long as a message may be, and longer.
    let long = |length: usize| format!(r#"40{{"token":"{token}","x":"{}"}}"#, "x".repeat(length));
    let mut socket = Packets::open(running.port(), &[]).await;
    socket.say(&long(15_000)).await;
    assert!(socket.expect().await.starts_with("40{"));
    let mut socket = Packets::open(running.port(), &[]).await;
    socket.say(&long(16_384)).await;
    socket.ended().await;
}

#[tokio::test]
async fn too_much_at_once_is_said_to_be_that_by_either_transport() {
    let running = server().start().await;
    for length in [20_000, 1 << 20] {
        let poller = polling(&running).await;
        let big = format!("42[\"x\",\"{}\"]", "x".repeat(length));
        // Of what is far too much the rest may not even be read.
        let head = format!("POST content-length: {}\r\n\r\n{}", big.len(), &big[..20_000.min(big.len())]);
        let mut stream = send(&running, &poller, &head).await;
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 413");
        assert_eq!(poller.get().await.body, "1");
        let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
        let _ = socket.try_say(&big, 1).await;
        socket.ended().await;
    }
    running.until_count("pulso_closes_total{code=\"1009\"}", 4).await;
}

#[tokio::test]
async fn a_request_that_breaks_off_ends_its_session_and_keeps_no_place() {
    let running = server().start().await;
    for _ in 0..5 {
        // One that brings packets: nobody knows which.
        let poller = polling(&running).await;
        drop(send(&running, &poller, "POST content-length: 50\r\n\r\n42[\"x").await);
        wait::until(async || poller.post("3").await.status == 400, "it is over").await;
        // One that waits for some: whatever it was given would be lost.
        let poller = polling(&running).await;
        let held = send(&running, &poller, "GET \r\n").await;
        running.get("/health").await;
        drop(held);
        wait::until(async || poller.post("3").await.status == 400, "it is over").await;
    }
    running.until_count("pulso_connections", 0).await;
    running.until_count("pulso_subscriptions", 0).await;
}

#[tokio::test]
async fn a_payload_that_is_none_ends_the_session() {
    let running = server().start().await;
    let megabyte = SEPARATOR.repeat(10_000);
    for payload in ["", SEPARATOR, "\u{1e}\u{1e}", "3\u{1e}", "40/x,\n\u{1e}", "\u{feff}40/x,", &megabyte] {
        let poller = polling(&running).await;
        assert_eq!(poller.post(payload).await.status, 400, "{payload:?}");
        assert_eq!(poller.get().await.status, 400, "{payload:?}");
    }
    // In the middle of a letter.
    let poller = polling(&running).await;
    let mut stream = send(&running, &poller, "POST content-length: 5\r\n\r\n40/").await;
    stream.write_all(&"é".as_bytes()[..1]).await.unwrap();
    stream.write_all(b",").await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 400");
}

#[tokio::test]
async fn what_is_not_spoken_here_is_refused_with_a_word() {
    let running = server().start().await;
    for (path, status, body) in [
        ("?EIO=3&transport=polling", 400, json!({ "code": 5, "message": "Unsupported protocol version" })),
        ("?EIO=3&transport=websocket", 400, json!({ "code": 5, "message": "Unsupported protocol version" })),
        ("?EIO=4&transport=polling&j=0", 400, json!({ "code": 3, "message": "JSONP is not spoken here" })),
        ("?EIO=4&transport=pigeon", 400, json!({ "code": 0, "message": "Transport unknown" })),
        ("?EIO=4&transport=polling&sid=AAAA", 400, json!({ "code": 1, "message": "Session ID unknown" })),
    ] {
        let answer = running.get(&format!("/socket.io/{path}")).await;
        assert_eq!((answer.status, answer.json()), (status, body), "{path}");
    }
    for path in ["socket.io.js", "socket.io.min.js"] {
        let answer = running.get(&format!("/socket.io/{path}")).await;
        assert_eq!((answer.status, &answer.json()["error"]), (404, &json!("not_found")), "{answer:?}");
        assert!(answer.json()["message"].as_str().unwrap().contains("socket.io-client"), "{answer:?}");
    }
    // Nothing here is binary, so who can read nothing binary is served like everybody else.
    let answer = running.get("/socket.io/?EIO=4&transport=polling&b64=1&t=PxYz1-0").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn who_closes_while_a_request_is_held_has_it_back_at_once() {
    let running = server().start().await;
    for last in ["1", "41\u{1e}1", "1x"] {
        let mut poller = polling(&running).await;
        let mut held = send(&running, &poller, "GET connection: close\r\n\r\n").await;
        running.get("/health").await;
        poller.say(last).await;
        let mut answer = String::new();
        timeout(wait::LIMIT, held.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.ends_with("\r\n\r\n6"), "{answer}");
        assert_eq!(poller.get().await.status, 400);
    }
}
