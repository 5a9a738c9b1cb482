//! A WebSocket that wants to take a polling session over: it shows that it works, and then says so.
//!
//! Until then it is nothing to the session: if it fails in whatever way it alone is closed. Must not know what is said.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Held;
use super::packet::{PROBED, Packet};
use crate::publication::frame;
use crate::transport::websocket::reader::{Event, Reader};

/// For the whole of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames that a client may send until it has taken over; it needs two.
const MOST_FRAMES: usize = 16;
/// Of a WebSocket that did not take over.
const CLOSE: [u8; 2] = [0x88, 0x00];

/// A WebSocket that takes over.
pub(super) struct Upgraded {
    pub(super) stream: TcpStream,
    /// What came behind the packet that says so lies in it.
    pub(super) reader: Reader,
    pub(super) held: Held,
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// Waits for the packets that a client sends before it takes over, until its session is `over`; `on_probe` is called for the
/// first of them. `None`: it does not.
pub(super) async fn try_upgrade(
    mut stream: TcpStream,
    mut reader: Reader,
    on_probe: impl Fn(),
    over: impl Future,
) -> Option<(TcpStream, Reader)> {
    let proof = tokio::select! {
        biased;
        proved = timeout(PATIENCE, prove(&mut stream, &mut reader, on_probe)) => proved.unwrap_or(Ok(Proof::Failed)),
        _ = over => Ok(Proof::Failed),
    };
    match proof {
        Ok(Proof::Given) => return Some((stream, reader)),
        Ok(Proof::Failed) => turn_away(&stream),
        // A second Close would be a breach of the protocol.
        Ok(Proof::Closed) | Err(_) => {}
    }
    None
}

/// Closes a WebSocket that takes nothing over.
pub fn turn_away(stream: &TcpStream) {
    // Whether it hears this is its own affair.
    let _ = stream.try_write(&CLOSE);
}

/// Whether a WebSocket has shown that it works.
enum Proof {
    Given,
    Failed,
    /// Its client has closed it, and was answered.
    Closed,
}

async fn prove(stream: &mut TcpStream, reader: &mut Reader, on_probe: impl Fn()) -> io::Result<Proof> {
    for _ in 0..MOST_FRAMES {
        let mut answers = Vec::new();
        let event = poll_fn(|cx| reader.poll_event(stream, cx, &mut |frames| answers.extend_from_slice(frames))).await;
        stream.write_all(&answers).await?;
        let text = match event {
            Event::Text(text) => text,
            Event::Ping | Event::Pong => continue,
            Event::Close => return Ok(Proof::Closed),
            Event::Written(_) | Event::Binary(_) | Event::Breach(_) | Event::Lost => return Ok(Proof::Failed),
        };
        match Packet::parse(&text) {
            Ok(Packet::Probe) => {
                // First the answer: the session may end a request of the client's for it.
                stream.write_all(&frame::text(PROBED)).await?;
                on_probe();
            }
            Ok(Packet::Upgrade) => return Ok(Proof::Given),
            _ => return Ok(Proof::Failed),
        }
    }
    Ok(Proof::Failed)
}
