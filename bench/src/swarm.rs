//! Ten thousand clients in one thread: an epoll loop of its own that reads into one buffer and checks every message.
//!
//! Cheap on purpose, for it shares two cores with what it measures. Must not know whom it talks to.

mod connection;
pub mod frame;
mod messages;
mod polling;
pub mod seat;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::Timespec;

use self::connection::{Connection, Stage};
pub use self::seat::{Framing, Manner, Script, Seat};

/// Anything that takes longer than this has failed.
pub const LIMIT: Duration = Duration::from_mins(1);
/// A client that was refused tries again after this.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const READ_BUFFER: usize = 64 * 1024;
const EVENTS: usize = 512;

/// What all connections together have seen.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Connections that have their first figures.
    pub served: usize,
    /// Messages that came to served clients.
    pub delivered: u64,
    /// Numbers that did not grow: a message twice, or out of order.
    pub disordered: u64,
    /// Handshakes that were refused or broke off, and tried again.
    pub refused: u64,
    /// Connections that ended after they were served.
    pub lost: u64,
    /// Messages that say `error`.
    pub errors: u64,
    /// Least and greatest length of a message, its head included.
    pub lengths: Option<(usize, usize)>,
}

/// What came since [`Swarm::mark`].
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// From the mark to each receipt, in microseconds, in order of arrival.
    pub receipts: Vec<u32>,
    /// Least and greatest number among them.
    pub numbers: Option<(u64, u64)>,
}

/// Clients, connected until this is dropped.
#[derive(Debug)]
pub struct Swarm {
    port: u16,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    waiting: VecDeque<usize>,
    again: VecDeque<(Instant, usize)>,
    under_way: usize,
    pub counts: Counts,
    pub round: Round,
    marked: Instant,
    buffer: Vec<u8>,
    /// Where the last message's number stood.
    place: usize,
}

impl Swarm {
    pub fn new(port: u16, seats: impl IntoIterator<Item = Seat>) -> Self {
        let connections: Vec<Connection> = seats.into_iter().map(Connection::new).collect();
        Self {
            port,
            epoll: epoll::create(CreateFlags::CLOEXEC).expect("an epoll instance"),
            waiting: (0..connections.len()).collect(),
            connections,
            again: VecDeque::new(),
            under_way: 0,
            counts: Counts::default(),
            round: Round::default(),
            marked: Instant::now(),
            buffer: vec![0; READ_BUFFER],
            place: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Connects all that are not, at most `at_once` on their way at any moment; returns when all are served.
    pub fn connect(&mut self, at_once: usize) {
        self.connect_some(self.connections.len(), at_once);
    }

    /// As [`Self::connect`], until `count` in all are served.
    pub fn connect_some(&mut self, count: usize, at_once: usize) {
        let until = Instant::now() + LIMIT;
        while self.counts.served < count {
            assert!(Instant::now() < until, "{} of {count} clients are served: {:?}", self.counts.served, self.counts);
            while self.again.front().is_some_and(|(at, _)| *at <= Instant::now()) {
                self.waiting.extend(self.again.pop_front().map(|(_, index)| index));
            }
            while self.under_way < at_once && self.under_way + self.counts.served < count {
                let Some(index) = self.waiting.pop_front() else { break };
                self.open(index);
            }
            self.turn(Duration::from_millis(5));
        }
    }

    /// Reads until `is_done`; false if that takes longer than `limit`.
    pub fn drive(&mut self, limit: Duration, mut is_done: impl FnMut(&Self) -> bool) -> bool {
        let until = Instant::now() + limit;
        while !is_done(self) {
            let now = Instant::now();
            if now >= until {
                return false;
            }
            self.turn((until - now).min(Duration::from_millis(20)));
        }
        true
    }

    /// Reads for a while, whatever comes.
    pub fn idle(&mut self, time: Duration) {
        self.drive(time, |_| false);
    }

    /// What comes from now on is a new round, timed from now.
    pub fn mark(&mut self) -> Instant {
        self.round.receipts.clear();
        self.round.numbers = None;
        self.marked = Instant::now();
        self.marked
    }

    /// The newest number that each connection has, with its channel.
    pub fn newest(&self) -> impl Iterator<Item = (u32, u64)> {
        self.connections.iter().map(|connection| (connection.seat.channel, connection.newest))
    }

    /// Keeps from now on what each connection gets.
    pub fn keep(&mut self) {
        self.connections.iter_mut().for_each(|connection| connection.keeps = true);
    }

    /// The last message of each connection that was kept, with its channel.
    pub fn last_messages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.connections.iter().map(|connection| (connection.seat.channel, &connection.last[..]))
    }

    /// Number and time of all that each connection has kept.
    pub fn arrivals(&self) -> impl Iterator<Item = &[(u64, Instant)]> {
        self.connections.iter().map(|connection| &connection.arrivals[..])
    }

    /// Ends `count` connections, the last ones.
    pub fn leave(&mut self, count: usize) {
        self.connections.truncate(self.connections.len() - count);
        self.counts.served = self.connections.len();
    }

    /// Cuts every line from this side, so that all connect again.
    pub fn hang_up(&mut self) {
        for connection in &mut self.connections {
            connection.hang_up();
        }
        self.again.clear();
        self.waiting = (0..self.connections.len()).collect();
        self.counts.served = 0;
        self.under_way = 0;
    }

    fn open(&mut self, index: usize) {
        self.under_way += 1;
        let connection = &mut self.connections[index];
        match connection.open(self.port) {
            Ok(is_sent) => {
                let events = if is_sent { EventFlags::IN } else { EventFlags::IN | EventFlags::OUT };
                let stream = connection.stream.as_ref().expect("an open connection");
                epoll::add(&self.epoll, stream, EventData::new_u64(index as u64), events).expect("room in epoll");
            }
            Err(_) => self.on_end(index),
        }
    }

    /// Waits at most `patience` for something and deals with it.
    fn turn(&mut self, patience: Duration) {
        let mut events: [Event; EVENTS] = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; EVENTS];
        let patience = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
        let count = match epoll::wait(&self.epoll, &mut events, Some(&patience)) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => panic!("epoll: {error}"),
        };
        for event in &events[..count] {
            let index = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            self.on_event(index, event.flags);
        }
    }

    fn on_event(&mut self, index: usize, flags: EventFlags) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.stage == Stage::Connecting && flags.contains(EventFlags::OUT) {
            let stream = connection.stream.as_ref().expect("a connection under way");
            let data = EventData::new_u64(index as u64);
            epoll::modify(&self.epoll, stream, data, EventFlags::IN).expect("a known descriptor");
            if connection.say_hello().is_err() {
                return self.on_end(index);
            }
        }
        let Some(mut stream) = connection.stream.as_ref() else { return };
        match stream.read(&mut self.buffer) {
            Ok(0) => self.on_end(index),
            Ok(count) => self.on_bytes(index, count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.on_end(index),
        }
    }

    fn on_end(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if connection.stage == Stage::Served {
            self.counts.served -= 1;
            self.counts.lost += 1;
            self.waiting.push_back(index);
        } else {
            self.under_way -= 1;
            self.counts.refused += 1;
            self.again.push_back((Instant::now() + AGAIN_AFTER, index));
        }
        connection.hang_up();
    }
}
