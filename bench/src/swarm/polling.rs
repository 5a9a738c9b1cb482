//! Socket.IO by polling: one request after the other on one connection, each answered with the packets that waited.
//!
//! A browser posts on a second connection; here a packet is posted between two polls. Must not know what packets mean,
//! beyond the ping, the end and the session's id.

use std::time::Instant;

use super::Swarm;
use super::connection::{Connection, Stage};
use super::frame::{self, Frame};

/// Between the packets of one body.
const SEPARATOR: u8 = 0x1e;
const HANDSHAKE: &[u8] = b"0{";
const CLOSE: &[u8] = b"1";
const PING: &[u8] = b"2";
const PONG: &[u8] = b"3";

/// One session's side of the polling.
#[derive(Debug, Default)]
pub struct Polls {
    sid: String,
    /// The next request that fetches.
    get: Vec<u8>,
    /// Packets to post before that.
    packets: Vec<u8>,
}

impl Polls {
    pub fn put(&mut self, packet: &[u8]) {
        if !self.packets.is_empty() {
            self.packets.push(SEPARATOR);
        }
        self.packets.extend_from_slice(packet);
    }

    fn begin(&mut self, handshake: &[u8]) {
        let text = String::from_utf8_lossy(handshake);
        let sid = text.split_once("\"sid\":\"").and_then(|(_, behind)| behind.split_once('"'));
        let (sid, _) = sid.unwrap_or_else(|| panic!("a handshake without an id: {text}"));
        sid.clone_into(&mut self.sid);
        self.get = request("GET", &self.sid, "");
    }
}

/// A request to the session `sid`, or one that opens a session where that is empty.
pub fn request(method: &str, sid: &str, body: &str) -> Vec<u8> {
    let sid = if sid.is_empty() { String::new() } else { format!("&sid={sid}") };
    let head = format!("{method} /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    let rest = if method == "POST" {
        format!("Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    } else {
        "\r\n".to_owned()
    };
    (head + &rest).into_bytes()
}

/// A whole answer at the beginning of what was read, as a frame whose payload is its body; one that refuses is a close.
pub fn parse(bytes: &[u8]) -> Option<Frame<'_>> {
    const LENGTH: &[u8] = b"content-length:";
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let lines = bytes[..head].split(|&byte| byte == b'\n');
    let mut lengths = lines.filter_map(|line| {
        let value = line.get(LENGTH.len()..).filter(|_| line[..LENGTH.len()].eq_ignore_ascii_case(LENGTH))?;
        std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok()
    });
    let length =
        lengths.next_back().unwrap_or_else(|| panic!("no length: {}", String::from_utf8_lossy(&bytes[..head])));
    let payload = bytes.get(head..head + length)?;
    let opcode = if bytes.starts_with(b"HTTP/1.1 200") { frame::TEXT } else { frame::CLOSE };
    Some(Frame { opcode, payload, length: head + length })
}

impl Swarm {
    /// Every packet of an answer, then the next request; false when the session is over.
    pub(super) fn on_answer(&mut self, index: usize, answer: &Frame<'_>, now: Instant) -> bool {
        if answer.opcode == frame::CLOSE {
            return false;
        }
        for packet in answer.payload.split(|&byte| byte == SEPARATOR) {
            let connection = &mut self.connections[index];
            if connection.stage == Stage::Talking(0) && packet.starts_with(HANDSHAKE) {
                connection.polls.begin(packet);
            }
            let message = Frame { opcode: frame::TEXT, payload: packet, length: packet.len() };
            match packet {
                PING => connection.polls.put(PONG),
                CLOSE => return false,
                _ if !self.on_message(index, &message, now) => return false,
                _ => {}
            }
        }
        self.connections[index].go_on()
    }
}

impl Connection {
    /// Posts what is to be said, else fetches; false when the line is gone.
    fn go_on(&mut self) -> bool {
        if self.polls.packets.is_empty() {
            return self.say(&self.polls.get);
        }
        let packets = std::mem::take(&mut self.polls.packets);
        self.say(&request("POST", &self.polls.sid, &String::from_utf8_lossy(&packets)))
    }
}
