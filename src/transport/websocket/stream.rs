//! A TCP stream of which the sending half is shared with whoever publishes.
//!
//! Must not know what it carries.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::hub::mailbox::Mailbox;
use crate::hub::outlet::Outlet;

/// The socket of a mailbox's [`Outlet`], as its client's task uses it. The mailbox says which of
/// the two may send.
#[derive(Debug)]
pub struct Transport(Arc<Mailbox>);

impl Transport {
    pub(in crate::transport) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self(mailbox)
    }

    fn stream(&self) -> io::Result<&TcpStream> {
        self.0.outlet().map(Outlet::stream).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.stream()?;
        loop {
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_read_buf(buf) {
                // It only seemed ready, and has been noted as not being so.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.stream()?;
        loop {
            ready!(stream.poll_write_ready(cx))?;
            match stream.try_write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(shutdown(self.stream()?, Shutdown::Write).map_err(io::Error::from))
    }
}
