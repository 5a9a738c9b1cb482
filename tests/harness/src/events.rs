//! Server-sent events as a browser's `EventSource` reads them, without its reconnecting.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http::{self, Answer};
use crate::wait::LIMIT;

/// A stream that was granted.
#[derive(Debug)]
pub struct EventStream {
    /// The head of the answer.
    pub answer: Answer,
    stream: TcpStream,
    /// Bytes off the wire, still in chunks.
    raw: Vec<u8>,
    text: Vec<u8>,
    is_over: bool,
}

/// What stands between two empty lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub id: Option<String>,
    /// `message` where it has no name of its own.
    pub name: String,
    pub data: String,
    pub retry: Option<u64>,
    /// Comments, by which a line is kept alive.
    pub comments: usize,
}

impl Event {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }
}

impl EventStream {
    /// Connects; panics when refused.
    pub async fn open(port: u16, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::try_open(port, path, headers).await.unwrap_or_else(|refused| panic!("not granted: {refused:?}"))
    }

    pub async fn try_open(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Self, Answer> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server accepts");
        Self::over(stream, port, path, headers).await
    }

    /// The request over a stream of the test's own.
    pub async fn over(mut stream: TcpStream, port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Self, Answer> {
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: text/event-stream\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{request}\r\n").as_bytes()).await.expect("the server reads");
        let mut raw = Vec::new();
        let end = loop {
            if let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(read(&mut stream, &mut raw).await, "no answer: {:?}", String::from_utf8_lossy(&raw));
        };
        let mut rest = raw.split_off(end);
        let mut answer = http::parse(&raw).expect("an HTTP answer");
        if answer.status != 200 {
            let length = answer.header("content-length").map_or(0, |length| length.parse().expect("a length"));
            while rest.len() < length && read(&mut stream, &mut rest).await {}
            answer.body = String::from_utf8_lossy(&rest).into_owned();
            return Err(answer);
        }
        let mut granted = Self { answer, stream, raw: rest, text: Vec::new(), is_over: false };
        granted.unchunk();
        Ok(granted)
    }

    /// The next event that says something; `None` when the stream ends. A comment is a sign of life, and nothing to wait on for.
    pub async fn next(&mut self) -> Option<Event> {
        let next = async {
            loop {
                let event = self.next_block().await?;
                if !event.data.is_empty() {
                    return Some(event);
                }
            }
        };
        timeout(LIMIT, next).await.expect("an event in time")
    }

    /// The data of the next event, which must be a message.
    pub async fn message(&mut self) -> Value {
        let event = self.next().await.expect("the stream goes on");
        assert_eq!(event.name, "message", "{event:?}");
        event.json()
    }

    /// The next block, a lone comment included.
    pub async fn next_block(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..end + 2).collect();
                return Some(parse(&String::from_utf8(block).expect("UTF-8")));
            }
            if self.is_over {
                assert!(self.text.is_empty(), "half an event: {:?}", String::from_utf8_lossy(&self.text));
                return None;
            }
            self.is_over |= !read(&mut self.stream, &mut self.raw).await;
            self.unchunk();
        }
    }

    /// Reads on until the stream ends; the last event.
    pub async fn last(&mut self) -> Option<Event> {
        let mut last = None;
        while let Some(event) = self.next().await {
            last = Some(event);
        }
        last
    }

    /// Takes whole chunks off the wire.
    fn unchunk(&mut self) {
        while let Some(end) = self.raw.windows(2).position(|two| two == b"\r\n") {
            let length = std::str::from_utf8(&self.raw[..end]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
            let length = length.expect("the length of a chunk");
            if self.raw.len() < end + 2 + length + 2 {
                return;
            }
            self.text.extend_from_slice(&self.raw[end + 2..end + 2 + length]);
            self.raw.drain(..end + 2 + length + 2);
            self.is_over |= length == 0;
        }
    }
}

/// Whether there was more.
async fn read(stream: &mut TcpStream, into: &mut Vec<u8>) -> bool {
    let read = timeout(LIMIT, stream.read_buf(into)).await.expect("something in time");
    read.is_ok_and(|read| read > 0)
}

fn parse(block: &str) -> Event {
    let mut event = Event { name: "message".to_owned(), ..Event::default() };
    let mut data: Vec<&str> = Vec::new();
    for line in block.lines().filter(|line| !line.is_empty()) {
        match line.split_once(": ").unwrap_or((line, "")) {
            ("id", id) => event.id = Some(id.to_owned()),
            ("event", name) => name.clone_into(&mut event.name),
            ("data", text) => data.push(text),
            ("retry", wait) => event.retry = Some(wait.parse().expect("milliseconds")),
            (comment, _) if comment.starts_with(':') => event.comments += 1,
            other => panic!("not a field of an event: {other:?}"),
        }
    }
    event.data = data.join("\n");
    event
}
