//! Who sits where and what is said until figures come: one connection's part in the play.
//!
//! Must not know sockets.

use std::sync::Arc;

use super::{frame, polling};

/// The key of RFC 6455's own example, whose answer is known: the floor need not compute it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What all connections of one wire have in common.
#[derive(Debug)]
pub struct Script {
    pub framing: Framing,
    /// How the answers begin that are waited for, one after the other; with the last one the client is served.
    pub until: Vec<&'static str>,
    /// How a message begins (or what it holds, in a stream) that is to be counted.
    pub message: &'static str,
    /// What stands before its number; empty where there is none.
    pub number: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    WebSocket,
    /// Socket.IO's own pings are in text.
    SocketIo,
    /// Server-sent events in HTTP chunks.
    Chunks,
    /// Socket.IO by polling: a request for each answer, several packets in one.
    Polling,
}

/// One connection's own words.
#[derive(Debug)]
pub struct Seat {
    pub script: Arc<Script>,
    /// The request that opens it.
    pub hello: Vec<u8>,
    /// Said before each of `script.until`, as frames (by polling as packets); empty: nothing.
    pub says: Vec<Vec<u8>>,
    /// The number of its channel, for whoever counts by channel.
    pub channel: u32,
    pub manner: Manner,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    #[default]
    Reads,
    /// Reads nothing any more once it is served, over a connection that holds little.
    Stalls,
}

impl Seat {
    /// A WebSocket at `path` that says `says`.
    pub fn web_socket(script: &Arc<Script>, path: &str, says: &[&str], channel: u32) -> Self {
        let hello = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        let framed =
            |said: &&str| if said.is_empty() { Vec::new() } else { frame::client(frame::TEXT, said.as_bytes()) };
        Self {
            script: Arc::clone(script),
            hello: hello.into_bytes(),
            says: says.iter().map(framed).collect(),
            channel,
            manner: Manner::Reads,
        }
    }

    /// A stream of server-sent events.
    pub fn stream(script: &Arc<Script>, path: &str, channel: u32) -> Self {
        let hello = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n");
        let says = vec![Vec::new(); script.until.len()];
        Self { script: Arc::clone(script), hello: hello.into_bytes(), says, channel, manner: Manner::Reads }
    }

    /// An Engine.IO session by polling that posts `says`.
    pub fn polling(script: &Arc<Script>, says: &[&str], channel: u32) -> Self {
        let hello = polling::request("GET", "", "");
        let says = says.iter().map(|said| said.as_bytes().to_vec()).collect();
        Self { script: Arc::clone(script), hello, says, channel, manner: Manner::Reads }
    }
}
