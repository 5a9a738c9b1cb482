//! One HTTP/1 request to a server on this machine: `pulso health` and the demo's API calls.
//!
//! Must not know what is asked or answered. No TLS, no redirects, no kept-alive connections; an answer within
//! [`TIMEOUT`] or an error.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::request::Builder;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::Secret;

/// As long as the REST API waits for a hook.
pub const TIMEOUT: Duration = Duration::from_secs(5);

const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum LoopbackError {
    #[error("no answer within {TIMEOUT:?}")]
    TimedOut,
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("not a request: {0}")]
    Request(#[from] http::Error),
    #[error("not an HTTP answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("its body cannot be read: {0}")]
    Body(String),
}

pub async fn get(server: SocketAddr, path: &str) -> Result<Answer, LoopbackError> {
    send(server, Request::builder().method(Method::GET).uri(path), String::new()).await
}

/// Carries `key` as a hook's caller does.
pub async fn post_json(server: SocketAddr, path: &str, key: &Secret, body: String) -> Result<Answer, LoopbackError> {
    let request = Request::builder().method(Method::POST).uri(path).header(CONTENT_TYPE, "application/json");
    send(server, request.header("x-api-key", key.expose()), body).await
}

/// Where a server that listens on `address` is reached from this machine: a wildcard is no destination.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn send(server: SocketAddr, request: Builder, body: String) -> Result<Answer, LoopbackError> {
    let server = reachable(server);
    let request = request.header(HOST, server.to_string()).body(Full::new(Bytes::from(body)))?;
    timeout(TIMEOUT, exchange(server, request)).await.unwrap_or(Err(LoopbackError::TimedOut))
}

async fn exchange(server: SocketAddr, request: Request<Full<Bytes>>) -> Result<Answer, LoopbackError> {
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| LoopbackError::Body(error.to_string()))?;
        Ok(Answer { status, body: body.to_bytes() })
    };
    drive(connection, answer).await
}

/// `answer`, with the connection polled beside it. A connection that ends first may have left the whole answer behind.
async fn drive<T>(connection: impl Future, answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    tokio::select! {
        biased;
        done = &mut answer => done,
        _ = connection => answer.await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Reads until `end`, answers `answer`, closes. Gives back what was read.
    async fn serve_once(listener: TcpListener, end: &'static str, answer: &'static [u8]) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
        }
        stream.write_all(answer).await.unwrap();
        String::from_utf8(read).unwrap()
    }

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn a_get_brings_back_status_and_body() {
        let (listener, address) = listener().await;
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno";
        let (request, answer) = tokio::join!(serve_once(listener, "\r\n\r\n", answer), get(address, "/ready"));
        let answer = answer.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (503, &b"no"[..]));
        assert!(request.starts_with("GET /ready HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains(&format!("host: {address}\r\n")), "{request}");
    }

    #[tokio::test]
    async fn a_post_carries_json_to_a_server_that_listens_everywhere() {
        let (listener, address) = listener().await;
        let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
        let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfine";
        let key = Secret::new("Llave");
        let post = post_json(everywhere, "/notify/cita", &key, "{\"a\":1}".to_owned());
        let (request, answer) = tokio::join!(serve_once(listener, "{\"a\":1}", answer), post);
        assert_eq!(&answer.unwrap().body[..], b"fine");
        assert!(request.contains("x-api-key: Llave\r\n"), "{request}");
        let request = request.to_lowercase();
        assert!(request.contains("content-type: application/json\r\n") && request.contains("content-length: 7\r\n"));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_or_talks_nonsense_is_an_error() {
        let (listener, address) = listener().await;
        let (_, answer) = tokio::join!(serve_once(listener, "\r\n\r\n", b"220 smtp\r\n"), get(address, "/"));
        assert!(matches!(answer, Err(LoopbackError::Http(_))));
        assert!(matches!(get(address, "/").await, Err(LoopbackError::Connect(_))));
        assert!(matches!(get(address, "not a path").await, Err(LoopbackError::Request(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up() {
        let (listener, address) = listener().await;
        assert!(matches!(get(address, "/").await, Err(LoopbackError::TimedOut | LoopbackError::Connect(_))));
        drop(listener);
    }
}
