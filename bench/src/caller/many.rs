//! Many callers in one thread, each with its next call as soon as the last one is answered: a closed loop.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::Timespec;

use super::{Answer, connect, parse};
use crate::swarm::LIMIT;

/// What many callers have done.
#[derive(Debug, Default)]
pub struct Calls {
    /// Microseconds from each call to its answer.
    pub took: Vec<u32>,
    pub refused: u64,
    /// The greatest `seq` that an answer of each channel said.
    pub newest: Vec<u64>,
}

/// `callers` at once, each with the next request as soon as it is answered. `request` makes the one of a number, for the
/// channel that the number falls on when the `channels` are taken in turn.
pub fn close_the_loop(
    port: u16,
    callers: usize,
    channels: usize,
    time: Duration,
    request: impl Fn(u64) -> Vec<u8>,
) -> Calls {
    let epoll = epoll::create(CreateFlags::CLOEXEC).expect("an epoll instance");
    let mut calls = Calls { newest: vec![0; channels], ..Calls::default() };
    let mut numbers = 0..;
    let mut next = |line: &mut Line| {
        let number = numbers.next().unwrap_or(0);
        line.channel = usize::try_from(number).unwrap_or(0) % channels;
        line.request = request(number);
        line.call();
    };
    let mut lines: Vec<Line> = (0..callers).map(|_| Line::open(port)).collect();
    let until = Instant::now() + time;
    for (index, line) in lines.iter_mut().enumerate() {
        line.register(&epoll, index);
        next(line);
    }
    let mut under_way = callers;
    let mut events = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 64];
    let patience = Timespec { tv_sec: 1, tv_nsec: 0 };
    while under_way > 0 {
        assert!(until.elapsed() < LIMIT, "{under_way} calls of the hook have no answer");
        let Ok(count) = epoll::wait(&epoll, &mut events, Some(&patience)) else { continue };
        for event in &events[..count] {
            let index = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            let line = &mut lines[index];
            match line.read() {
                Ok(Some(answer)) => {
                    let took = answer.at - line.sent;
                    calls.took.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
                    calls.refused += u64::from(!(200..300).contains(&answer.status));
                    calls.newest[line.channel] = calls.newest[line.channel].max(answer.seq.unwrap_or(0));
                    if answer.at < until {
                        next(line);
                    } else {
                        under_way -= 1;
                    }
                }
                Ok(None) => {}
                // Some servers give a connection only so many requests.
                Err(_) => {
                    line.reopen(port);
                    line.register(&epoll, index);
                    line.stream.write_all(&line.request).expect("the server reads its hook");
                }
            }
        }
    }
    calls
}

/// One caller of many.
struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
    request: Vec<u8>,
    sent: Instant,
    channel: usize,
}

impl Line {
    fn open(port: u16) -> Self {
        Self { stream: connect(port), buffer: Vec::new(), request: Vec::new(), sent: Instant::now(), channel: 0 }
    }

    fn reopen(&mut self, port: u16) {
        self.stream = connect(port);
        self.buffer.clear();
    }

    fn register(&self, epoll: impl std::os::fd::AsFd, index: usize) {
        self.stream.set_nonblocking(true).expect("a socket");
        epoll::add(epoll, &self.stream, EventData::new_u64(index as u64), EventFlags::IN).expect("room in epoll");
    }

    fn call(&mut self) {
        self.sent = Instant::now();
        self.stream.write_all(&self.request).expect("the server reads its hook");
    }

    /// The answer once it is whole.
    fn read(&mut self) -> io::Result<Option<Answer>> {
        let mut part = [0; 2048];
        match self.stream.read(&mut part) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.buffer.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let Some((answer, length)) = parse(&self.buffer) else { return Ok(None) };
        self.buffer.drain(..length);
        Ok(Some(answer))
    }
}
