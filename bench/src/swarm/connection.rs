//! One client's socket, and how far its talk has come. Must not know the other clients.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Instant;

use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use super::polling::Polls;
use super::seat::{Framing, Manner, Seat};

/// A stalled client's receive buffer and segment: its peer's buffer, which grows with the segment, is soon full too.
const NARROW_BYTES: usize = 2_048;
const NARROW_SEGMENT: u32 = 536;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Connecting,
    /// The request is sent.
    Greeted,
    /// Waits for this one of the script's answers.
    Talking(usize),
    Served,
}

#[derive(Debug)]
pub struct Connection {
    pub stream: Option<TcpStream>,
    pub seat: Seat,
    pub stage: Stage,
    /// The beginning of a message.
    pub rest: Vec<u8>,
    /// The greatest number so far.
    pub newest: u64,
    /// Whether what comes is kept: the last message, number and time of every one.
    pub keeps: bool,
    pub last: Vec<u8>,
    pub arrivals: Vec<(u64, Instant)>,
    /// What a client that polls says next.
    pub polls: Polls,
}

impl Connection {
    pub fn new(seat: Seat) -> Self {
        Self {
            stream: None,
            seat,
            stage: Stage::Connecting,
            rest: Vec::new(),
            newest: 0,
            keeps: false,
            last: Vec::new(),
            arrivals: Vec::new(),
            polls: Polls::default(),
        }
    }

    /// Begins to connect; true if the request is on its way already.
    pub fn open(&mut self, port: u16) -> io::Result<bool> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None)?;
        if self.seat.manner == Manner::Stalls {
            socket.set_recv_buffer_size(NARROW_BYTES)?;
            socket.set_tcp_mss(NARROW_SEGMENT)?;
        }
        match socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()) {
            Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => return Err(error),
            _ => {}
        }
        self.stream = Some(socket.into());
        // On the loopback it is connected by now, unless the server's backlog is full.
        match self.say_hello() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub fn say_hello(&mut self) -> io::Result<()> {
        let mut stream = self.stream.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        stream.write_all(&self.seat.hello)?;
        self.stage = Stage::Greeted;
        Ok(())
    }

    pub fn say_turn(&mut self, turn: usize) -> bool {
        let Some(said) = self.seat.says.get(turn).filter(|said| !said.is_empty()) else { return true };
        if self.seat.script.framing == Framing::Polling {
            self.polls.put(said);
            return true;
        }
        self.say(said)
    }

    /// False when the line is gone. What a client says is so short that it always fits.
    pub fn say(&self, frame: &[u8]) -> bool {
        self.stream.as_ref().is_some_and(|mut stream| stream.write_all(frame).is_ok())
    }

    pub fn keep(&mut self, text: &[u8], now: Instant) {
        if self.keeps {
            self.last.clear();
            self.last.extend_from_slice(text);
            self.arrivals.push((self.newest, now));
        }
    }

    pub fn hang_up(&mut self) {
        self.stream = None;
        self.stage = Stage::Connecting;
        self.rest = Vec::new();
        self.last = Vec::new();
        self.newest = 0;
        self.polls = Polls::default();
    }
}
