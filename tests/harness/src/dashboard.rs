//! A dashboard as a test sees it: subscribes, reads what it is sent, and keeps every frame to be one JSON object.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::wait::LIMIT;

/// Long enough for a frame that is not meant to come to have come.
const QUIET: Duration = Duration::from_millis(700);

/// Of the ping by which it is known that a client was let in.
const JOINED: &[u8] = b"joined?";

/// A WebSocket client of `/ws`.
#[derive(Debug)]
pub struct Dashboard {
    socket: WebSocketStream<TcpStream>,
    /// What came while it was waited for something else.
    early: VecDeque<Result<String, Closed>>,
}

/// A handshake that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    pub status: u16,
    pub body: String,
}

/// The figures of a `stats` message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    pub negocio_id: String,
    pub hoy: i64,
    pub total: i64,
    pub completadas: i64,
    pub canceladas: i64,
    pub timestamp: i64,
    pub seq: u64,
}

/// The code and reason of a Close; code 1006 for a line that ended without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub code: u16,
    pub reason: String,
}

impl Dashboard {
    /// Connects; panics when refused.
    pub async fn connect(port: u16, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::try_connect(port, path, headers).await.unwrap_or_else(|refused| panic!("not accepted: {refused:?}"))
    }

    pub async fn try_connect(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Self, Refused> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server accepts");
        Self::handshake(stream, port, path, headers).await
    }

    /// The handshake over a stream of the test's own.
    pub async fn handshake(
        stream: TcpStream,
        port: u16,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Refused> {
        let mut request = format!("ws://127.0.0.1:{port}{path}").into_client_request().expect("a request");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("a header's value"));
        }
        match timeout(LIMIT, client_async(request, stream)).await.expect("an answer to the handshake") {
            Ok((socket, _)) => Ok(Self { socket, early: VecDeque::new() }),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                Err(Refused { status: response.status().as_u16(), body })
            }
            // The server ended meanwhile.
            Err(error) => Err(Refused { status: 0, body: error.to_string() }),
        }
    }

    /// A dashboard on a line whose handshake is done; `early` came right behind the answer.
    pub async fn over(stream: TcpStream, early: Vec<u8>) -> Self {
        let socket = WebSocketStream::from_partially_read(stream, early, Role::Client, None).await;
        Self { socket, early: VecDeque::new() }
    }

    /// Waits until the server has let it in, a moment behind the handshake, or has closed: what is published from now on is heard.
    /// What comes meanwhile is not lost. Nobody is waited for who cannot be let in yet.
    #[must_use]
    pub async fn joined(mut self) -> Self {
        if self.socket.send(Message::Ping(JOINED.to_vec().into())).await.is_ok() {
            let pong = async {
                loop {
                    match self.socket.next().await {
                        Some(Ok(Message::Pong(payload))) if payload == JOINED => return,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        other => {
                            let said = said(&mut self.socket, other).await;
                            let is_over = said.is_err();
                            self.early.push_back(said);
                            if is_over {
                                return;
                            }
                        }
                    }
                }
            };
            let _ = timeout(LIMIT, pong).await;
        }
        self
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    /// As [`Self::send_text`], to a server that may have closed.
    pub async fn try_send_text(&mut self, text: &str) -> Result<(), Error> {
        self.socket.send(Message::text(text)).await
    }

    pub async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.expect("the server reads");
    }

    /// Sends bytes that no library would send.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream().write_all(bytes).await.expect("the server reads");
    }

    /// The payload of the next frame, which must be a pong.
    pub async fn pong(&mut self) -> Vec<u8> {
        match timeout(LIMIT, self.socket.next()).await.expect("a pong in time") {
            Some(Ok(Message::Pong(payload))) => payload.to_vec(),
            other => panic!("not a pong: {other:?}"),
        }
    }

    /// The stream beneath.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }

    pub async fn subscribe(&mut self, negocio: &str) {
        self.send(&json!({ "type": "subscribe", "data": { "channel": format!("estadisticas:{negocio}") } })).await;
    }

    pub async fn unsubscribe(&mut self, negocio: &str) {
        self.send(&json!({ "type": "unsubscribe", "data": { "channel": format!("estadisticas:{negocio}") } })).await;
    }

    /// Subscribes and returns the figures that come at once.
    pub async fn watch(&mut self, negocio: &str) -> Stats {
        self.subscribe(negocio).await;
        self.stats().await
    }

    /// The next JSON object. Panics on a Close, on anything else, and when nothing comes in time.
    pub async fn next(&mut self) -> Value {
        match self.next_or_close().await {
            Ok(message) => message,
            Err(closed) => panic!("closed: {closed:?}"),
        }
    }

    /// The next message, which must be `stats`.
    pub async fn stats(&mut self) -> Stats {
        let message = self.next().await;
        Stats::from(&message).unwrap_or_else(|| panic!("not stats: {message}"))
    }

    /// Reads `stats` until one satisfies `wanted`; panics on anything else in between.
    pub async fn stats_until(&mut self, wanted: impl Fn(&Stats) -> bool) -> Stats {
        loop {
            let stats = self.stats().await;
            if wanted(&stats) {
                return stats;
            }
        }
    }

    /// The text of the next message, which must be an `error`.
    pub async fn error(&mut self) -> String {
        let message = self.next().await;
        assert_eq!(message["type"], "error", "not an error: {message}");
        message["message"].as_str().expect("an error has a message").to_owned()
    }

    /// Asks for a pong and reads it: proves that everything sent before has been dealt with in turn.
    pub async fn ping(&mut self) {
        self.send(&json!({ "type": "ping" })).await;
        assert_eq!(self.next().await, json!({ "type": "pong" }));
    }

    /// Panics when anything comes within a moment.
    pub async fn expect_silence(&mut self) {
        if let Ok(message) = timeout(QUIET, self.next_or_close()).await {
            panic!("expected silence, got {message:?}");
        }
    }

    /// Reads until the connection ends, ignoring messages.
    pub async fn closed(&mut self) -> Closed {
        loop {
            if let Err(closed) = self.next_or_close().await {
                return closed;
            }
        }
    }

    /// The next JSON object, or how the connection ended. Pings are answered and passed over.
    pub async fn next_or_close(&mut self) -> Result<Value, Closed> {
        self.text_or_close().await.map(|text| object(&text))
    }

    /// The next JSON object to the letter.
    pub async fn text(&mut self) -> String {
        match self.text_or_close().await {
            Ok(text) => text,
            Err(closed) => panic!("closed: {closed:?}"),
        }
    }

    /// As [`Self::next_or_close`], to the letter.
    pub async fn text_or_close(&mut self) -> Result<String, Closed> {
        if let Some(said) = self.early.pop_front() {
            return said;
        }
        let read = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => return said(&mut self.socket, other).await,
                }
            }
        };
        timeout(LIMIT, read).await.expect("a message in time")
    }
}

impl Stats {
    /// `None` unless it is a `stats` message with exactly the six keys.
    pub fn from(message: &Value) -> Option<Self> {
        let data = message.get("data")?.as_object()?;
        (message.get("type")? == "stats" && data.len() == 6).then_some(())?;
        Some(Self {
            negocio_id: data.get("negocio_id")?.as_str()?.to_owned(),
            hoy: data.get("citas_hoy")?.as_i64()?,
            total: data.get("total_citas")?.as_i64()?,
            completadas: data.get("citas_completadas")?.as_i64()?,
            canceladas: data.get("citas_canceladas")?.as_i64()?,
            timestamp: data.get("timestamp")?.as_i64()?,
            seq: message.get("seq")?.as_u64()?,
        })
    }
}

/// The JSON object of a frame, or how the connection ended with it.
async fn said(
    socket: &mut WebSocketStream<TcpStream>,
    frame: Option<Result<Message, Error>>,
) -> Result<String, Closed> {
    match frame {
        Some(Ok(Message::Text(text))) => {
            object(&text);
            Ok(text.to_string())
        }
        Some(Ok(Message::Close(Some(frame)))) => {
            let closed = Closed { code: frame.code.into(), reason: frame.reason.to_string() };
            // Lets the library send its answer.
            while socket.next().await.is_some_and(|message| message.is_ok()) {}
            Err(closed)
        }
        Some(Ok(Message::Close(None))) => Err(Closed { code: CloseCode::Status.into(), reason: String::new() }),
        Some(Ok(other)) => panic!("a frame that is no JSON object: {other:?}"),
        Some(Err(_)) | None => Err(Closed { code: 1006, reason: String::new() }),
    }
}

/// A frame as a client sends it, masked with zeros. `opening` is the first byte: FIN, reserved bits and opcode.
pub fn client_frame(opening: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![opening];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | u8::try_from(len).expect("short")),
        len @ 126..=0xffff => {
            frame.push(0x80 | 0x7e);
            frame.extend(u16::try_from(len).expect("not long").to_be_bytes());
        }
        len => {
            frame.push(0x80 | 0x7f);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn object(text: &str) -> Value {
    let message: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"));
    assert!(message.is_object(), "not a JSON object: {message}");
    message
}
