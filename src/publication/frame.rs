//! WebSocket frames as a server sends them: unmasked, so one buffer serves every socket.
//!
//! Must not know what they are for.

use bytes::Bytes;

const FIN_TEXT: u8 = 0x81;
const FIN_BINARY: u8 = 0x82;
const FIN_PING: u8 = 0x89;

/// One unfragmented text message.
pub fn text(payload: &str) -> Bytes {
    whole(FIN_TEXT, &[payload.as_bytes()])
}

/// As [`text`], of what these say one behind the other.
pub(super) fn text_of(parts: &[&str]) -> Bytes {
    whole(FIN_TEXT, &parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>())
}

/// One unfragmented binary message.
pub fn binary(payload: &[u8]) -> Bytes {
    whole(FIN_BINARY, &[payload])
}

/// A ping without a payload.
pub fn ping() -> Bytes {
    Bytes::from_static(&[FIN_PING, 0])
}

/// The text in a frame of ours, without its head.
pub fn payload(frame: &[u8]) -> &str {
    std::str::from_utf8(frame.get(head(frame)..).unwrap_or_default()).unwrap_or_default()
}

/// How many bytes stand before what a frame of ours says.
pub(super) fn head(frame: &[u8]) -> usize {
    match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    }
}

fn whole(opening: u8, parts: &[&[u8]]) -> Bytes {
    let length = parts.iter().map(|part| part.len()).sum();
    // Of exactly the size that it gets: then it is not allocated anew to be shared.
    let mut out = Vec::with_capacity(
        length
            + if length <= 125 {
                2
            } else if length <= 0xffff {
                4
            } else {
                10
            },
    );
    out.push(opening);
    match length {
        #[expect(clippy::cast_possible_truncation, reason = "the arm says how long it is")]
        0..=125 => out.push(length as u8),
        #[expect(clippy::cast_possible_truncation, reason = "the arm says how long it is")]
        126..=0xffff => {
            out.push(126);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

    use super::*;

    fn read(frame: &Bytes) -> Message {
        WebSocket::from_raw_socket(std::io::Cursor::new(frame.to_vec()), Role::Client, None).read().unwrap()
    }

    #[test]
    fn a_frame_of_every_length_form_is_read_back_by_another_implementation() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let payload = "ñ".repeat(len / 2) + &"x".repeat(len % 2);
            let (start, end) = payload.split_at(payload.len() / 4 * 2);
            assert_eq!(read(&text(&payload)), Message::text(&payload), "length {len}");
            assert_eq!(text_of(&[start, end]), text(&payload), "length {len}");
            assert_eq!(super::payload(&text(&payload)), payload);
            assert_eq!(read(&binary(payload.as_bytes())), Message::binary(payload), "length {len}");
        }
        assert_eq!(read(&ping()), Message::Ping(Bytes::new()));
    }
}
