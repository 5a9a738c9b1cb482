//! The stream beneath the WebSocket library: counts what comes in, and keeps two writers apart.
//!
//! Finished frames are ours, shared by all subscribers and written from where they lie; pongs and Closes are the
//! library's. Neither may begin in the middle of the other's frame.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::fragments::Meter;
use crate::publication::Frame;

#[derive(Debug)]
pub(super) struct Line<S> {
    stream: S,
    /// What came before the stream was handed over, until it has been read.
    early: Vec<u8>,
    meter: Meter,
    /// Our frame that is being written, and how much of it has been.
    ours: Option<(Frame, usize)>,
}

impl<S: AsyncWrite + Unpin> Line<S> {
    pub(super) fn new(stream: S, early: Vec<u8>, meter: Meter) -> Self {
        Self { stream, early, meter, ours: None }
    }

    /// Puts a frame of ours on its way. The library's buffer must be empty, and no frame of ours under way.
    pub(super) fn begin(&mut self, frame: Frame) {
        self.ours = Some((frame, 0));
    }

    pub(super) fn is_writing(&self) -> bool {
        self.ours.is_some()
    }

    /// Writes what is left of our frame.
    pub(super) fn poll_ours(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((frame, written)) = &mut self.ours {
            let left = &frame.bytes()[*written..];
            let more = ready!(Pin::new(&mut self.stream).poll_write(cx, left))?;
            if more == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *written += more;
            if *written == frame.bytes().len() {
                self.ours = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.early.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        } else {
            let some = self.early.len().min(buf.remaining());
            buf.put_slice(&self.early[..some]);
            self.early.drain(..some);
            self.early.shrink_to_fit();
        }
        self.meter.pass(&buf.filled()[before..]).map_err(io::Error::other)?;
        Poll::Ready(Ok(()))
    }
}

/// The library's writes.
impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_ours(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_ours(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_ours(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
