//! The frames themselves: breaches of RFC 6455, its limits, and what it lets a client do.

use pulso_harness::{Closed, Line, Running, SECRET, client_frame, wait};
use serde_json::{Value, json};

use super::{channel, expect_one_broadcast};
use crate::business::{NEGOCIO, open, owner};

/// What a frame's first byte says.
const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Sends `bytes` on a fresh, subscribed connection and returns how the server closes it.
async fn closed_after(pulso: &Running, bytes: &[u8]) -> Closed {
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    dashboard.send_raw(bytes).await;
    dashboard.closed().await
}

#[tokio::test]
async fn breaches_of_the_protocol_are_closed_with_the_right_code() {
    let (pulso, _database) = open().await;
    let mut bystander = pulso.connect(&owner()).await;
    bystander.watch(NEGOCIO).await;
    let ping = br#"{"type":"ping"}"#;
    let text = |first, payload: &[u8]| client_frame(first | TEXT, payload);
    let unmasked = [&[FIN | TEXT, 15], &ping[..]].concat();
    let half = "ñ".as_bytes()[0];
    let mut announced = vec![FIN | TEXT, 0x80 | 0x7f];
    announced.extend((1_u64 << 40).to_be_bytes());
    announced.extend([0; 4]);
    let mut negative = announced.clone();
    negative[2] = 0xff;
    let close = |payload: &[u8]| client_frame(FIN | CLOSE, payload);
    let code = |code: u16| close(&code.to_be_bytes());
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("an unmasked frame", unmasked, 1002),
        ("an unmasked ping", vec![FIN | PING, 0], 1002),
        ("reserved bit 1", text(FIN | 0x40, ping), 1002),
        ("reserved bit 2", text(FIN | 0x20, ping), 1002),
        ("reserved bit 3", text(FIN | 0x10, ping), 1002),
        ("a reserved bit on a ping", client_frame(FIN | 0x40 | PING, b""), 1002),
        ("opcode 3", client_frame(FIN | 0x3, b""), 1002),
        ("opcode 7", client_frame(FIN | 0x7, b"x"), 1002),
        ("opcode 11", client_frame(FIN | 0xb, b""), 1002),
        ("opcode 15", client_frame(FIN | 0xf, b""), 1002),
        ("a continuation without a start", client_frame(FIN | CONTINUATION, ping), 1002),
        ("a continuation without a start or end", client_frame(CONTINUATION, b"x"), 1002),
        ("a text inside a text", [text(0, b"{"), text(FIN, b"}")].concat(), 1002),
        ("a binary inside a text", [text(0, b"{"), client_frame(FIN | BINARY, b"}")].concat(), 1002),
        ("a fragmented ping", client_frame(PING, b""), 1002),
        ("a fragmented close", client_frame(CLOSE, &1000_u16.to_be_bytes()), 1002),
        ("a ping of 126 bytes", client_frame(FIN | PING, &[b'x'; 126]), 1002),
        ("a pong of 126 bytes", client_frame(FIN | PONG, &[b'x'; 126]), 1002),
        ("a close of 126 bytes", close(&[[3, 232].as_slice(), &[b'x'; 124]].concat()), 1002),
        ("a close of 1 byte", close(&[3]), 1002),
        ("close code 0", code(0), 1002),
        ("close code 999", code(999), 1002),
        ("close code 1004", code(1004), 1002),
        ("close code 1005", code(1005), 1002),
        ("close code 1006", code(1006), 1002),
        ("close code 1015", code(1015), 1002),
        ("close code 2999", code(2999), 1002),
        ("close code 5000", code(5000), 1002),
        ("a close reason that is no UTF-8", close(&[3, 232, 0xff, 0xfe]), 1007),
        ("text that is no UTF-8", text(FIN, &[b'{', 0xff, b'}']), 1007),
        ("half a letter", text(FIN, &[half]), 1007),
        ("a surrogate", text(FIN, &[0xed, 0xa0, 0x80]), 1007),
        ("no UTF-8 in a fragment", [text(0, b"{"), client_frame(FIN | CONTINUATION, &[0xff])].concat(), 1007),
        ("half a letter over two fragments", [text(0, &[half]), client_frame(FIN | CONTINUATION, b"x")].concat(), 1007),
        ("a message over the limit", text(FIN, &vec![b' '; 16 * 1024 + 1]), 1009),
        ("a binary over the limit", client_frame(FIN | BINARY, &vec![b' '; 20_000]), 1009),
        ("a terabyte announced", announced, 1009),
        (
            "fragments over the limit together",
            [text(0, &[b' '; 9_000]), client_frame(FIN | CONTINUATION, &[b' '; 9_000])].concat(),
            1009,
        ),
        ("65 fragments", [text(0, b""), client_frame(CONTINUATION, b" ").repeat(64)].concat(), 1009),
        ("endless empty fragments", [text(0, b""), client_frame(CONTINUATION, b"").repeat(50_000)].concat(), 1009),
    ];
    let mut wrong = Vec::new();
    for (what, bytes, code) in cases {
        let closed = closed_after(&pulso, &bytes).await;
        if closed.code != code {
            wrong.push(format!("{what}: {closed:?}, not {code}"));
        }
    }
    // A length with its highest bit set is no length; either word for it will do.
    let closed = closed_after(&pulso, &negative).await;
    assert!([1002, 1009].contains(&closed.code), "{closed:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    bystander.ping().await;
    expect_one_broadcast(&pulso, &mut bystander).await;
}

#[tokio::test]
async fn a_breach_is_answered_though_the_peer_goes_on_talking() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    let breach = client_frame(FIN | TEXT, &vec![b' '; 16 * 1024 + 1]);
    let more = client_frame(FIN | TEXT, &[b'x'; 8_000]).repeat(30);
    dashboard.send_raw(&[breach, more].concat()).await;
    assert_eq!(dashboard.closed().await.code, 1009);
}

#[tokio::test]
async fn a_message_at_every_limit_is_understood() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    let ping = br#"{"type":"ping"}"#;
    // 16 KiB to the byte.
    let mut largest = ping.to_vec();
    largest.resize(16 * 1024, b' ');
    dashboard.send_raw(&client_frame(FIN | TEXT, &largest)).await;
    assert_eq!(dashboard.next().await, json!({ "type": "pong" }));
    // A byte a fragment, with control frames in between, cut within a letter too.
    let text = r#"{"type":"ping","ñ":"€"}"#.as_bytes();
    let mut frames = Vec::new();
    for (place, byte) in text.iter().enumerate() {
        let opcode = if place == 0 { TEXT } else { CONTINUATION };
        let fin = if place + 1 == text.len() { FIN } else { 0 };
        frames.extend(client_frame(fin | opcode, &[*byte]));
        if place + 1 < text.len() && place % 5 == 0 {
            frames.extend(client_frame(FIN | PONG, b"unasked"));
        }
    }
    dashboard.send_raw(&frames).await;
    assert_eq!(dashboard.next().await, json!({ "type": "pong" }));
    // 64 frames, most of them empty; then the next message counts from one.
    for _ in 0..2 {
        let mut frames = client_frame(TEXT, ping);
        frames.extend(client_frame(CONTINUATION, b"").repeat(62));
        frames.extend(client_frame(FIN | CONTINUATION, b""));
        dashboard.send_raw(&frames).await;
        assert_eq!(dashboard.next().await, json!({ "type": "pong" }));
    }
    // Byte by byte on the wire.
    for byte in client_frame(FIN | TEXT, ping) {
        dashboard.send_raw(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(dashboard.next().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn pings_are_answered_with_their_payload_also_inside_a_message() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    for payload in [&b""[..], b"x", &[0xff; 125]] {
        dashboard.send_raw(&client_frame(FIN | PING, payload)).await;
        assert_eq!(dashboard.pong().await, payload);
    }
    dashboard.send_raw(&client_frame(TEXT, br#"{"type":"#)).await;
    dashboard.send_raw(&client_frame(FIN | PING, b"between")).await;
    assert_eq!(dashboard.pong().await, b"between");
    dashboard.send_raw(&client_frame(FIN | CONTINUATION, br#""ping"}"#)).await;
    assert_eq!(dashboard.next().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn a_close_is_answered_with_a_close() {
    let (pulso, _database) = open().await;
    for (payload, code) in [
        (1000_u16.to_be_bytes().to_vec(), 1000),
        ([1001_u16.to_be_bytes().as_slice(), b"adios"].concat(), 1001),
        (3000_u16.to_be_bytes().to_vec(), 3000),
        (4999_u16.to_be_bytes().to_vec(), 4999),
        (Vec::new(), 1005),
    ] {
        let mut dashboard = pulso.connect(&owner()).await;
        dashboard.watch(NEGOCIO).await;
        // Figures on their way do not come behind the Close.
        dashboard.send_raw(&client_frame(FIN | CLOSE, &payload)).await;
        assert_eq!(dashboard.closed().await.code, code, "{payload:?}");
    }
    wait::until(async || pulso.count("pulso_connections").await == 0, "all are gone").await;
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
}

/// A handshake's lines with `more`, and the bytes behind it in the same segment.
fn handshake(token: &str, more: &str, behind: &[u8]) -> Vec<u8> {
    let head = format!(
        "GET /ws?token={token} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    [head.as_bytes(), behind].concat()
}

#[tokio::test]
async fn no_extension_and_no_subprotocol_is_negotiated() {
    let (pulso, _database) = open().await;
    let token = owner().sign(SECRET);
    let offers = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame\r\n\
                  Sec-WebSocket-Protocol: chat, graphql-ws\r\n";
    let mut line = Line::open(pulso.port()).await;
    line.send(handshake(&token, offers, b"")).await;
    let answer = line.answer().await;
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.header("sec-websocket-extensions"), None);
    assert_eq!(answer.header("sec-websocket-protocol"), None);
    let mut dashboard = line.into_dashboard().await;
    dashboard.watch(NEGOCIO).await;
}

#[tokio::test]
async fn what_comes_right_behind_the_handshake_is_read() {
    let (pulso, _database) = open().await;
    let subscribe = json!({ "type": "subscribe", "channel": channel() }).to_string();
    let ping = client_frame(FIN | TEXT, br#"{"type":"ping"}"#);
    // More than one read buffer holds, in one segment with the handshake.
    let behind = [client_frame(FIN | TEXT, subscribe.as_bytes()), ping.repeat(100)].concat();
    let mut line = Line::open(pulso.port()).await;
    line.send(handshake(&owner().sign(SECRET), "", &behind)).await;
    assert_eq!(line.answer().await.status, 101);
    let mut dashboard = line.into_dashboard().await;
    let (mut pongs, mut stats) = (0, 0);
    while pongs < 100 || stats < 1 {
        let message: Value = dashboard.next().await;
        if message == json!({ "type": "pong" }) { pongs += 1 } else { stats += u32::from(message["type"] == "stats") }
    }
    dashboard.ping().await;
}
