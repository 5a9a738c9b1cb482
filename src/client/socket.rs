//! One WebSocket as its actor uses it: messages in, finished frames out, and an orderly end.
//!
//! The only writer of its stream. Must not know what the messages mean.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::fragments::{Metered, TooManyFragments};
use crate::close::CloseReason;
use crate::config::ClientLimits;
use crate::publication::Frame;

/// Read at once from the socket; small, because every idle connection holds it.
const READ_BUFFER: usize = 512;
/// How long a peer may take to answer a Close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Socket<S> {
    stream: WebSocketStream<Metered<S>>,
    write_timeout: Duration,
}

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    Text(Utf8Bytes),
    Binary,
    /// A ping or pong: the peer is alive.
    Control,
    /// The peer closes; the answer has been queued.
    Close,
    /// The peer breaks the protocol.
    Breach(CloseReason),
    /// The line is gone.
    Lost,
}

/// A write did not succeed: the line is gone, or the peer has not read for the whole write timeout.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteFailed;

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// `early`: what the peer sent right behind its handshake.
    pub(super) async fn new(stream: S, early: Vec<u8>, limits: &ClientLimits) -> Self {
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = READ_BUFFER;
        config.write_buffer_size = 0;
        config.max_write_buffer_size = 64 * 1024;
        config.max_message_size = Some(limits.max_message_bytes);
        config.max_frame_size = Some(limits.max_message_bytes);
        let metered = Metered::new(stream, early, limits.max_message_fragments);
        Self {
            stream: WebSocketStream::from_raw_socket(metered, Role::Server, Some(config)).await,
            write_timeout: limits.write_timeout,
        }
    }

    /// The next thing that comes in. Safe to drop and call again.
    pub(super) async fn next(&mut self) -> Incoming {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Incoming::Text(text),
            Some(Ok(Message::Binary(_))) => Incoming::Binary,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Incoming::Control,
            Some(Ok(Message::Close(_))) => Incoming::Close,
            Some(Err(error)) => incoming_error(&error),
            None => Incoming::Lost,
        }
    }

    /// Sends what the library has queued on its own: pongs, the answer to a Close.
    pub(super) async fn flush(&mut self) -> Result<(), WriteFailed> {
        match timeout(self.write_timeout, self.stream.flush()).await {
            Ok(Ok(()) | Err(Error::ConnectionClosed)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(WriteFailed),
        }
    }

    /// Sends a finished frame, past the library's buffer, which would copy it and never shrink.
    pub(super) async fn write(&mut self, frame: &Frame) -> Result<(), WriteFailed> {
        let Self { stream, write_timeout } = self;
        let write = async {
            stream.flush().await.map_err(|_| WriteFailed)?;
            stream.get_mut().write_all(frame.bytes()).await.map_err(|_| WriteFailed)
        };
        timeout(*write_timeout, write).await.unwrap_or(Err(WriteFailed))
    }

    /// Says why, waits a moment for the peer's Close so that it sees the code, and ends the line.
    pub(super) async fn close(mut self, reason: CloseReason) {
        let farewell = async {
            self.stream.close(Some(reason.frame())).await?;
            while let Some(message) = self.stream.next().await {
                message?;
            }
            Ok::<_, Error>(())
        };
        // A peer that does not answer, or answers with rubbish, is left behind.
        let _ = timeout(CLOSE_TIMEOUT, farewell).await;
        self.shut_down().await;
    }

    /// As [`Self::close`] after a breach: what the peer sends no longer means anything.
    pub(super) async fn close_after_breach(mut self, reason: CloseReason) {
        let farewell = async {
            // Fails when the library has given up the stream already; the frame below goes out all the same.
            let _ = self.stream.flush().await;
            let stream = self.stream.get_mut();
            stream.write_all(&close_frame(reason)).await?;
            stream.shutdown().await?;
            // Closing with unread bytes would reset the line before the peer has read the code.
            let mut sink = [0; 1024];
            loop {
                match stream.read(&mut sink).await {
                    Ok(0) => return Ok(()),
                    Err(error) if !is_fragments(&error) => return Err(error),
                    Ok(_) | Err(_) => {}
                }
            }
        };
        let _: Result<io::Result<()>, _> = timeout(CLOSE_TIMEOUT, farewell).await;
    }

    /// After the peer's Close: sends the answer and ends the line.
    pub(super) async fn finish(mut self) {
        let goodbye = async { while self.stream.next().await.is_some_and(|message| message.is_ok()) {} };
        let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
        self.shut_down().await;
    }

    async fn shut_down(mut self) {
        let _ = timeout(CLOSE_TIMEOUT, self.stream.get_mut().shutdown()).await;
    }
}

fn incoming_error(error: &Error) -> Incoming {
    match error {
        Error::Utf8(_) => Incoming::Breach(CloseReason::InvalidText),
        Error::Capacity(_) => Incoming::Breach(CloseReason::TooBig),
        Error::Io(error) if is_fragments(error) => Incoming::Breach(CloseReason::TooManyFragments),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Incoming::Lost,
        Error::Protocol(_) => Incoming::Breach(CloseReason::Protocol),
        _ => Incoming::Lost,
    }
}

fn is_fragments(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<TooManyFragments>)
}

fn close_frame(reason: CloseReason) -> Vec<u8> {
    let text = reason.text().as_bytes();
    let mut frame = vec![0x88, u8::try_from(text.len() + 2).unwrap_or(2)];
    frame.extend(reason.code().to_be_bytes());
    frame.extend(text);
    frame
}
