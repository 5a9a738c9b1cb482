//! A connection's stream as hyper has it: it tells its pace when a request begins to come in, and ends what need not go on.
//!
//! hyper can either drop a call whose caller has closed, or not see that a caller is gone: a call is carried out to its end, an
//! answer that waits is not. Must not know requests.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::pace::{Pace, Phase};

#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
    /// What is read before anything that the stream has.
    early: Bytes,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Arc<Pace>) -> Self {
        Self { stream, pace, early: Bytes::new() }
    }

    /// `early` is read before anything else, also before what was to be read first until now.
    pub(super) fn behind(self, early: Bytes) -> Self {
        let early = if self.early.is_empty() { early } else { [early, self.early].concat().into() };
        Self { early, ..self }
    }

    /// The stream, and what is still to be read before what that has.
    pub(super) fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.early)
    }
}

impl Paced<TcpStream> {
    /// Returns when the peer has closed, or the line is gone.
    pub(super) async fn hung_up(&self) {
        poll_fn(|cx| match self.poll_peer(cx) {
            Err(_) => Poll::Ready(()),
            Ok(()) => Poll::Pending,
        })
        .await;
    }

    /// The same, as it is at this moment: past tokio, which hears of it later.
    fn has_hung_up(&self) -> bool {
        match recv(&self.stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, read)) => read == 0,
            Err(error) => io::Error::from(error).kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Fails if the peer has closed. What it has sent stays where it is.
    fn poll_peer(&self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut first = [0];
        match self.stream.poll_peek(cx, &mut ReadBuf::new(&mut first)) {
            Poll::Ready(Ok(0)) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(_)) | Poll::Pending => Ok(()),
        }
    }

    /// Fails if an answer goes on and its peer has closed: hyper reads nothing meanwhile.
    fn check_stream(&self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.pace.moment().phase() == Phase::Stream { self.poll_peer(cx) } else { Ok(()) }
    }

    /// Fails if nobody waits any more for what is about to be written: it would count as read otherwise.
    fn check_given(&self) -> io::Result<()> {
        if self.pace.moment().phase() == Phase::Given {
            if self.has_hung_up() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            self.pace.on_stream_end();
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.early.is_empty() {
            let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) else {
                self.pace.on_waiting();
                return Poll::Pending;
            };
            read?;
        } else {
            let early = self.early.len().min(buf.remaining());
            buf.put_slice(&self.early[..early]);
            self.early.advance(early);
        }
        let bytes = buf.filled().len() - before;
        Poll::Ready(if bytes > 0 { self.pace.on_bytes(bytes) } else { Ok(()) })
    }
}

impl AsyncWrite for Paced<TcpStream> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check_stream(cx)?;
        self.check_given()?;
        match Pin::new(&mut self.stream).poll_write(cx, buf) {
            // Nobody reads the answers any more. The calls that came behind are carried out all the same; then there is
            // nothing more to read either.
            Poll::Ready(Err(_)) if self.pace.moment().phase() != Phase::Stream => Poll::Ready(Ok(buf.len())),
            written => written,
        }
    }

    // Called whenever the connection is looked at and has nothing more to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.pace.moment().phase() {
            // All that was to be written before is: hyper ends here.
            Phase::Held => return Poll::Ready(Err(io::ErrorKind::Other.into())),
            Phase::Client | Phase::Stream => self.poll_peer(cx)?,
            _ => {}
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
