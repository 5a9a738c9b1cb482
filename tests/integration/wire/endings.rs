//! How a plain WebSocket ends, and how it is refused before it begins.

use pulso_harness::{Claims, SECRET, client_frame};
use rustix::process::Signal;
use serde_json::json;

use super::peer::{BINARY_FRAME, CLOSE_FRAME, PING_FRAME, Peer, TEXT_FRAME};
use super::{Scene, cashier, owner};

#[tokio::test]
async fn a_websocket_is_closed_as_it_always_was() {
    let settings =
        [("MAX_MESSAGE_BYTES", "256"), ("MAX_MESSAGE_FRAGMENTS", "3"), ("MESSAGE_BURST", "5"), ("MESSAGE_RATE", "1")];
    let scene = Scene::new("closes", &settings).await;
    let path = scene.signed("/ws", "of the owner", &owner());
    let ping = br#"{"type":"ping"}"#;
    let fin = 0x80;
    let close = |code: u16, reason: &str| client_frame(CLOSE_FRAME, &[&code.to_be_bytes(), reason.as_bytes()].concat());
    for (title, bytes) in [
        ("An unmasked frame", [&[TEXT_FRAME, 15], &ping[..]].concat()),
        ("A reserved bit", client_frame(TEXT_FRAME | 0x40, ping)),
        ("An opcode that is none", client_frame(fin | 0x3, b"")),
        ("A continuation of nothing", client_frame(fin, b"x")),
        ("A ping in pieces", client_frame(PING_FRAME & !fin, b"")),
        ("A text that is not UTF-8", client_frame(TEXT_FRAME, b"\xc3")),
        ("A message that is too big", client_frame(TEXT_FRAME, &[b'x'; 257])),
        (
            "Too many pieces",
            [
                client_frame(TEXT_FRAME & !fin, b"{"),
                client_frame(0, b" "),
                client_frame(0, b" "),
                client_frame(fin, b"}"),
            ]
            .concat(),
        ),
        ("Too many pings", client_frame(PING_FRAME, b"").repeat(8)),
        ("Too many messages", client_frame(BINARY_FRAME, b"").repeat(8)),
        ("The client's own close", close(1000, "adiós")),
        ("The client's own, without a code", client_frame(CLOSE_FRAME, b"")),
        ("With a code of its own", close(4999, "")),
        ("With a code that is none", close(1005, "")),
    ] {
        scene.title(title);
        let mut peer = scene.socket("peer", &path).await;
        peer.write(&bytes).await;
        peer.ended().await;
    }
    scene.record.compare();
}

#[tokio::test]
async fn a_session_on_a_websocket_ends_as_it_always_did() {
    let settings = [("AUTH_TIMEOUT", "1s"), ("MAX_UNAUTHENTICATED", "1"), ("SHUTDOWN_GRACE", "2s")];
    let scene = Scene::new("sessions-end", &settings).await;
    scene.title("No token comes");
    scene.socket("silent", "/ws").await.ended().await;
    scene.title("Others need the place");
    let mut first = scene.socket("first", "/ws").await;
    scene.pulso.until_count("pulso_unauthenticated_connections", 1).await;
    let mut second = scene.socket("second", "/ws").await;
    first.ended().await;
    second.ended().await;
    scene.title("A token ends");
    let mut brief = scene.socket("brief", &scene.signed("/ws", "that ends", &cashier().expiring_in(2))).await;
    brief.ended().await;
    scene.title("A user is dismissed, and comes back with the old token and with a new one");
    let issued = |ago: i64| cashier().with("iat", json!(pulso_harness::token::now() - ago));
    let old = scene.signed("/ws", "of the cashier", &issued(5));
    let mut dismissed = scene.socket("dismissed", &old).await;
    dismissed.ping().await;
    scene.call("/api/disconnect", r#"{"user":"cajera"}"#).await;
    dismissed.ended().await;
    scene.socket("again", &old).await;
    let new = scene.signed("/ws", "of the cashier, anew", &issued(-5));
    scene.socket("anew", &new).await.ping().await;
    scene.title("The server goes");
    let mut last = scene.socket("last", &scene.signed("/ws", "of the owner", &owner())).await;
    last.ping().await;
    scene.pulso.signal(Signal::TERM);
    last.ended().await;
    scene.record.compare();
}

#[tokio::test]
async fn a_websocket_is_refused_as_it_always_was() {
    let settings =
        [("WS_ALLOWED_ORIGINS", "https://panel.example.com"), ("MAX_CONNECTIONS", "1"), ("JWT_AUDIENCE", "pulso")];
    let scene = Scene::new("refusals", &settings).await;
    let port = scene.pulso.port();
    let good = owner().with("aud", json!("pulso"));
    scene.title("Requests that are no handshake");
    let upgrade = [
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    for (method, headers) in [
        ("GET", vec![]),
        ("GET", vec![upgrade[0], upgrade[1], "sec-websocket-version: 8", upgrade[3]]),
        ("GET", vec![upgrade[0], upgrade[1], upgrade[2], "sec-websocket-key: x"]),
        ("GET", vec![upgrade[0], upgrade[1], upgrade[2]]),
        ("PUT", upgrade.to_vec()),
    ] {
        Peer::new(&scene.record, "peer", port).await.ask(method, "/ws", &headers, "").await;
    }
    scene.title("Addresses that say something twice, or hide it");
    for query in ["a=1&a=2", "token=a%00"] {
        scene.socket("peer", &format!("/ws?{query}")).await;
    }
    scene.title("Tokens that are none");
    let differs = format!("authorization: Bearer {}", scene.record.token("of the cashier", &cashier()));
    for (name, token) in [
        ("malformed", "a.b.c".to_owned()),
        ("empty", String::new()),
        ("expired", good.clone().expiring_in(-60).sign(SECRET)),
        ("for nobody", owner().sign(SECRET)),
        ("of nobody", Claims::empty().with("aud", json!("pulso")).expiring_in(60).sign(SECRET)),
    ] {
        scene.record.label(&token, name);
        scene.socket("peer", &format!("/ws?token={token}")).await;
    }
    let path = scene.signed("/ws", "of the owner", &good);
    Peer::upgrade(&scene.record, "peer", port, &path, &[&differs]).await;
    scene.title("Origins");
    Peer::upgrade(&scene.record, "peer", port, &path, &["origin: https://evil.example"]).await;
    let mut granted = Peer::upgrade(&scene.record, "peer", port, &path, &["origin: https://panel.example.com"]).await;
    granted.ping().await;
    scene.title("No room");
    scene.socket("peer", &path).await;
    scene.title("Heads that are none");
    let huge = format!("cookie: {}", "x".repeat(40_000));
    for bytes in [
        "GARBAGE\r\n\r\n".to_owned(),
        "GET /ws HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET /ws HTTP/1.1\r\nhost: x\r\n{huge}\r\n\r\n"),
    ] {
        let mut peer = Peer::new(&scene.record, "peer", port).await;
        peer.write(bytes.as_bytes()).await;
        peer.answer().await;
    }
    scene.record.compare();
}
