//! An open loop of notices: each is sent when it is due, whether the ones before it are answered or not.
//!
//! Hand-written HTTP/1.1 on kept-alive connections, because the load shares the machine with what it measures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::swarm::frame::number_behind;

/// One call of the hook.
#[derive(Clone, Copy, Debug)]
pub struct Notice {
    pub due: Instant,
    pub sent: Instant,
    pub answered: Instant,
    pub status: u16,
    /// The `seq` of the answer: the read that answers this call. Zero if there is none.
    pub seq: u64,
}

/// A kept-alive connection to the hook.
pub struct Line {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Line {
    pub async fn open(port: u16, negocio: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server accepts");
        stream.set_nodelay(true).expect("a TCP socket");
        let body = format!(r#"{{"negocio_id":"{negocio}","action":"updated"}}"#);
        let request = format!(
            "POST /notify/cita HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { stream, request: request.into_bytes(), buffer: Vec::with_capacity(1024) }
    }

    /// Calls the hook and waits for the answer.
    pub async fn notify(&mut self, due: Instant) -> Notice {
        let sent = Instant::now();
        self.stream.write_all(&self.request).await.expect("the server reads");
        self.buffer.clear();
        let (status, seq) = loop {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("the server answers");
            assert!(read > 0, "the server closed a connection under load");
            if let Some(answer) = parse(&self.buffer) {
                break answer;
            }
        };
        Notice { due, sent, answered: Instant::now(), status, seq }
    }
}

/// Sends `rate` notices a second for `seconds` over `connections`, in steps of the timer's millisecond.
pub async fn fire(port: u16, negocio: &str, rate: u32, seconds: u32, connections: usize) -> Vec<Notice> {
    let total = u64::from(rate) * u64::from(seconds);
    let mut lines = Vec::with_capacity(connections);
    for _ in 0..connections {
        lines.push(Line::open(port, negocio).await);
    }
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now() + Duration::from_millis(50);
    let mut tasks = JoinSet::new();
    for mut line in lines {
        let next = Arc::clone(&next);
        tasks.spawn(async move {
            let mut notices = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    return notices;
                }
                let due = start + Duration::from_secs_f64(number as f64 / f64::from(rate));
                sleep_until(due.into()).await;
                notices.push(line.notify(due).await);
            }
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// Status and `seq` once the answer is whole.
fn parse(answer: &[u8]) -> Option<(u16, u64)> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    (body.len() >= length).then_some(())?;
    Some((head.split(' ').nth(1)?.parse().ok()?, number_behind(b"\"seq\":", body.as_bytes(), &mut 0).unwrap_or(0)))
}
