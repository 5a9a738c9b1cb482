//! One WebSocket as its actor uses it: messages in, finished frames out, both at once, and an orderly end.
//!
//! What the WebSocket library itself has to say (pongs, the answer to a Close) goes into the mailbox like everything else.
//! Must not know what the messages mean.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::reader::Reader;
use crate::config::ClientLimits;
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::model::{CloseReason, Wording};
use crate::publication::frame;
use crate::session::life::Ending;
use crate::session::words::second::closing;

pub(in crate::transport) use super::reader::Event;

/// How long a peer may take to take what is left for it, and to answer a Close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The same for who has to go for another's sake: such come by the thousand, and each holds a connection until then.
const SHORT_CLOSE_TIMEOUT: Duration = Duration::from_millis(200);
/// What a peer that has been told to go may still say: it may be on its way. Beyond it the line ends at once.
const LAST_BYTES: usize = 1024 * 1024;
/// The least that a frame of a peer's takes.
const FRAME_HEADER: usize = 6;

pub(in crate::transport) struct Socket<S> {
    stream: S,
    mailbox: Arc<Mailbox>,
    reader: Reader,
    /// The message that is being written, and how much of it has been.
    writing: Option<(Outgoing, usize)>,
}

/// The line is gone.
#[derive(Clone, Copy, Debug)]
pub(in crate::transport) struct LineLost;

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// `early`: what the peer sent right behind its handshake.
    pub(in crate::transport) fn new(stream: S, early: Vec<u8>, mailbox: Arc<Mailbox>, limits: &ClientLimits) -> Self {
        Self::resume(stream, Reader::new(early, limits), mailbox)
    }

    /// Of a stream that has been read already: what has come of it lies in `reader`.
    pub(in crate::transport) fn resume(stream: S, reader: Reader, mailbox: Arc<Mailbox>) -> Self {
        Self { stream, mailbox, reader, writing: None }
    }

    /// Writes a message of the mailbox, from the byte `from` on. If the line doesn't take all of it at once (`Pending`),
    /// [`Event::Written`] follows; until then no other may begin.
    pub(in crate::transport) fn begin(&mut self, message: Outgoing, from: usize) -> Poll<Result<Outgoing, LineLost>> {
        self.writing = Some((message, from));
        // Nobody needs waking: `poll_event` comes next, and registers.
        self.poll_write(&mut Context::from_waker(Waker::noop()))
    }

    pub(in crate::transport) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// The next thing that happens. Reads also while a write is stuck: what a peer says decides what becomes of it.
    pub(in crate::transport) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.is_writing() {
            match self.poll_write(cx) {
                Poll::Ready(Ok(message)) => return Poll::Ready(Event::Written(message)),
                Poll::Ready(Err(LineLost)) => return Poll::Ready(Event::Lost),
                Poll::Pending => {}
            }
        }
        let mailbox = &self.mailbox;
        self.reader.poll_event(&mut self.stream, cx, &mut |frames| {
            // A full mailbox is noticed when it is read.
            let _ = mailbox.push_control(Bytes::copy_from_slice(frames));
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<Outgoing, LineLost>> {
        while let Some((message, written)) = &mut self.writing {
            let left = self.mailbox.bytes_of_outgoing(message).get(*written..).unwrap_or_default();
            if left.is_empty() {
                break;
            }
            match ready!(Pin::new(&mut self.stream).poll_write(cx, left)) {
                Ok(more) if more > 0 => *written += more,
                Ok(_) | Err(_) => return Poll::Ready(Err(LineLost)),
            }
        }
        Poll::Ready(self.writing.take().map(|(message, _)| message).ok_or(LineLost))
    }

    /// Ends the line as the connection ends.
    pub(in crate::transport) async fn end(self, ending: Ending) {
        match ending {
            Ending::Close(reason) => self.close(reason).await,
            Ending::Breach(reason) => self.close_after_breach(reason).await,
            Ending::ByPeer => self.finish().await,
            Ending::Lost => {}
        }
    }

    /// Says why, waits a moment for the peer's Close so that it sees the code, and ends the line. What waits goes out first
    /// where it is the node that leaves: who is ended for what it is or does gets nothing more than what is half out.
    pub(in crate::transport) async fn close(mut self, reason: CloseReason) {
        self.mailbox.close(reason == CloseReason::GoingAway);
        let last = self.last_frames(reason);
        let farewell = async {
            self.empty_mailbox().await?;
            self.stream.write_all(&last).await?;
            let Self { stream, reader, .. } = &mut self;
            let mut said = 0;
            while said < LAST_BYTES {
                said += FRAME_HEADER;
                match poll_fn(|cx| reader.poll_event(stream, cx, &mut |_| {})).await {
                    Event::Close | Event::Breach(_) | Event::Lost => break,
                    Event::Text(text) => said += text.len(),
                    Event::Binary(bytes) => said += bytes.len(),
                    Event::Written(_) | Event::Ping | Event::Pong => {}
                }
            }
            Ok(())
        };
        let patience = match reason {
            CloseReason::TooManyUnauthenticated => SHORT_CLOSE_TIMEOUT,
            _ => CLOSE_TIMEOUT,
        };
        // A peer that does not answer, or answers with rubbish, is left behind.
        let _: Result<io::Result<()>, _> = timeout(patience, farewell).await;
        self.shut_down().await;
    }

    /// As [`Self::close`] after a breach: what the peer sends no longer means anything.
    pub(in crate::transport) async fn close_after_breach(mut self, reason: CloseReason) {
        self.mailbox.close(false);
        let last = self.last_frames(reason);
        let farewell = async {
            self.empty_mailbox().await?;
            self.stream.write_all(&last).await?;
            self.stream.shutdown().await?;
            // Closing with unread bytes would reset the line before the peer has read the code.
            let mut sink = [0; 1024];
            let mut left = LAST_BYTES;
            while left > 0 {
                match self.stream.read(&mut sink).await? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
            Ok(())
        };
        let _: Result<io::Result<()>, _> = timeout(CLOSE_TIMEOUT, farewell).await;
    }

    /// After the peer's Close: what waits goes out, and behind it the answer; then the line ends.
    pub(in crate::transport) async fn finish(mut self) {
        self.mailbox.close(true);
        let _ = timeout(CLOSE_TIMEOUT, self.empty_mailbox()).await;
        self.shut_down().await;
    }

    /// The close, and what is said before it in the second version.
    fn last_frames(&self, reason: CloseReason) -> Vec<u8> {
        match self.mailbox.wording() {
            Wording::First => close_frame(reason),
            Wording::Second => [frame::text(&closing(reason)).as_ref(), &close_frame(reason)].concat(),
        }
    }

    /// Writes what is half out, and what waits.
    async fn empty_mailbox(&mut self) -> io::Result<()> {
        loop {
            if self.is_writing() {
                poll_fn(|cx| self.poll_write(cx)).await.map_err(|LineLost| io::ErrorKind::BrokenPipe)?;
            }
            match poll_fn(|cx| self.mailbox.poll_last(cx)).await {
                Some(Next::Message(message, written)) => self.writing = Some((message, written)),
                Some(Next::Overflowed | Next::Dismissed(_)) | None => return Ok(()),
            }
        }
    }

    async fn shut_down(mut self) {
        let _ = timeout(CLOSE_TIMEOUT, self.stream.shutdown()).await;
    }
}

fn close_frame(reason: CloseReason) -> Vec<u8> {
    let text = reason.text().as_bytes();
    let mut frame = vec![0x88, u8::try_from(text.len() + 2).unwrap_or(2)];
    frame.extend(reason.code().to_be_bytes());
    frame.extend(text);
    frame
}
