//! A Socket.IO client to the packet: what is sent is what the test says, and what comes is shown as it came.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::dashboard::Refused;
use crate::http::{Answer, exchange};
use crate::wait::{LIMIT, PAUSE};

/// Long enough for a packet that is not meant to come to have come.
const QUIET: Duration = Duration::from_millis(500);
/// For a place to come free.
const PATIENCE: Duration = Duration::from_secs(2);
const SEPARATOR: char = '\u{1e}';

/// A session that is a WebSocket from the beginning.
#[derive(Debug)]
pub struct Packets {
    socket: WebSocketStream<TcpStream>,
    /// The packet that opened the session.
    pub opened: String,
}

/// A session that polls.
#[derive(Debug)]
pub struct Poller {
    port: u16,
    pub sid: String,
    /// Lines that every request has.
    headers: String,
    packets: VecDeque<String>,
}

impl Packets {
    /// Opens a session; no namespace is connected yet.
    pub async fn open(port: u16, headers: &[(&str, &str)]) -> Self {
        Self::try_open(port, headers).await.unwrap_or_else(|refused| panic!("not accepted: {refused:?}"))
    }

    pub async fn try_open(port: u16, headers: &[(&str, &str)]) -> Result<Self, Refused> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server accepts");
        Self::over(stream, port, "EIO=4&transport=websocket", headers).await
    }

    /// The handshake over a stream of the test's own. Only a session that begins here says so in a packet.
    pub async fn over(stream: TcpStream, port: u16, query: &str, headers: &[(&str, &str)]) -> Result<Self, Refused> {
        let request = format!("ws://127.0.0.1:{port}/socket.io/?{query}").into_client_request();
        let mut request = request.expect("a request");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("a header's value"));
        }
        match timeout(LIMIT, client_async(request, stream)).await.expect("an answer to the handshake") {
            Ok((socket, _)) => {
                let mut packets = Self { socket, opened: String::new() };
                if !query.contains("sid=") {
                    packets.opened = packets.next().await.expect("the packet that opens a session");
                }
                Ok(packets)
            }
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                Err(Refused { status: response.status().as_u16(), body })
            }
            Err(error) => panic!("neither accepted nor refused: {error}"),
        }
    }

    /// Connects to namespace `/` with `auth`; the answer is a packet of the server's.
    pub async fn connect(&mut self, auth: &Value) -> String {
        self.say(&format!("40{auth}")).await;
        self.expect().await
    }

    /// As [`Self::connect`], in one go; panics when refused.
    pub async fn connected(port: u16, auth: &Value) -> Self {
        let mut packets = Self::open(port, &[]).await;
        let answer = packets.connect(auth).await;
        assert!(answer.starts_with("40{"), "not connected: {answer}");
        packets
    }

    pub async fn say(&mut self, packet: &str) {
        self.send(Message::text(packet)).await;
    }

    pub async fn send(&mut self, message: Message) {
        self.socket.send(message).await.expect("the server reads");
    }

    /// Sends as much as the server takes; false once it takes no more.
    pub async fn try_say(&mut self, packet: &str, times: usize) -> bool {
        for _ in 0..times {
            if self.socket.feed(Message::text(packet)).await.is_err() {
                return false;
            }
        }
        self.socket.flush().await.is_ok()
    }

    /// The next packet; `None` when the session is over. Pings are answered.
    pub async fn next(&mut self) -> Option<String> {
        timeout(LIMIT, self.read()).await.expect("a packet in time")
    }

    /// The next packet; panics when the session ends.
    pub async fn expect(&mut self) -> String {
        self.next().await.expect("the session is over")
    }

    /// Reads until the session is over.
    pub async fn ended(&mut self) {
        while self.next().await.is_some() {}
    }

    /// Panics when anything but a ping comes within a moment.
    pub async fn expect_silence(&mut self) {
        if let Ok(packet) = timeout(QUIET, self.read()).await {
            panic!("expected silence, got {packet:?}");
        }
    }

    /// The stream beneath.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }

    /// The stream, for whoever goes on without frames.
    pub fn into_stream(self) -> TcpStream {
        self.socket.into_inner()
    }

    async fn read(&mut self) -> Option<String> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) if text == "2" => {
                    // The session may be over before it is answered.
                    let _ = self.socket.send(Message::text("3")).await;
                }
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(other)) => panic!("a frame that is no text: {other:?}"),
            }
        }
    }
}

impl Poller {
    /// Opens a session. `headers`: lines that every request has.
    pub async fn open(port: u16, headers: &str) -> Self {
        let answer = Self::request(port, headers, "GET", "", "").await;
        assert_eq!(answer.status, 200, "not accepted: {answer:?}");
        let opened: Value = serde_json::from_str(&answer.body[1..]).expect("the packet that opens a session");
        let sid = opened["sid"].as_str().expect("its id").to_owned();
        Self { port, sid, headers: headers.to_owned(), packets: VecDeque::new() }
    }

    /// Connects to namespace `/` with `auth`; the answer is a packet of the server's.
    pub async fn connect(&mut self, auth: &Value) -> String {
        self.say(&format!("40{auth}")).await;
        self.next().await
    }

    pub async fn say(&mut self, packets: &str) {
        let answer = self.post(packets).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"), "{answer:?}");
    }

    pub async fn post(&self, packets: &str) -> Answer {
        Self::request(self.port, &self.headers, "POST", &format!("&sid={}", self.sid), packets).await
    }

    /// One request for what waits.
    pub async fn get(&self) -> Answer {
        Self::request(self.port, &self.headers, "GET", &format!("&sid={}", self.sid), "").await
    }

    /// The next packet. Pings are answered.
    pub async fn next(&mut self) -> String {
        loop {
            if let Some(packet) = self.packets.pop_front() {
                return packet;
            }
            self.fetch().await;
        }
    }

    /// Waits for a ping, and answers it.
    pub async fn pinged(&mut self) {
        while !self.fetch().await {}
    }

    /// Takes what one request gets; true if a ping was among it, which is answered.
    async fn fetch(&mut self) -> bool {
        let mut is_pinged = false;
        let answer = self.get().await;
        assert_eq!(answer.status, 200, "the session is over: {answer:?}");
        for packet in answer.body.split(SEPARATOR) {
            if packet == "2" {
                is_pinged = true;
                // The session may be over by now.
                self.post("3").await;
            } else {
                self.packets.push_back(packet.to_owned());
            }
        }
        is_pinged
    }

    /// Opens a WebSocket that may take over; it has not said anything yet.
    pub async fn try_upgrade(&self) -> Result<Packets, Refused> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the server accepts");
        let headers: Vec<(&str, &str)> = self.headers.lines().filter_map(|line| line.split_once(": ")).collect();
        Packets::over(stream, self.port, &format!("EIO=4&transport=websocket&sid={}", self.sid), &headers).await
    }

    async fn request(port: u16, headers: &str, method: &str, more: &str, body: &str) -> Answer {
        let head = format!("{method} /socket.io/?EIO=4&transport=polling{more} HTTP/1.1\n{headers}");
        let mut answer = exchange(port, &head, body).await;
        // The place of the connection before this one may not be free yet; then nothing was done with the request.
        let until = Instant::now() + PATIENCE;
        while !more.is_empty() && answer.status == 503 && Instant::now() < until {
            sleep(PAUSE).await;
            answer = exchange(port, &head, body).await;
        }
        answer
    }
}
