//! Who calls the hook and is told when; and many who call one after the other as fast as they are answered.
//!
//! Hand-written HTTP/1.1 on kept connections, because the load shares the machine with what it measures.

mod many;

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

pub use self::many::{Calls, close_the_loop};
use crate::swarm::LIMIT;
use crate::swarm::frame::number_behind;

/// What a call was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub at: Instant,
    pub status: u16,
    /// Of the read that answers this call, where the answer says one.
    pub seq: Option<u64>,
}

/// One kept connection. A thread of its own waits for answers, so that nothing else delays their time.
#[derive(Debug)]
pub struct Caller {
    stream: TcpStream,
    answers: Receiver<io::Result<Answer>>,
}

impl Caller {
    pub fn open(port: u16) -> Self {
        let stream = connect(port);
        let mut reader = stream.try_clone().expect("a second handle");
        let (sender, answers) = channel();
        thread::spawn(move || {
            loop {
                let answer = read_answer(&mut reader);
                let is_over = answer.is_err();
                if sender.send(answer).is_err() || is_over {
                    return;
                }
            }
        });
        Self { stream, answers }
    }

    pub fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).expect("the server reads its hook");
    }

    pub fn answer(&self) -> Answer {
        self.answers.recv_timeout(LIMIT).expect("an answer in time").expect("the server answers its hook")
    }
}

impl Caller {
    /// Calls and waits for the answer's status; `None` if the server has gone.
    pub fn try_call(&mut self, request: &[u8]) -> Option<u16> {
        self.stream.write_all(request).ok()?;
        let answer = self.answers.recv_timeout(LIMIT).expect("an answer in time, or an end");
        answer.ok().map(|answer| answer.status)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // Ends the thread that reads.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts");
    stream.set_nodelay(true).expect("a TCP socket");
    stream
}

fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut buffer = Vec::new();
    let mut part = [0; 2048];
    loop {
        match stream.read(&mut part)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => buffer.extend_from_slice(&part[..count]),
        }
        if let Some((answer, _)) = parse(&buffer) {
            return Ok(answer);
        }
    }
}

/// An answer and its length once it is whole.
fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let at = Instant::now();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let body = &bytes[end + 4..];
    let length = match header("content-length") {
        Some(length) => length.parse::<usize>().ok()?,
        None if header("transfer-encoding").is_some() => body.windows(5).position(|last| last == b"0\r\n\r\n")? + 5,
        None => 0,
    };
    let body = body.get(..length)?;
    let seq = number_behind(b"\"seq\":", body, &mut 0);
    Some((Answer { at, status, seq }, end + 4 + length))
}
