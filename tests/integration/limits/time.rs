//! How long a peer may take: over a request head, between two requests, over its token.

use std::time::Duration;

use pulso_harness::{Closed, Dashboard};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::business::{NEGOCIO, database, owner, pulso};

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";

async fn connected(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// Reads until the server closes.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = timeout(pulso_harness::wait::LIMIT, stream.read_to_end(&mut answer)).await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// One request on a connection that stays; its answer's status line.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(br#"{"status":"ok"}"#) {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "closed: {}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("HANDSHAKE_TIMEOUT", "300ms").start().await;
    assert_eq!(until_closed(&mut connected(pulso.port()).await).await, "");
}

#[tokio::test]
async fn a_head_that_drips_in_buys_no_time() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("HANDSHAKE_TIMEOUT", "400ms").start().await;
    let mut stream = connected(pulso.port()).await;
    let mut bytes = b"GET /health HTTP/1.1\r\nx: ".iter().copied().chain(std::iter::repeat(b'a'));
    let drip = async {
        // Ends when the server has closed.
        while stream.write_all(&[bytes.next().unwrap()]).await.is_ok() {
            sleep(Duration::from_millis(25)).await;
        }
    };
    timeout(pulso_harness::wait::LIMIT, drip).await.expect("the server closes");
    assert_eq!(pulso.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_pause_between_requests_and_a_head_have_each_their_time() {
    let database = database().await;
    let server = pulso(&database.url());
    // Patient between requests, impatient with a head.
    let pulso = server.clone().with("HANDSHAKE_TIMEOUT", "300ms").with("HTTP_IDLE_TIMEOUT", "1h").start().await;
    let mut stream = connected(pulso.port()).await;
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 200 OK");
    sleep(Duration::from_millis(700)).await;
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 200 OK");
    stream.write_all(&REQUEST[..10]).await.unwrap();
    assert_eq!(until_closed(&mut stream).await, "");

    // The other way round.
    let pulso = server.with("HANDSHAKE_TIMEOUT", "60s").with("HTTP_IDLE_TIMEOUT", "300ms").start().await;
    let mut stream = connected(pulso.port()).await;
    sleep(Duration::from_millis(700)).await;
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 200 OK");
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn a_connection_that_brings_no_token_in_time_is_closed() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("AUTH_TIMEOUT", "500ms").ready().await;
    let mut late = Dashboard::connect(pulso.port(), "/ws", &[]).await;
    let mut prompt = Dashboard::connect(pulso.port(), "/ws", &[]).await;
    prompt.send(&json!({ "type": "auth", "token": owner().sign(pulso_harness::SECRET) })).await;
    // Talk is no token.
    late.send(&json!({ "type": "ping" })).await;
    assert_eq!(late.error().await, "authenticate first");
    late.send(&json!({ "type": "auth", "token": "nonsense" })).await;
    assert_eq!(late.error().await, "Invalid JWT token: it is malformed");
    let reason = "authentication timeout".to_owned();
    assert_eq!(late.closed().await, Closed { code: 4001, reason });
    assert_eq!(pulso.closed_with(4001).await, 1);
    assert_eq!(pulso.refused("Token").await, 1);
    prompt.watch(NEGOCIO).await;
}
