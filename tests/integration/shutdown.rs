//! Stopping in order: hooks first, then their figures, then the goodbyes; and never later than promised.

mod calls;
mod delay;

use std::sync::Arc;
use std::time::Duration;

use pulso_harness::{ChaosProxy, Claims, Closed, Dashboard, Running, wait};
use rustix::process::Signal;
use sqlx::PgConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::business::{NEGOCIO, citas, database, open, owner, pulso};

/// For a busy machine, on top of what is promised.
const ROOM: Duration = Duration::from_secs(2);

fn going_away() -> Closed {
    Closed { code: 1001, reason: "going away".to_owned() }
}

async fn is_refused(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_err()
}

/// One exchange on a connection that stays open.
async fn on(stream: &mut TcpStream, head: &str) -> String {
    stream.write_all(format!("{head}\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "closed: {}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

/// A hook call in flight, held by a lock on the table.
async fn held_call(pulso: &Arc<Running>, database: &pulso_harness::Database) -> (PgConnection, JoinSet<u16>) {
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    let mut call = JoinSet::new();
    let caller = Arc::clone(pulso);
    call.spawn(async move { caller.notify(NEGOCIO).await.status });
    pulso.until_count("pulso_notices_total", 1).await;
    (blocker, call)
}

async fn in_order(signal: Signal) {
    let (pulso, database) = open().await;
    let pulso = Arc::new(pulso);
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let mut others = Vec::new();
    for _ in 0..10 {
        others.push(pulso.connect(&owner()).await);
    }
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut line = TcpStream::connect(("127.0.0.1", pulso.port())).await.unwrap();
        assert!(on(&mut line, "GET /ready HTTP/1.1").await.starts_with("HTTP/1.1 200"));
        kept.push(line);
    }
    let (blocker, mut call) = held_call(&pulso, &database).await;

    pulso.signal(signal);
    wait::until(async || is_refused(pulso.port()).await, "new connections are refused").await;
    let handshake = "GET /ws HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    let heads = ["GET /ready HTTP/1.1", handshake, "POST /notify/cita HTTP/1.1\r\ncontent-length: 0"];
    for (line, head) in kept.iter_mut().zip(heads) {
        let answer = on(line, head).await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("shutting"), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    // However long it takes, nobody is sent away while its figures are owed.
    for _ in 0..3 {
        dashboard.expect_silence().await;
    }
    for other in &mut others {
        other.ping().await;
    }
    assert!(call.try_join_next().is_none(), "the call is still under way");

    drop(blocker);
    assert_eq!(call.join_next().await.unwrap().unwrap(), 200);
    assert_eq!(dashboard.stats().await.total, 1, "handed out before the goodbye");
    assert_eq!(dashboard.next_or_close().await, Err(going_away()));
    assert_eq!(pulso.ended().await, 0);
}

#[tokio::test]
async fn sigterm_lets_calls_finish_and_hands_their_figures_out_before_the_goodbye() {
    in_order(Signal::TERM).await;
}

#[tokio::test]
async fn sigint_is_the_same() {
    in_order(Signal::INT).await;
}

/// Takes as long as goodbyes are spread.
#[tokio::test]
async fn goodbyes_do_not_come_all_at_once() {
    let (pulso, _database) = open().await;
    let mut dashboards = JoinSet::new();
    for _ in 0..50 {
        let mut dashboard = pulso.connect(&owner()).await;
        dashboards.spawn(async move { (dashboard.closed().await, Instant::now()) });
    }
    let began = Instant::now();
    pulso.signal(Signal::TERM);
    let mut ends = Vec::new();
    while let Some(end) = dashboards.join_next().await {
        let (closed, at) = end.unwrap();
        assert_eq!(closed, going_away());
        ends.push(at - began);
    }
    ends.sort();
    let (first, last) = (ends[0], ends[ends.len() - 1]);
    assert!(last > first + Duration::from_millis(500), "all between {first:?} and {last:?}");
    assert!(last < Duration::from_secs(3) + ROOM, "{last:?}");
    assert_eq!(pulso.ended().await, 0);
}

/// Ends with 0 within the grace, and says goodbye to nobody it cannot reach.
async fn ends_within(pulso: &Running, grace: Duration) {
    let began = Instant::now();
    pulso.signal(Signal::TERM);
    assert_eq!(pulso.ended().await, 0);
    assert!(began.elapsed() < grace + ROOM, "{:?}", began.elapsed());
}

#[tokio::test]
async fn peers_that_do_not_answer_do_not_keep_the_server() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("SHUTDOWN_GRACE", "2s").ready().await;
    // None of them reads: no Close is answered.
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(pulso.connect(&owner()).await);
    }
    let mut half_asked = TcpStream::connect(("127.0.0.1", pulso.port())).await.unwrap();
    half_asked.write_all(b"GET /hea").await.unwrap();
    let mut half_told = TcpStream::connect(("127.0.0.1", pulso.port())).await.unwrap();
    let head =
        b"POST /notify/cita HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{";
    half_told.write_all(head).await.unwrap();
    pulso.until_count("pulso_connections", 10).await;
    ends_within(&pulso, Duration::from_secs(2)).await;
    for mut dashboard in silent {
        assert_eq!(dashboard.closed().await, going_away());
    }
}

#[tokio::test]
async fn a_black_hole_does_not_keep_the_server() {
    let database = database().await;
    let line = ChaosProxy::start(database.port()).await;
    let pulso = pulso(&database.url_at(line.port())).with("SHUTDOWN_GRACE", "2s").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    line.silence();
    let mut parked = pulso.connect(&Claims::user("cccccccc-cccc-4ccc-8ccc-cccccccccccc")).await;
    parked.subscribe(NEGOCIO).await;
    let body = format!(r#"{{"negocio_id":"{NEGOCIO}"}}"#);
    let mut caller = TcpStream::connect(("127.0.0.1", pulso.port())).await.unwrap();
    let head = "POST /notify/cita HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length";
    caller.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    pulso.until_count("pulso_notices_total", 1).await;
    ends_within(&pulso, Duration::from_secs(2)).await;
    assert_eq!(dashboard.closed().await, going_away());
    assert_eq!(parked.closed().await, going_away());
}

#[tokio::test]
async fn a_server_that_never_met_its_database_stops_as_fast() {
    let database = database().await;
    let line = ChaosProxy::start(database.port()).await;
    line.silence();
    let pulso = pulso(&database.url_at(line.port()))
        .with("DB_CONNECT_TIMEOUT", "30s")
        .with("SHUTDOWN_GRACE", "1s")
        .start()
        .await;
    let mut dashboard = Dashboard::connect(pulso.port(), "/ws", &[]).await;
    ends_within(&pulso, Duration::from_secs(1)).await;
    assert_eq!(dashboard.closed().await, going_away());
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    for (first, second, code) in [(Signal::TERM, Signal::INT, 130), (Signal::INT, Signal::TERM, 143)] {
        let (pulso, database) = open().await;
        let pulso = Arc::new(pulso);
        let mut dashboard = pulso.connect(&owner()).await;
        dashboard.watch(NEGOCIO).await;
        let (_blocker, mut call) = held_call(&pulso, &database).await;
        pulso.signal(first);
        wait::until(async || pulso.has_logged("\"stopping\""), "the first signal is heard").await;
        assert_eq!(pulso.exit_code(), None);
        pulso.signal(second);
        assert_eq!(pulso.ended().await, code);
        call.abort_all();
        assert_eq!(dashboard.closed().await.code, 1006);
    }
}
