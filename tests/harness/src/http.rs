//! One HTTP/1.1 exchange over a bare socket: what is sent is what the test says, to the byte.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::dashboard::Dashboard;
use crate::wait::LIMIT;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; panics with the body when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }
}

/// Sends `head` (request line and headers, without the empty line) and `body`, and reads until the server closes.
/// `Host`, `Connection: close` and, with a body, `Content-Length` are added where `head` has none.
pub async fn exchange(port: u16, head: &str, body: &str) -> Answer {
    raw(port, &request(port, head, body)).await
}

/// As [`exchange`], with a server that may die meanwhile: `None` without a whole answer.
pub async fn try_exchange(port: u16, head: &str, body: &str) -> Option<Answer> {
    let request = request(port, head, body);
    let talk = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        stream.write_all(&request).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        parse(&answer)
    };
    let answer = timeout(LIMIT, talk).await.expect("an answer or an end in time")?;
    let length: usize = answer.header("content-length")?.parse().ok()?;
    (answer.body.len() == length).then_some(answer)
}

fn request(port: u16, head: &str, body: &str) -> Vec<u8> {
    let mut request = head.trim_end().replace('\n', "\r\n").replace("\r\r\n", "\r\n");
    let lower = request.to_ascii_lowercase();
    for (name, value) in [("host", format!("127.0.0.1:{port}")), ("connection", "close".into())] {
        if !lower.contains(&format!("\r\n{name}:")) {
            request += &format!("\r\n{name}: {value}");
        }
    }
    if !body.is_empty() && !lower.contains("\r\ncontent-length:") && !lower.contains("\r\ntransfer-encoding:") {
        request += &format!("\r\ncontent-length: {}", body.len());
    }
    format!("{request}\r\n\r\n{body}").into_bytes()
}

/// Sends `bytes` as they are and reads the answer until the server closes.
pub async fn raw(port: u16, bytes: &[u8]) -> Answer {
    let talk = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server accepts");
        stream.write_all(bytes).await.expect("the server reads");
        let mut answer = Vec::new();
        // A reset after the answer is no concern of a test that has its answer.
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    let answer = timeout(LIMIT, talk).await.expect("an answer in time");
    parse(&answer).unwrap_or_else(|| panic!("not an HTTP answer: {:?}", String::from_utf8_lossy(&answer)))
}

/// A connection that is kept: several requests one after the other, or an upgrade.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    /// What came behind the last answer.
    early: Vec<u8>,
}

impl Line {
    pub async fn open(port: u16) -> Self {
        Self::try_open(port).await.expect("the server accepts")
    }

    /// `None` where nobody listens.
    pub async fn try_open(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        Some(Self { stream, early: Vec::new() })
    }

    /// Sends `bytes` as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// The next answer: a head and as much body as it announces (none to a HEAD, whatever it announces).
    pub async fn answer(&mut self) -> Answer {
        self.read(false).await
    }

    /// As [`Self::answer`], to a HEAD.
    pub async fn answer_to_head(&mut self) -> Answer {
        self.read(true).await
    }

    /// One request, as [`exchange`] makes it but for `Connection`, and its answer; `None` where the server has gone.
    pub async fn try_exchange(&mut self, head: &str, body: &str) -> Option<Answer> {
        let port = self.stream.peer_addr().ok()?.port();
        let request = request(port, &format!("{}\nconnection: keep-alive", head.trim_end()), body);
        self.stream.write_all(&request).await.ok()?;
        self.try_read(false).await
    }

    async fn read(&mut self, to_head: bool) -> Answer {
        let answer = self.try_read(to_head).await;
        answer.unwrap_or_else(|| panic!("the server hung up: {:?}", String::from_utf8_lossy(&self.early)))
    }

    async fn try_read(&mut self, to_head: bool) -> Option<Answer> {
        loop {
            if let Some(end) = self.early.windows(4).position(|four| four == b"\r\n\r\n") {
                let mut answer = parse(&self.early[..end + 4]).expect("an HTTP answer");
                let length = answer.header("content-length").map_or(0, |value| value.parse().expect("a length"));
                let length: usize = if to_head { 0 } else { length };
                if self.early.len() >= end + 4 + length {
                    let rest = self.early.split_off(end + 4 + length);
                    answer.body = String::from_utf8_lossy(&self.early[end + 4..]).into_owned();
                    self.early = rest;
                    return Some(answer);
                }
            }
            let read = timeout(LIMIT, self.stream.read_buf(&mut self.early)).await.expect("an answer in time");
            read.ok().filter(|read| *read > 0)?;
        }
    }

    /// The stream beneath, for what is no exchange of requests and answers.
    pub fn into_stream(self) -> TcpStream {
        assert!(self.early.is_empty(), "more came than an answer: {:?}", String::from_utf8_lossy(&self.early));
        self.stream
    }

    /// The WebSocket that an answer with 101 has made of this line.
    pub async fn into_dashboard(self) -> Dashboard {
        Dashboard::over(self.stream, self.early).await
    }
}

pub(crate) fn parse(answer: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Answer { status, headers, body: body.to_owned() })
}
