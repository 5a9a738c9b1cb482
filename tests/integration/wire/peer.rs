//! A peer of the server that writes down every byte it is given: heads, bodies, frames, chunks.
//!
//! Must not know what is said, nor leave anything out but what nobody can tell beforehand of Engine.IO: when it pings,
//! and whether an empty Close comes before the end.

use pulso_harness::client_frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::record::Record;

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;
/// Of every handshake, with its answer.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What is written down where a connection ends.
const END: &str = "(end)";

/// A connection of its own.
#[derive(Debug)]
pub struct Peer {
    name: String,
    record: Record,
    port: u16,
    stream: TcpStream,
    /// Come and not looked at.
    raw: Vec<u8>,
}

/// A frame of a WebSocket.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    opening: u8,
    payload: Vec<u8>,
}

impl Peer {
    pub async fn new(record: &Record, name: &str, port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server accepts");
        Self { name: name.to_owned(), record: record.clone(), port, stream, raw: Vec::new() }
    }

    /// A WebSocket, or the answer that refuses it.
    pub async fn upgrade(record: &Record, name: &str, port: u16, path: &str, headers: &[&str]) -> Self {
        let mut peer = Self::new(record, name, port).await;
        record.sent(name, &format!("upgrade {path}"));
        let mut head = format!(
            "GET {path} HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: {KEY}"
        );
        for header in headers {
            record.sent(name, header);
            head.extend(["\r\n", header]);
        }
        peer.send(&head, "").await;
        peer.answer().await;
        peer
    }

    /// A stream of server-sent events, or the answer that refuses it.
    pub async fn stream(record: &Record, name: &str, port: u16, path: &str, headers: &[&str]) -> Self {
        let mut peer = Self::new(record, name, port).await;
        peer.ask("GET", path, headers, "").await;
        peer
    }

    /// A request and the head of its answer, with its body where the head says how long that is.
    pub async fn ask(&mut self, method: &str, path: &str, headers: &[&str], body: &str) -> String {
        let mut head = format!("{method} {path} HTTP/1.1");
        self.record.sent(&self.name, &format!("{method} {path}"));
        for header in headers {
            self.record.sent(&self.name, header);
            head.extend(["\r\n", header]);
        }
        if !body.is_empty() {
            self.record.sent(&self.name, body);
            head.extend(["\r\ncontent-length: ", &body.len().to_string()]);
        }
        self.send(&head, body).await;
        self.answer().await
    }

    /// The head of an answer and its body, where the head says how long that is.
    pub async fn answer(&mut self) -> String {
        let length = self.head().await;
        self.body(length).await
    }

    async fn send(&mut self, head: &str, body: &str) {
        let request = format!("{head}\r\nhost: 127.0.0.1:{}\r\n\r\n{body}", self.port);
        self.write(request.as_bytes()).await;
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the server reads");
    }

    /// Writes a head down; the length of the body that follows.
    async fn head(&mut self) -> usize {
        let end = self.until(b"\r\n\r\n").await;
        let head = String::from_utf8(self.take(end)).expect("a head of text");
        for line in head.trim_end_matches("\r\n").split("\r\n") {
            self.record.given(&self.name, line);
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or("0", str::trim);
        length.parse().expect("a length")
    }

    async fn body(&mut self, length: usize) -> String {
        self.at_least(length).await;
        let body = String::from_utf8(self.take(length)).expect("a body of text");
        if !body.is_empty() {
            self.record.given(&self.name, &body);
        }
        body
    }

    pub async fn say(&mut self, text: &str) {
        self.record.sent(&self.name, text);
        self.write(&client_frame(FIN | TEXT, text.as_bytes())).await;
    }

    /// Sends a frame; `opening` is its first byte.
    pub async fn say_frame(&mut self, what: &str, opening: u8, payload: &[u8]) {
        self.record.sent(&self.name, what);
        self.write(&client_frame(opening, payload)).await;
    }

    /// Writes the next frame down, and how the connection ends where that is it.
    pub async fn hear(&mut self) -> String {
        let frame = self.frame().await;
        self.note(frame)
    }

    /// Passes over frames, of which nobody knows how many there are, to one that is wanted, and writes that down.
    pub async fn hear_past(&mut self, is_wanted: impl Fn(&str) -> bool) {
        loop {
            let frame = self.frame().await;
            let is_control = frame.as_ref().is_none_or(|frame| frame.opening == FIN | CLOSE);
            let text = frame.as_ref().map(|frame| String::from_utf8_lossy(&frame.payload).into_owned());
            if is_control || text.is_some_and(|text| is_wanted(&text)) {
                self.note(frame);
                return;
            }
        }
    }

    /// As [`Self::hear`] of Engine.IO: its pings are answered and left out.
    pub async fn packet(&mut self) -> String {
        loop {
            let frame = self.frame().await;
            if !self.is_answered_ping(frame.as_ref()).await {
                return self.note(frame);
            }
        }
    }

    /// Whether it is a ping of Engine.IO, which is answered.
    async fn is_answered_ping(&mut self, frame: Option<&Frame>) -> bool {
        let is_ping = frame.is_some_and(|frame| frame.opening == TEXT_FRAME && frame.payload == b"2");
        if is_ping {
            // The session may be over before it is answered.
            let _ = self.stream.write_all(&client_frame(TEXT_FRAME, b"3")).await;
        }
        is_ping
    }

    /// Hears until a Close, answers it, and until the end.
    pub async fn ended(&mut self) {
        while self.hear().await != END {}
    }

    /// As [`Self::ended`], of Engine.IO, whose sessions end with an empty Close or without one.
    pub async fn session_ended(&mut self) {
        loop {
            let frame = self.frame().await;
            let is_empty_close =
                frame.as_ref().is_some_and(|frame| frame.opening == CLOSE_FRAME && frame.payload.is_empty());
            if !is_empty_close && !self.is_answered_ping(frame.as_ref()).await && self.note(frame) == END {
                return;
            }
        }
    }

    /// Proves that nothing has come in between: asks for a pong, and hears it.
    pub async fn ping(&mut self) {
        self.say(r#"{"type":"ping"}"#).await;
        assert_eq!(self.hear().await, r#"{"type":"pong"}"#);
    }

    fn note(&mut self, frame: Option<Frame>) -> String {
        let Some(Frame { opening, payload }) = frame else {
            self.record.given(&self.name, END);
            return END.to_owned();
        };
        let text = String::from_utf8(payload.clone()).unwrap_or_else(|_| format!("{payload:?}"));
        let said = match opening {
            0x81 => text,
            0x82 => format!("(binary) {text}"),
            0x88 => format!("(close) {}", closed(&payload)),
            0x89 => format!("(ping) {text}"),
            0x8a => format!("(pong) {text}"),
            other => format!("(a frame that begins with {other:#x}) {text}"),
        };
        let said = said.trim_end();
        self.record.given(&self.name, said);
        said.to_owned()
    }

    async fn frame(&mut self) -> Option<Frame> {
        while self.raw.len() < 2 {
            if !self.more().await {
                assert!(self.raw.is_empty(), "half a frame: {:?}", self.raw);
                return None;
            }
        }
        let (opening, length) = (self.raw[0], usize::from(self.raw[1]));
        assert!(length < 0x80, "a server masks nothing");
        let (before, length) = match length {
            126 => {
                self.at_least(4).await;
                (4, usize::from(u16::from_be_bytes([self.raw[2], self.raw[3]])))
            }
            127 => panic!("nothing here is that long"),
            length => (2, length),
        };
        self.at_least(before + length).await;
        let payload = self.take(before + length).split_off(before);
        if opening == FIN | CLOSE {
            // It may have hung up already.
            let _ = self.stream.write_all(&client_frame(FIN | CLOSE, &payload)).await;
        }
        Some(Frame { opening, payload })
    }

    /// Writes the next chunk of a stream down; an empty one is its end.
    pub async fn chunk(&mut self) -> String {
        let text = self.next_chunk().await;
        self.record.given(&self.name, if text.is_empty() { "(end of chunks)" } else { &text });
        text
    }

    async fn next_chunk(&mut self) -> String {
        let end = self.until(b"\r\n").await;
        let length = String::from_utf8(self.take(end)).expect("the length of a chunk");
        let length = usize::from_str_radix(length.trim_end(), 16).expect("a length in hexadecimal");
        self.at_least(length + 2).await;
        let chunk = self.take(length + 2);
        let chunk = chunk.strip_suffix(b"\r\n").expect("the end of a chunk");
        String::from_utf8(chunk.to_vec()).expect("a chunk of text")
    }

    /// Writes chunks down until the last.
    pub async fn chunks(&mut self) {
        while !self.chunk().await.is_empty() {}
    }

    async fn until(&mut self, wanted: &[u8]) -> usize {
        loop {
            if let Some(at) = self.raw.windows(wanted.len()).position(|some| some == wanted) {
                return at + wanted.len();
            }
            assert!(self.more().await, "the server hung up: {:?}", String::from_utf8_lossy(&self.raw));
        }
    }

    async fn at_least(&mut self, length: usize) {
        while self.raw.len() < length {
            assert!(self.more().await, "the server hung up: {:?}", String::from_utf8_lossy(&self.raw));
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.raw.split_off(length);
        std::mem::replace(&mut self.raw, rest)
    }

    /// Whether more came before the end. A reset is an end like any other.
    async fn more(&mut self) -> bool {
        let read = timeout(pulso_harness::wait::LIMIT, self.stream.read_buf(&mut self.raw)).await;
        read.expect("something in time").is_ok_and(|read| read > 0)
    }
}

pub const BINARY_FRAME: u8 = FIN | BINARY;
pub const PING_FRAME: u8 = FIN | PING;
pub const PONG_FRAME: u8 = FIN | PONG;
pub const TEXT_FRAME: u8 = FIN | TEXT;
pub const CLOSE_FRAME: u8 = FIN | CLOSE;

fn closed(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => {
            format!("{} {}", u16::from_be_bytes([*high, *low]), String::from_utf8_lossy(reason))
        }
        other => format!("{other:?}"),
    }
}
