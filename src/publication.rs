//! What travels from the source of a change to every socket: encoded once, shared by all.
//!
//! Must not know what the payload means.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::Instant;

use crate::channel::Channel;

const FIN_TEXT: u8 = 0x81;
const FIN_BINARY: u8 = 0x82;
const FIN_PING: u8 = 0x89;

/// A complete WebSocket frame as a server sends it: unmasked, so one buffer serves every socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// One unfragmented text message.
    pub fn text(payload: &str) -> Self {
        Self::whole(FIN_TEXT, payload.as_bytes())
    }

    /// One unfragmented binary message.
    pub fn binary(payload: &[u8]) -> Self {
        Self::whole(FIN_BINARY, payload)
    }

    fn whole(opening: u8, payload: &[u8]) -> Self {
        let mut out = BytesMut::with_capacity(payload.len() + 10);
        out.put_u8(opening);
        match payload.len() {
            #[expect(clippy::cast_possible_truncation, reason = "the arm says how long it is")]
            len @ 0..=125 => out.put_u8(len as u8),
            #[expect(clippy::cast_possible_truncation, reason = "the arm says how long it is")]
            len @ 126..=0xffff => {
                out.put_u8(126);
                out.put_u16(len as u16);
            }
            len => {
                out.put_u8(127);
                out.put_u64(len as u64);
            }
        }
        out.put_slice(payload);
        Self(out.freeze())
    }

    /// What is a frame already.
    pub fn finished(frame: Bytes) -> Self {
        Self(frame)
    }

    /// A ping without a payload.
    pub fn ping() -> Self {
        Self(Bytes::from_static(&[FIN_PING, 0]))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text in it, without the frame's head.
    pub fn payload(&self) -> &str {
        let head = match self.0.get(1) {
            None => 0,
            Some(126) => 4,
            Some(127) => 10,
            Some(_) => 2,
        };
        std::str::from_utf8(self.0.get(head..).unwrap_or_default()).unwrap_or_default()
    }
}

/// What a publication says, and so what may become of it on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How things stand: a later one makes an earlier one worthless.
    State,
    /// What happened: every one counts, in its order.
    Event,
}

/// One message of one channel.
#[derive(Debug)]
pub struct Publication {
    pub channel: Channel,
    pub kind: Kind,
    /// Grows with every state of the channel, or every event of this node: the version of the one, the id of the other.
    /// Never goes back, also not across a restart.
    pub version: u64,
    /// The event's name, where the transport has names (Socket.IO).
    pub event: &'static str,
    pub frame: Frame,
    with_id: OnceLock<Frame>,
    /// When the notice arrived that this publication answers, until the first socket has it.
    noticed: Option<Instant>,
    measured: AtomicBool,
}

impl Publication {
    pub fn state(channel: Channel, version: u64, frame: Frame, noticed: Option<Instant>) -> Self {
        Self { kind: Kind::State, noticed, ..Self::event(channel, version, "", frame) }
    }

    pub fn event(channel: Channel, id: u64, event: &'static str, frame: Frame) -> Self {
        let (with_id, measured) = (OnceLock::new(), AtomicBool::new(false));
        Self { channel, kind: Kind::Event, version: id, event, frame, with_id, noticed: None, measured }
    }

    /// An event as clients see it that asked for ids: a top-level key of its own, first.
    pub fn frame_with_id(&self) -> &Frame {
        self.with_id.get_or_init(|| {
            let payload = self.frame.payload();
            match payload.strip_prefix('{') {
                Some(rest) => Frame::text(&format!("{{\"id\":\"{}\",{rest}", self.version)),
                None => self.frame.clone(),
            }
        })
    }

    /// When the notice arrived; `Some` for the first caller only.
    pub fn take_noticed(&self) -> Option<Instant> {
        self.noticed.filter(|_| !self.measured.swap(true, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

    use super::*;

    #[test]
    fn a_frame_of_every_length_form_is_read_back_by_another_implementation() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let payload = "ñ".repeat(len / 2) + &"x".repeat(len % 2);
            let wire = std::io::Cursor::new(Frame::text(&payload).bytes().to_vec());
            let mut peer = WebSocket::from_raw_socket(wire, Role::Client, None);
            assert_eq!(peer.read().unwrap(), Message::text(&payload), "length {len}");
            assert_eq!(Frame::text(&payload).payload(), payload);
            let wire = std::io::Cursor::new(Frame::binary(payload.as_bytes()).bytes().to_vec());
            let mut peer = WebSocket::from_raw_socket(wire, Role::Client, None);
            assert_eq!(peer.read().unwrap(), Message::binary(payload), "length {len}");
        }
    }

    #[test]
    fn an_id_stands_beside_what_an_event_says() {
        let frame = Frame::text(r#"{"type":"newSale","data":{"total":45.50}}"#);
        let event = Publication::event(Channel::Negocio(None), 7, "", frame);
        assert_eq!(event.frame_with_id().payload(), r#"{"id":"7","type":"newSale","data":{"total":45.50}}"#);
    }
}
