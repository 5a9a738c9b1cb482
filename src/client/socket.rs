//! One WebSocket as its actor uses it: messages in, finished frames out, both at once, and an orderly end.
//!
//! Must not know what the messages mean.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::fragments::{Meter, TooManyFragments};
use super::line::Line;
use crate::close::CloseReason;
use crate::config::ClientLimits;
use crate::publication::Frame;

/// Read at once from the socket; small, because every idle connection holds it.
const READ_BUFFER: usize = 512;
/// For the library's own frames: pongs and a Close.
const WRITE_BUFFER: usize = 1024;
/// How long a peer may take to answer a Close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Socket<S> {
    stream: WebSocketStream<Line<S>>,
    /// A frame that waits for the library to have written its own.
    next: Option<Frame>,
}

/// What happened on the socket.
#[derive(Debug)]
pub(super) enum Event {
    /// The frame has been written: there is room for another.
    Written,
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

/// The line is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineLost;

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// `early`: what the peer sent right behind its handshake.
    pub(super) async fn new(stream: S, early: Vec<u8>, limits: &ClientLimits) -> Self {
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = READ_BUFFER;
        config.write_buffer_size = 0;
        config.max_write_buffer_size = WRITE_BUFFER;
        config.max_message_size = Some(limits.max_message_bytes);
        config.max_frame_size = Some(limits.max_message_bytes);
        let line = Line::new(stream, early, Meter::new(limits.max_message_fragments));
        Self { stream: WebSocketStream::from_raw_socket(line, Role::Server, Some(config)).await, next: None }
    }

    /// Writes a finished frame, past the library's buffer, which would copy it and never shrink. If the line doesn't take
    /// all of it at once (`Pending`), [`Event::Written`] follows; until then no other may begin.
    pub(super) fn begin(&mut self, frame: Frame) -> Poll<Result<(), LineLost>> {
        self.next = Some(frame);
        // Nobody needs waking: `event` is polled next, and registers.
        self.poll_write(&mut Context::from_waker(Waker::noop()))
    }

    fn is_writing(&self) -> bool {
        self.next.is_some() || self.stream.get_ref().is_writing()
    }

    /// The next thing that happens. Reads also while a write is stuck: what a peer says decides what becomes of it.
    /// Safe to drop and call again.
    pub(super) async fn event(&mut self) -> Event {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.is_writing() {
            match self.poll_write(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Event::Written),
                Poll::Ready(Err(LineLost)) => return Poll::Ready(Event::Lost),
                Poll::Pending => {}
            }
        }
        self.stream.poll_next_unpin(cx).map(|message| match message {
            Some(Ok(Message::Text(text))) => Event::Text(text),
            Some(Ok(Message::Binary(_))) => Event::Binary,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Event::Control,
            Some(Ok(Message::Close(_))) => Event::Close,
            Some(Err(error)) => event_of(&error),
            None => Event::Lost,
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LineLost>> {
        if self.next.is_some() {
            // The library's buffer first: it may hold the beginning of a pong.
            match self.stream.poll_flush_unpin(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(LineLost)),
                Poll::Pending => return Poll::Pending,
            }
            if let Some(frame) = self.next.take() {
                self.stream.get_mut().begin(frame);
            }
        }
        self.stream.get_mut().poll_ours(cx).map_err(|_| LineLost)
    }

    /// Says why, waits a moment for the peer's Close so that it sees the code, and ends the line. A frame that is half
    /// written goes out first.
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
            let line = self.stream.get_mut();
            line.write_all(&close_frame(reason)).await?;
            line.shutdown().await?;
            // Closing with unread bytes would reset the line before the peer has read the code.
            let mut sink = [0; 1024];
            loop {
                match line.read(&mut sink).await {
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

fn close_frame(reason: CloseReason) -> Vec<u8> {
    let text = reason.text().as_bytes();
    let mut frame = vec![0x88, u8::try_from(text.len() + 2).unwrap_or(2)];
    frame.extend(reason.code().to_be_bytes());
    frame.extend(text);
    frame
}
