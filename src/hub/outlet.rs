//! A client's socket as whoever publishes uses it: it takes what it takes at once, and nobody waits for it.
//!
//! Knows bytes and nothing else. When it may be used at all is the mailbox's to say.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{SendFlags, send};
use tokio::net::TcpStream;

/// A connection that is read by its client's task and written to by whoever has the turn.
#[derive(Debug)]
pub struct Outlet(TcpStream);

impl Outlet {
    pub fn new(stream: TcpStream) -> Self {
        Self(stream)
    }

    /// How many bytes were taken. A line that is gone takes none: its client's task finds out when it tries itself.
    /// Past tokio, whose idea of whether the socket is ready is the task's alone.
    pub fn try_send(&self, bytes: &[u8]) -> usize {
        send(&self.0, bytes, SendFlags::DONTWAIT).unwrap_or(0)
    }

    /// For the client's task.
    pub fn stream(&self) -> &TcpStream {
        &self.0
    }
}

impl AsFd for Outlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
