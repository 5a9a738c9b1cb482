//! The stream beneath the library's WebSocket: counts what comes in, does not wait for ever for a peer that does not
//! read, and ends when its session is ended.
//!
//! The library's own tasks wait without a limit for a stuck stream; here is the only place that can make them stop.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::Session;
use crate::client::fragments::Meter;
use crate::close::CloseReason;
use crate::config::ClientLimits;

pub(super) struct Line<S, H> {
    stream: S,
    /// What came before the stream was handed over, until it has been read.
    early: Vec<u8>,
    meter: Meter,
    session: Arc<Session>,
    write_timeout: Duration,
    /// Runs while the peer does not take what is written.
    stuck: Option<Pin<Box<Sleep>>>,
    _held: H,
}

impl<S, H> Line<S, H> {
    pub(super) fn new(stream: S, early: Vec<u8>, session: Arc<Session>, held: H, limits: &ClientLimits) -> Self {
        let meter = Meter::new(limits.max_message_fragments);
        Self { stream, early, meter, session, write_timeout: limits.write_timeout, stuck: None, _held: held }
    }

    fn count(&mut self, bytes: &[u8]) -> io::Result<()> {
        let before = self.meter.begun();
        if let Err(error) = self.meter.pass(bytes) {
            self.session.set_why(CloseReason::TooManyFragments);
            return Err(io::Error::other(error));
        }
        if self.session.may_say(self.meter.begun().wrapping_sub(before)) {
            Ok(())
        } else {
            Err(io::Error::other(CloseReason::TooManyMessages.text()))
        }
    }
}

impl<S: AsyncRead + Unpin, H: Unpin> AsyncRead for Line<S, H> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = &mut *self;
        if !line.session.is_readable(cx.waker()) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buf.filled().len();
        if line.early.is_empty() {
            match Pin::new(&mut line.stream).poll_read(cx, buf) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
        } else {
            let some = line.early.len().min(buf.remaining());
            buf.put_slice(&line.early[..some]);
            line.early.drain(..some);
            line.early.shrink_to_fit();
        }
        Poll::Ready(line.count(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin, H: Unpin> AsyncWrite for Line<S, H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let line = &mut *self;
        if !line.session.is_writable(cx.waker()) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = Pin::new(&mut line.stream).poll_write(cx, buf);
        if written.is_ready() {
            line.stuck = None;
            return written;
        }
        let stuck = line.stuck.get_or_insert_with(|| Box::pin(sleep(line.write_timeout)));
        stuck.as_mut().poll(cx).map(|()| {
            line.session.cut();
            Err(io::ErrorKind::TimedOut.into())
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S, H> Drop for Line<S, H> {
    fn drop(&mut self) {
        self.session.on_line_gone();
    }
}
