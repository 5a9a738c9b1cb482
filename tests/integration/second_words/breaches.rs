//! A peer that breaks the protocol: what it is sent before its line ends, byte by byte, on every WebSocket.

use pulso_harness::wait::LIMIT;
use pulso_harness::{Dashboard, client_frame};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::{nurse, signed};
use crate::business::owner;
use crate::feeds::configured;

const DEVICES: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES (1, 'ipad-1', true);";

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
/// A text in one piece.
const WHOLE: u8 = FIN | TEXT;
const CLOSE: u8 = FIN | 0x8;
const PING: u8 = FIN | 0x9;
const PONG: u8 = FIN | 0xa;

/// What breaks the protocol, or says too much; and the code and the reason by which that ends.
fn breaches() -> Vec<(&'static str, Vec<u8>, u16, &'static str)> {
    let ping = br#"{"type":"ping"}"#;
    let pieces = [client_frame(TEXT, b"{"), client_frame(0, b" "), client_frame(0, b" "), client_frame(FIN, b"}")];
    // Behind too much its own close, so that nobody waits for that.
    let too_many = [client_frame(PING, b"").repeat(8), client_frame(CLOSE, b"")];
    vec![
        ("an unmasked frame", [&[WHOLE, 15], &ping[..]].concat(), 1002, "protocol error"),
        ("a reserved bit", client_frame(WHOLE | 0x40, ping), 1002, "protocol error"),
        ("an opcode that is none", client_frame(FIN | 0x3, b""), 1002, "protocol error"),
        ("a continuation of nothing", client_frame(FIN, b"x"), 1002, "protocol error"),
        ("a ping in pieces", client_frame(PING & !FIN, b""), 1002, "protocol error"),
        ("a text that is not UTF-8", client_frame(WHOLE, b"\xc3"), 1007, "invalid UTF-8"),
        ("a message that is too big", client_frame(WHOLE, &[b'x'; 257]), 1009, "message too big"),
        ("a message in too many pieces", pieces.concat(), 1009, "too many fragments"),
        ("too many messages", too_many.concat(), 1008, "too many messages"),
    ]
}

/// Everything that comes until the line ends: of each frame the first byte and the payload.
async fn last_frames(peer: &mut Dashboard) -> Vec<(u8, Vec<u8>)> {
    let mut bytes = Vec::new();
    timeout(LIMIT, peer.stream().read_to_end(&mut bytes)).await.expect("the end in time").expect("an orderly end");
    let (mut frames, mut rest) = (Vec::new(), bytes.as_slice());
    while let [opening, length, behind @ ..] = rest {
        let (payload, behind) = behind.split_at(usize::from(*length));
        frames.push((*opening, payload.to_vec()));
        rest = behind;
    }
    frames
}

#[tokio::test]
async fn who_breaks_the_protocol_is_told_why_in_a_frame_of_its_own_before_the_close() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.with("MAX_MESSAGE_BYTES", "256").with("MAX_MESSAGE_FRAGMENTS", "3");
    let pulso = pulso.with("MESSAGE_BURST", "5").with("MESSAGE_RATE", "1").ready().await;
    for (path, greeting) in [
        (signed("/ws", &owner()), &["hello"][..]),
        ("/ws?v=2".to_owned(), &[][..]),
        (signed("/ws/staff/orders/", &nurse()), &["hello", "subscribed"][..]),
        ("/ws/kiosk/orders/?v=2&device_uid=ipad-1".to_owned(), &["hello", "subscribed"][..]),
    ] {
        for (what, bytes, code, reason) in breaches() {
            let mut peer = pulso.open(&path).await;
            for kind in greeting {
                assert_eq!(peer.next().await["type"], *kind, "{path}");
            }
            peer.send_raw(&bytes).await;
            let mut last = last_frames(&mut peer).await;
            last.retain(|(opening, _)| *opening != PONG);
            let [(WHOLE, closing), (CLOSE, close)] = last.as_slice() else { panic!("{path}: {what}: {last:?}") };
            let again = code == 1008;
            let after = if again { 1_000 } else { 0 };
            let wanted = json!({ "type": "closing", "code": code, "reason": reason, "again": again, "after": after });
            assert_eq!(serde_json::from_slice::<Value>(closing).unwrap(), wanted, "{path}: {what}");
            assert_eq!(*close, [&code.to_be_bytes(), reason.as_bytes()].concat(), "{path}: {what}");
        }
    }
}
