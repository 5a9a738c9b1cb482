//! What comes in on a WebSocket, message by message.
//!
//! The library's state and buffer are there only while a message comes in: most connections say nothing most of the time,
//! and then cost a few bytes. Must not know what the messages mean.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::fragments::{Meter, TooManyFragments};
use crate::config::ClientLimits;
use crate::hub::mailbox::Outgoing;
use crate::model::CloseReason;

/// Read at once from the socket.
const READ_BUFFER: usize = 512;

pub(in crate::transport) struct Reader {
    /// What came before the stream was handed over, until it has been read.
    early: Option<Box<[u8]>>,
    meter: Meter,
    max_message_bytes: usize,
    /// From the first byte of a message until nothing is left of it.
    library: Option<Box<WebSocketContext>>,
}

/// What happened on the socket.
#[derive(Debug)]
pub(in crate::transport) enum Event {
    /// The message has been written: there is room for another.
    Written(Outgoing),
    Text(Utf8Bytes),
    Binary(Bytes),
    /// Answered by the library.
    Ping,
    Pong,
    /// The peer closes; the answer has been said.
    Close,
    /// The peer breaks the protocol.
    Breach(CloseReason),
    /// The line is gone.
    Lost,
}

/// The stream as the library reads it, and what it has to say itself.
struct Wire<'a, 'b, S> {
    stream: &'a mut S,
    early: &'a mut Option<Box<[u8]>>,
    meter: &'a mut Meter,
    cx: &'a mut Context<'b>,
    say: &'a mut dyn FnMut(&[u8]),
}

impl Reader {
    pub(in crate::transport) fn new(early: Vec<u8>, limits: &ClientLimits) -> Self {
        let early = (!early.is_empty()).then(|| early.into_boxed_slice());
        let meter = Meter::new(limits.max_message_fragments);
        Self { early, meter, max_message_bytes: limits.max_message_bytes, library: None }
    }

    /// The next thing that happens. `say` is given finished frames that the protocol demands to be sent.
    pub(in crate::transport) fn poll_event<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        say: &mut dyn FnMut(&[u8]),
    ) -> Poll<Event> {
        let Self { early, meter, max_message_bytes, library } = self;
        let mut wire = Wire { stream, early, meter, cx, say };
        if library.is_none() {
            // On the stack: nothing is kept for a connection that has nothing to say.
            let mut first = [0; READ_BUFFER];
            let first = match wire.read(&mut first) {
                Ok(0) => return Poll::Ready(Event::Lost),
                Ok(read) => first[..read].to_vec(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(event_of(&Error::Io(error))),
            };
            let config = Some(config(*max_message_bytes));
            *library = Some(Box::new(WebSocketContext::from_partially_read(first, Role::Server, config)));
        }
        let Some(context) = library else { return Poll::Pending };
        let mut message = context.read(&mut wire);
        if let Ok(Message::Close(_)) = &message {
            // The answer lies in the library.
            if let Err(error) = context.flush(&mut wire)
                && !matches!(error, Error::ConnectionClosed)
            {
                message = Err(error);
            }
        }
        match message {
            Ok(Message::Text(text)) => Poll::Ready(Event::Text(text)),
            Ok(Message::Binary(bytes)) => Poll::Ready(Event::Binary(bytes)),
            Ok(Message::Ping(_)) => Poll::Ready(Event::Ping),
            // Frames as such are never read.
            Ok(Message::Pong(_) | Message::Frame(_)) => Poll::Ready(Event::Pong),
            Ok(Message::Close(_)) => Poll::Ready(Event::Close),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                if meter.is_between_messages() {
                    *library = None;
                }
                Poll::Pending
            }
            Err(error) => Poll::Ready(event_of(&error)),
        }
    }
}

fn config(max_message_bytes: usize) -> WebSocketConfig {
    let mut config = WebSocketConfig::default();
    config.read_buffer_size = READ_BUFFER;
    config.write_buffer_size = 0;
    config.max_message_size = Some(max_message_bytes);
    config.max_frame_size = Some(max_message_bytes);
    config
}

impl<S: AsyncRead + Unpin> Wire<'_, '_, S> {
    fn poll_read(&mut self, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(early) = self.early else { return Pin::new(&mut *self.stream).poll_read(self.cx, buf) };
        let (now, later) = early.split_at(early.len().min(buf.remaining()));
        buf.put_slice(now);
        *self.early = (!later.is_empty()).then(|| later.into());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> Read for Wire<'_, '_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        match self.poll_read(&mut buf) {
            Poll::Ready(outcome) => outcome?,
            Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
        }
        self.meter.pass(buf.filled()).map_err(io::Error::other)?;
        Ok(buf.filled().len())
    }
}

/// The library writes whole frames, as many as it has.
impl<S> Write for Wire<'_, '_, S> {
    fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
        (self.say)(frames);
        Ok(frames.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn event_of(error: &Error) -> Event {
    match error {
        Error::Utf8(_) => Event::Breach(CloseReason::InvalidText),
        Error::Capacity(_) => Event::Breach(CloseReason::TooBig),
        Error::Io(error) if is_fragments(error) => Event::Breach(CloseReason::TooManyFragments),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Event::Lost,
        Error::Protocol(_) => Event::Breach(CloseReason::Protocol),
        _ => Event::Lost,
    }
}

fn is_fragments(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<TooManyFragments>)
}
