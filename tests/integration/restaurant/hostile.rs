//! Whoever does not play by the rules: a clean refusal or end, little memory, and nobody else notices.

use std::time::Duration;

use futures_util::future::join_all;
use pulso_harness::{Packets, Poller, Running, client_frame, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::{RESTAURANT, auth, event, reached, server, status};

/// Proves that somebody else is served.
async fn serves(running: &Running, other: &mut Packets, number: u32) {
    reached(running, "/notify/order/status", &status(RESTAURANT, number)).await;
    assert_eq!(other.expect().await, event("order.status.changed", &status(RESTAURANT, number)));
}

#[tokio::test]
async fn unknown_events_are_ignored_whatever_they_carry() {
    let running = server().start().await;
    let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    for packet in [
        r#"42["ping"]"#,
        r#"42["heartbeat",{"at":1}]"#,
        r#"42["join","restaurant:x"]"#,
        r#"427["with an acknowledgement"]"#,
        r#"42["changes:pending"]"#,
        r#"42["order.new",{"orderId":"forged"}]"#,
        "431[]",
    ] {
        socket.say(packet).await;
    }
    socket.say(r#"451-["binary",{"_placeholder":true,"num":0}]"#).await;
    socket.send(Message::binary(vec![0xff; 100])).await;
    serves(&running, &mut socket, 1).await;
}

#[tokio::test]
async fn the_answer_to_a_ping_costs_nothing_by_either_transport() {
    let running = server().with("PING_INTERVAL", "100ms").with("PONG_TIMEOUT", "5s").with("MESSAGE_BURST", "5");
    let running = running.with("MESSAGE_RATE", "1").start().await;
    let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let mut poller = Poller::open(running.port(), "").await;
    assert!(poller.connect(&auth(RESTAURANT)).await.starts_with("40{"));
    // Asked ten times a second, they may say one thing a second.
    let began = Instant::now();
    let polling = async {
        for _ in 0..20 {
            poller.pinged().await;
        }
    };
    let reading = async {
        while began.elapsed() < Duration::from_secs(2) {
            socket.expect_silence().await;
        }
    };
    tokio::join!(polling, reading);
    assert_eq!(reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await, 2);
    socket.expect().await;
    poller.next().await;
    assert_eq!(running.closed_with(1008).await, 0);
}

#[tokio::test]
async fn joins_without_end_end_the_session_and_nobody_else_notices() {
    let running = server().with("MESSAGE_BURST", "100").start().await;
    let mut other = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    for packet in [r#"42["join","restaurant:x"]"#, "40/other,", "40", "3", r#"45-["x"]"#, "2"] {
        let mut flood = Packets::connected(running.port(), &auth(RESTAURANT)).await;
        let flooded = async { while flood.try_say(packet, 1_000).await {} };
        timeout(wait::LIMIT, flooded).await.unwrap_or_else(|_| panic!("{packet} is taken without end"));
        flood.ended().await;
    }
    running.until_count("pulso_subscriptions", 1).await;
    wait::until(async || running.closed_with(1008).await >= 3, "they were too many messages").await;

    let mut poller = Poller::open(running.port(), "").await;
    poller.say(&vec!["3"; 300].join("\u{1e}")).await;
    // That it is over is for the next request to say.
    assert_eq!(poller.get().await.body, "1");
    assert_eq!(poller.get().await.status, 400);
    wait::until(async || running.closed_with(1008).await >= 4, "that was too much, too").await;
    serves(&running, &mut other, 1).await;
    running.until_count("pulso_connections", 1).await;
}

#[tokio::test]
async fn engine_rubbish_ends_the_session_and_nothing_else() {
    let running = server().start().await;
    let port = running.port();
    let mut other = Packets::connected(port, &auth(RESTAURANT)).await;
    let deep = format!("42[\"x\",{}", "[".repeat(10_000));
    for rubbish in [
        "",
        "9",
        "x",
        "4",
        "49",
        "44{}",
        "42",
        "42{",
        "42[1]",
        "42[]",
        "45",
        "451",
        "4599-[\"x\"]",
        "43",
        "43[1]",
        "41/nowhere,",
        "0",
        "\u{0}",
        "éé",
        &deep,
        "40{\"token\":",
    ] {
        let mut socket = Packets::connected(port, &auth(RESTAURANT)).await;
        socket.say(rubbish).await;
        // Refused, closed or ignored: the next thing it says must not be believed to be somebody else's.
        let _ = timeout(Duration::from_millis(50), socket.next()).await;
        let mut poller = Poller::open(port, "").await;
        poller.connect(&auth(RESTAURANT)).await;
        let answer = poller.post(rubbish).await;
        assert!([200, 400].contains(&answer.status), "{rubbish}: {answer:?}");
    }
    for frame in [
        client_frame(0x81, &[0xff; 10]),
        client_frame(0x8f, b""),
        client_frame(0x01, b"never ends"),
        vec![0x81, 0x00],
        vec![0xff; 64],
    ] {
        let mut socket = Packets::connected(port, &auth(RESTAURANT)).await;
        socket.stream().write_all(&frame).await.unwrap();
        let _ = timeout(Duration::from_millis(50), socket.next()).await;
    }
    let mut binary = Packets::connected(port, &auth(RESTAURANT)).await;
    binary.send(Message::binary(vec![1, 2, 3])).await;
    binary.ended().await;
    let mut many = Packets::connected(port, &auth(RESTAURANT)).await;
    many.say(r#"45100000-["x"]"#).await;
    many.ended().await;
    let mut big = Packets::connected(port, &auth(RESTAURANT)).await;
    big.say(&format!("42[\"x\",\"{}\"]", "x".repeat(20_000))).await;
    big.ended().await;
    let poller = Poller::open(port, "").await;
    let answer = poller.post(&format!("42[\"x\",\"{}\"]", "x".repeat(20_000))).await;
    assert!([400, 413].contains(&answer.status), "{answer:?}");

    for (head, status_) in [
        ("GET /socket.io/ HTTP/1.1", 400),
        ("GET /socket.io HTTP/1.1", 400),
        ("GET /socket.io/?EIO=3&transport=polling HTTP/1.1", 400),
        ("GET /socket.io/?EIO=4&transport=carrier-pigeon HTTP/1.1", 400),
        ("GET /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA HTTP/1.1", 400),
        ("GET /socket.io/?EIO=4&transport=polling&sid=%00 HTTP/1.1", 400),
        ("POST /socket.io/?EIO=4&transport=polling HTTP/1.1", 400),
        ("DELETE /socket.io/?EIO=4&transport=polling HTTP/1.1", 400),
        ("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", 426),
        ("GET /socket.iox/?EIO=4&transport=polling HTTP/1.1", 404),
    ] {
        let answer = running.exchange(head, "").await;
        assert_eq!(answer.status, status_, "{head}: {answer:?}");
    }
    serves(&running, &mut other, 1).await;
}

#[tokio::test]
async fn a_session_that_shows_nobody_ends_and_there_are_few_of_them() {
    let running = server().with("AUTH_TIMEOUT", "1s").with("MAX_UNAUTHENTICATED", "5").start().await;
    let port = running.port();
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(Packets::open(port, &[]).await);
    }
    let (one, _other) = (Poller::open(port, "").await, Poller::open(port, "").await);
    let told = tokio::spawn(async move { (one.get().await, one) });
    assert_eq!(running.count("pulso_unauthenticated_connections").await, 5);
    // One more gets in, and the one that has been there for the longest goes.
    sessions.push(Packets::open(port, &[]).await);
    sessions.remove(0).ended().await;
    running.until_count("pulso_unauthenticated_connections", 5).await;
    assert_eq!(running.refused("TooManyUnauthenticated").await, 1);
    for session in &mut sessions {
        session.ended().await;
    }
    running.until_count("pulso_connections", 0).await;
    let (told, one) = told.await.unwrap();
    assert_eq!((told.body.as_str(), one.get().await.status), ("1", 400));
    assert_eq!(running.count("pulso_unauthenticated_connections").await, 0);
    Packets::connected(port, &auth(RESTAURANT)).await;
}

#[tokio::test]
async fn whoever_comes_and_goes_without_a_word_keeps_no_place() {
    let running = server().with("AUTH_TIMEOUT", "60s").with("MAX_UNAUTHENTICATED", "1").start().await;
    for _ in 0..5 {
        drop(Packets::open(running.port(), &[]).await);
        running.until_count("pulso_unauthenticated_connections", 0).await;
    }
    running.until_count("pulso_connections", 0).await;
}

#[tokio::test]
async fn an_address_has_so_many_sessions_and_no_more() {
    let running = server().with("MAX_CONNECTIONS_PER_ADDRESS", "4").start().await;
    let port = running.port();
    let mut sockets = Vec::new();
    for _ in 0..2 {
        sockets.push(Packets::connected(port, &auth(RESTAURANT)).await);
    }
    // It needs a connection now and then, and counts itself, also between two of them.
    let mut poller = Poller::open(port, "").await;
    poller.connect(&auth(RESTAURANT)).await;
    let refused = running.get("/socket.io/?EIO=4&transport=polling").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{refused:?}");
    let until = Instant::now() + wait::LIMIT;
    let mut upgraded = loop {
        // The place of the refused request may not be free yet.
        match poller.try_upgrade().await {
            Ok(upgraded) => break upgraded,
            Err(refused) => assert!(refused.status == 503 && Instant::now() < until, "{refused:?}"),
        }
    };
    upgraded.say("2probe").await;
    assert_eq!(upgraded.expect().await, "3probe");
    upgraded.say("5").await;
    // Two connections, an upgraded one and the session it belongs to.
    assert_eq!(running.get("/health").await.status, 503);
    drop(upgraded);
    wait::until(async || running.get("/health").await.status == 200, "its places are given back").await;
    sockets.pop();
    wait::until(async || Packets::try_open(port, &[]).await.is_ok(), "its place is given back").await;
}

#[tokio::test]
async fn sessions_have_places_of_which_there_are_only_so_many() {
    let running =
        server().with("MAX_CONNECTIONS", "3").with("PING_INTERVAL", "2s").with("PONG_TIMEOUT", "2s").start().await;
    let port = running.port();
    let mut first = Packets::connected(port, &auth(RESTAURANT)).await;
    let mut poller = Poller::open(port, "").await;
    poller.connect(&auth(RESTAURANT)).await;
    let second = Packets::connected(port, &auth(RESTAURANT)).await;
    assert_eq!(Packets::try_open(port, &[]).await.unwrap_err().status, 503);
    assert_eq!(running.get("/socket.io/?EIO=4&transport=polling").await.status, 503);
    // Its requests are answered, and it may become a WebSocket: it has its place.
    poller.say("42[\"x\"]").await;
    let mut upgraded = poller.try_upgrade().await.unwrap();
    upgraded.say("2probe").await;
    assert_eq!(upgraded.expect().await, "3probe");
    upgraded.say("5").await;
    serves(&running, &mut upgraded, 1).await;
    assert_eq!(first.expect().await, event("order.status.changed", &status(RESTAURANT, 1)));
    drop((first, second, upgraded));
    running.until_count("pulso_connections", 0).await;
    // One that is abandoned without a word gives its place back too.
    let abandoned = Poller::open(port, "").await;
    assert_eq!(running.count("pulso_connections").await, 1);
    drop(abandoned);
    running.until_count("pulso_connections", 0).await;
}

#[tokio::test]
async fn two_polls_at_once_end_the_session() {
    let running = server().start().await;
    let mut poller = Poller::open(running.port(), "").await;
    poller.connect(&auth(RESTAURANT)).await;
    let answers = join_all([poller.get(), poller.get()]).await;
    assert!(answers.iter().any(|answer| answer.status == 400), "{answers:?}");
    assert!(answers.iter().any(|answer| answer.body == "1"), "{answers:?}");
    running.until_count("pulso_subscriptions", 0).await;
    running.until_count("pulso_closes_total{code=\"1002\"}", 1).await;
}

#[tokio::test]
async fn a_poll_waits_longer_than_an_idle_connection_may() {
    let running = server()
        .with("PING_INTERVAL", "2s")
        .with("HTTP_IDLE_TIMEOUT", "1s")
        .with("HANDSHAKE_TIMEOUT", "1s")
        .start()
        .await;
    let mut poller = Poller::open(running.port(), "").await;
    poller.say(&format!("40{}", auth(RESTAURANT))).await;
    let mut pings = 0;
    while pings < 2 {
        let answer = poller.get().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for _ in answer.body.split('\u{1e}').filter(|packet| *packet == "2") {
            poller.say("3").await;
            pings += 1;
        }
    }
    // Between two requests it is idle like any other.
    let mut idle = TcpStream::connect(("127.0.0.1", running.port())).await.unwrap();
    idle.write_all(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    timeout(Duration::from_secs(20), idle.read_to_end(&mut read)).await.unwrap().unwrap();
    assert!(read.starts_with(b"HTTP/1.1 200"));
}
