//! What travels from the source of a change to every socket: encoded once, shared by all.
//!
//! Must not know what the payload means.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::Instant;

use crate::channel::Channel;

const FIN_TEXT: u8 = 0x81;
const FIN_PING: u8 = 0x89;

/// A complete WebSocket frame as a server sends it: unmasked, so one buffer serves every socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// One unfragmented text message.
    pub fn text(payload: &str) -> Self {
        let payload = payload.as_bytes();
        let mut out = BytesMut::with_capacity(payload.len() + 10);
        out.put_u8(FIN_TEXT);
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

    /// A ping without a payload.
    pub fn ping() -> Self {
        Self(Bytes::from_static(&[FIN_PING, 0]))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The state of one channel at one version. A later version makes an earlier one worthless.
#[derive(Debug)]
pub struct Publication {
    pub channel: Channel,
    /// Grows with every read of the channel; never goes back, also not across a restart.
    pub version: u64,
    pub frame: Frame,
    /// When the notice arrived that this publication answers, until the first socket has it.
    noticed: Option<Instant>,
    measured: AtomicBool,
}

impl Publication {
    pub fn new(channel: Channel, version: u64, frame: Frame, noticed: Option<Instant>) -> Self {
        Self { channel, version, frame, noticed, measured: AtomicBool::new(false) }
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
            assert_eq!(peer.read().unwrap(), Message::text(payload), "length {len}");
        }
    }
}
