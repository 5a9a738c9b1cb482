//! What a client says on `/ws`, to the letter and to the byte, and what it is told.

use pulso_harness::{Claims, Closed, Dashboard, Line, Running, SECRET, client_frame};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, citas, open, owner};

/// What a frame's first byte says.
const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

fn channel() -> String {
    format!("estadisticas:{NEGOCIO}")
}

/// Notices once and proves that exactly one broadcast came.
async fn expect_one_broadcast(pulso: &Running, dashboard: &mut Dashboard) {
    let answer = pulso.notify(NEGOCIO).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(dashboard.stats().await.seq, answer.json()["seq"]);
    dashboard.expect_silence().await;
}

#[tokio::test]
async fn subscribe_is_understood_in_both_spellings() {
    let (pulso, _database) = open().await;
    for message in [
        json!({ "type": "subscribe", "data": { "channel": channel() } }),
        json!({ "type": "subscribe", "channel": channel() }),
        json!({ "type": "subscribe", "channel": channel(), "data": { "channel": channel() } }),
        json!({ "type": "subscribe", "channel": channel(), "data": null, "id": 7, "extra": [1] }),
    ] {
        let mut dashboard = pulso.connect(&owner()).await;
        dashboard.send(&message).await;
        assert_eq!(dashboard.stats().await.negocio_id, NEGOCIO, "{message}");
        let leaves = message.to_string().replace("subscribe", "unsubscribe");
        dashboard.send_text(&leaves).await;
        dashboard.ping().await;
        let answer = pulso.notify(NEGOCIO).await;
        assert_eq!(answer.json()["subscribers"], 0, "{leaves}");
    }
}

#[tokio::test]
async fn channels_that_disagree_are_an_error_and_neither_is_joined() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    let other = format!("estadisticas:{OTHER_NEGOCIO}");
    for (outer, inner) in [
        (json!(channel()), json!(other)),
        (json!(other), json!(channel())),
        (json!(channel()), json!(7)),
        (json!(null), json!(channel())),
        (json!(channel()), json!(channel().to_uppercase())),
    ] {
        for kind in ["subscribe", "unsubscribe"] {
            let message = json!({ "type": kind, "channel": outer, "data": { "channel": inner } });
            dashboard.send(&message).await;
            let answer = dashboard.next().await;
            assert_eq!(answer["type"], "error", "{message}: {answer}");
        }
    }
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
    dashboard.watch(NEGOCIO).await;
}

#[tokio::test]
async fn subscribing_twice_is_one_subscription_and_sends_the_figures_again() {
    let (pulso, database) = open().await;
    citas(&database, NEGOCIO, 2, "pendiente", "'2020-01-01'").await;
    let mut dashboard = pulso.connect(&owner()).await;
    let first = dashboard.watch(NEGOCIO).await;
    let again = dashboard.watch(NEGOCIO).await;
    assert_eq!((first.total, again.total), (2, 2));
    assert!(again.seq >= first.seq);
    // Upper case, without hyphens, in braces: PostgreSQL's own id all the same.
    let bare = NEGOCIO.replace('-', "");
    for spelling in [NEGOCIO.to_uppercase(), bare.clone(), format!("{{{NEGOCIO}}}")] {
        assert_eq!(dashboard.watch(&spelling).await.negocio_id, NEGOCIO, "{spelling}");
    }
    expect_one_broadcast(&pulso, &mut dashboard).await;
    assert_eq!(pulso.metric("pulso_subscriptions").await, 1.0);
    // One subscription is left by one unsubscribe, in any spelling.
    dashboard.unsubscribe(&bare).await;
    dashboard.ping().await;
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
    dashboard.expect_silence().await;
}

#[tokio::test]
async fn an_upper_case_id_with_letters_is_the_same_channel_for_dashboards_and_hooks() {
    let (pulso, database) = open().await;
    let id = "abcdefab-cdef-4abc-8def-abcdefabcdef";
    database.execute(&format!("INSERT INTO negocios VALUES ('{id}', '{OTHER_OWNER}', 'Café')")).await;
    let upper = id.to_uppercase();
    let mut by_ownership = pulso.connect(&Claims::user(OTHER_OWNER)).await;
    let mut by_token = pulso.connect(&Claims::naming("somebody", &[&upper])).await;
    assert_eq!(by_ownership.watch(&upper).await.negocio_id, id);
    assert_eq!(by_ownership.watch(id).await.negocio_id, id);
    assert_eq!(by_token.watch(id).await.negocio_id, id);
    for spelling in [id, &upper] {
        let answer = pulso.notify(spelling).await;
        assert_eq!(answer.json()["negocio_id"], id);
        assert_eq!(answer.json()["subscribers"], 2);
        for dashboard in [&mut by_ownership, &mut by_token] {
            assert_eq!(dashboard.stats().await.seq, answer.json()["seq"]);
        }
    }
    by_ownership.expect_silence().await;
}

#[tokio::test]
async fn after_unsubscribe_nothing_comes_and_subscribing_again_works() {
    let (pulso, database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.unsubscribe(NEGOCIO).await;
    for round in 1..=3 {
        assert_eq!(dashboard.watch(NEGOCIO).await.total, round - 1);
        dashboard.unsubscribe(NEGOCIO).await;
        dashboard.unsubscribe(NEGOCIO).await;
        dashboard.ping().await;
        citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
        assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
        dashboard.ping().await;
    }
    dashboard.expect_silence().await;
}

#[tokio::test]
async fn whatever_is_not_understood_is_an_error_and_the_connection_stays_up() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for text in [
        "",
        " ",
        "{",
        "}",
        "nope",
        "null",
        "true",
        "7",
        "\"ping\"",
        "[]",
        "[{\"type\":\"ping\"}]",
        "{} {}",
        "{\"type\":\"ping\"} x",
        "{\"type\":\"ping\",}",
        "\u{feff}{\"type\":\"ping\"}",
        "{}",
        "{\"type\":null}",
        "{\"type\":7}",
        "{\"type\":[\"ping\"]}",
        "{\"type\":\"Ping\"}",
        "{\"type\":\" ping\"}",
        "{\"type\":\"pong\"}",
        "{\"type\":\"stats\",\"data\":{\"negocio_id\":\"x\"}}",
        "{\"type\":\"error\",\"message\":\"x\"}",
        "{\"type\":\"publish\",\"channel\":\"estadisticas:x\"}",
        "{\"type\":\"subscribe\"}",
        "{\"type\":\"subscribe\",\"channel\":\"\"}",
        "{\"type\":\"subscribe\",\"channel\":\"estadisticas\"}",
        "{\"type\":\"subscribe\",\"channel\":\"estadisticas:\"}",
        "{\"type\":\"subscribe\",\"channel\":[]}",
        "{\"type\":\"subscribe\",\"channel\":\"negocio:x\"}",
        "{\"type\":\"subscribe\",\"data\":[\"channel\"]}",
        "{\"type\":\"unsubscribe\"}",
        "{\"type\":\"subscribe\",\"channel\":\"estadisticas:*\"}",
        "{\"type\":\"subscribe\",\"channel\":\"estadisticas:\\u0000\"}",
        "{\"type\":\"\\ud800\"}",
        &deep,
    ] {
        dashboard.send_text(text).await;
        let answer = dashboard.next().await;
        assert_eq!(answer["type"], "error", "{text:?}: {answer}");
        assert!(answer["message"].is_string() && answer.as_object().unwrap().len() == 2, "{answer}");
    }
    for bytes in [&b""[..], b"{\"type\":\"ping\"}", &[0xff; 300]] {
        dashboard.send_message(Message::binary(bytes.to_vec())).await;
        assert_eq!(dashboard.next().await["type"], "error");
    }
    dashboard.ping().await;
    expect_one_broadcast(&pulso, &mut dashboard).await;
}

#[tokio::test]
async fn every_message_has_the_contracts_keys_and_no_others() {
    let (pulso, database) = open().await;
    citas(&database, NEGOCIO, 3, "cancelada", "'2020-01-01'").await;
    let mut dashboard = pulso.connect(&owner()).await;
    let from = pulso_harness::token::now();
    dashboard.subscribe(NEGOCIO).await;
    let stats = dashboard.next().await;
    for (key, value) in stats.as_object().unwrap() {
        assert!(["type", "data", "channel", "seq", "id", "timestamp"].contains(&key.as_str()), "{key}: {value}");
    }
    let data = stats["data"].as_object().unwrap();
    let mut keys: Vec<&str> = data.keys().map(String::as_str).collect();
    keys.sort_unstable();
    let counts = ["citas_canceladas", "citas_completadas", "citas_hoy"];
    assert_eq!(keys, [&counts[..], &["negocio_id", "timestamp", "total_citas"]].concat());
    assert_eq!(data["negocio_id"], NEGOCIO);
    assert_eq!(data["total_citas"], 3);
    assert!(counts.iter().all(|count| data[*count].is_u64()), "{stats}");
    let timestamp = data["timestamp"].as_i64().unwrap();
    assert!((from - 1..=pulso_harness::token::now() + 1).contains(&timestamp), "{timestamp} and {from}");

    dashboard.send(&json!({ "type": "ping", "data": { "x": 1 }, "id": 3 })).await;
    assert_eq!(dashboard.next().await, json!({ "type": "pong" }));
    dashboard.send_text("x").await;
    assert_eq!(dashboard.next().await, json!({ "type": "error", "message": "not a JSON object" }));
}

#[tokio::test]
async fn nothing_a_client_sends_reaches_another_client() {
    let (pulso, _database) = open().await;
    let mut loud = pulso.connect(&owner()).await;
    let mut quiet = pulso.connect(&owner()).await;
    loud.watch(NEGOCIO).await;
    quiet.watch(NEGOCIO).await;
    let forged = json!({ "type": "stats", "channel": channel(), "data": { "negocio_id": NEGOCIO, "citas_hoy": 999 } });
    for kind in ["stats", "publish", "message", "broadcast", "notify", "error", "pong"] {
        let mut message = forged.clone();
        message["type"] = json!(kind);
        loud.send(&message).await;
        loud.error().await;
    }
    loud.send_message(Message::Ping("x".into())).await;
    loud.send_message(Message::binary(forged.to_string())).await;
    loud.error().await;
    loud.send_text("grito").await;
    loud.error().await;
    quiet.expect_silence().await;
    quiet.ping().await;
}

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
    let mut announced = vec![FIN | TEXT, 0x80 | 127];
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
        ("a message over the limit", text(FIN, &[b' '; 16 * 1024 + 1]), 1009),
        ("a binary over the limit", client_frame(FIN | BINARY, &[b' '; 20_000]), 1009),
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
    let breach = client_frame(FIN | TEXT, &[b' '; 16 * 1024 + 1]);
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
    pulso_harness::wait::until(async || pulso.metric("pulso_connections").await == 0.0, "all are gone").await;
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
