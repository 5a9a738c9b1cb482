//! HTTP connections that carry no client: however many a stranger keeps, the places of others are theirs.

use pulso_harness::{Dashboard, EventStream, Packets, SECRET, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{from_address, signed_path};
use crate::business::{NEGOCIO, database, owner, pulso};

const STRANGER: [u8; 4] = [127, 0, 0, 2];
const NEIGHBOUR: [u8; 4] = [127, 0, 0, 3];

/// Asks for something small and keeps the connection.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 512];
    let read = timeout(wait::LIMIT, stream.read(&mut answer)).await.expect("an answer in time").unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200 "), "{:?}", String::from_utf8_lossy(&answer[..read]));
}

async fn until_closed(stream: &mut TcpStream) {
    let mut rest = [0; 512];
    let read = timeout(wait::LIMIT, stream.read(&mut rest)).await.expect("the end in time");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

#[tokio::test]
async fn the_longest_idle_of_the_address_that_holds_most_goes_and_everybody_else_is_served() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("MAX_HTTP_CONNECTIONS", "4").with("HTTP_IDLE_TIMEOUT", "10m").ready().await;
    let port = pulso.port();
    let mut neighbour = from_address(NEIGHBOUR, port).await;
    ask(&mut neighbour).await;
    let mut idle = Vec::new();
    for _ in 0..12 {
        let mut stream = from_address(STRANGER, port).await;
        ask(&mut stream).await;
        idle.push(stream);
    }
    for stream in idle.iter_mut().take(9) {
        until_closed(stream).await;
    }
    ask(&mut neighbour).await;
    ask(idle.last_mut().unwrap()).await;

    Dashboard::connect(port, &signed_path(), &[]).await.watch(NEGOCIO).await;
    Packets::open(port, &[]).await;
    let stream = format!("/sse?token={}&channel=estadisticas:{NEGOCIO}", owner().sign(SECRET));
    EventStream::open(port, &stream, &[]).await.next().await.unwrap();
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    assert!(pulso.count("pulso_http_pushed_out_total").await >= 9);
    ask(&mut neighbour).await;
}

#[tokio::test]
async fn clients_and_those_who_have_asked_nothing_yet_do_not_count_as_idle() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("MAX_HTTP_CONNECTIONS", "1").with("HANDSHAKE_TIMEOUT", "60s").ready().await;
    let port = pulso.port();
    let mut kept = from_address(NEIGHBOUR, port).await;
    ask(&mut kept).await;
    let mut silent = from_address(STRANGER, port).await;
    let stream = format!("/sse?token={}&channel=estadisticas:{NEGOCIO}", owner().sign(SECRET));
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = EventStream::open(port, &stream, &[]).await;
        stream.next().await.unwrap();
        streams.push(stream);
    }
    let mut dashboard = Dashboard::connect(port, &signed_path(), &[]).await;
    dashboard.watch(NEGOCIO).await;
    ask(&mut kept).await;
    ask(&mut silent).await;
    // Those are two now, and the longest idle has gone.
    until_closed(&mut kept).await;
    dashboard.ping().await;
}

#[tokio::test]
async fn beyond_all_connections_an_idle_one_goes_for_the_next() {
    let database = database().await;
    let pulso = pulso(&database.url())
        .with("MAX_CONNECTIONS", "2")
        .with("MAX_HTTP_CONNECTIONS", "2")
        .with("HANDSHAKE_TIMEOUT", "60s")
        .ready()
        .await;
    let port = pulso.port();
    let mut silent = Vec::new();
    for _ in 0..12 {
        silent.push(from_address(STRANGER, port).await);
    }
    for path in ["/health", "/ready"] {
        assert_eq!(pulso.get(path).await.status, 200);
    }
    let mut dashboard = Dashboard::connect(port, &signed_path(), &[]).await;
    dashboard.watch(NEGOCIO).await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    dashboard.stats().await;
    until_closed(&mut silent[0]).await;
}

#[tokio::test]
async fn health_is_answered_even_when_nobody_can_go() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("MAX_CONNECTIONS", "1").with("MAX_HTTP_CONNECTIONS", "1").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    let call = pulso.notify(NEGOCIO);
    let others = async {
        let one_waits = async || {
            let waiting =
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            !database.rows(waiting).await.is_empty()
        };
        wait::until(one_waits, "the call under way has the last place").await;
        for path in ["/health", "/ready", "/health?x=1"] {
            assert_eq!(pulso.get(path).await.status, 200, "{path}");
        }
        let refused = pulso.get("/healthy").await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{refused:?}");
        assert_eq!(refused.header("content-length"), Some(refused.body.len().to_string().as_str()));
        let mut silent = TcpStream::connect(("127.0.0.1", pulso.port())).await.unwrap();
        let mut answer = String::new();
        silent.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        drop(blocker);
    };
    assert_eq!(tokio::join!(call, others).0.status, 200);
    assert!(pulso.refused("TooManyConnections").await >= 2);
    dashboard.stats().await;
    dashboard.ping().await;
}
