//! The log is best effort: whoever reads it, or does not, changes nothing for anybody else.

use std::fs::File;
use std::process::{Child, Stdio};

use pulso_harness::process::{ended, spawn, steady_port};
use pulso_harness::{Answer, Dashboard, HOOK_KEY, Pulso, http, wait};
use rustix::process::{Pid, Signal, kill_process};

use crate::business::{NEGOCIO, database, owner, pulso};

const HANDSHAKE: &str = "GET /ws?token=a.b.c HTTP/1.1\nupgrade: websocket\nconnection: Upgrade, close\n\
                         sec-websocket-version: 13\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";

async fn started(server: &Pulso, log: Stdio) -> (Child, u16) {
    let port = steady_port();
    let mut command = server
        .clone()
        .with("PORT", &port.to_string())
        .with("LOG_LEVEL", "trace,hyper=trace,sqlx=trace")
        .command(&["serve"]);
    command.stdout(Stdio::null()).stderr(log);
    let child = spawn(command);
    let health = async || http::try_exchange(port, "GET /ready HTTP/1.1", "").await;
    wait::until(async || health().await.is_some_and(|answer| answer.status == 200), "it is ready").await;
    (child, port)
}

/// Everything goes on, and it stops in order.
async fn is_unimpressed(mut child: Child, port: u16) {
    let get = async |path: &str| -> Answer { http::exchange(port, &format!("GET {path} HTTP/1.1"), "").await };
    for _ in 0..3_000 {
        assert_eq!(http::exchange(port, HANDSHAKE, "").await.status, 401);
        if lost(&get("/metrics").await) > 100 {
            break;
        }
    }
    assert!(lost(&get("/metrics").await) > 0, "lines were lost, and counted");
    let path = format!("/ws?token={}", owner().sign(pulso_harness::SECRET));
    let mut dashboard = Dashboard::connect(port, &path, &[]).await;
    dashboard.watch(NEGOCIO).await;
    let head = format!("POST /notify/cita HTTP/1.1\ncontent-type: application/json\nx-api-key: {HOOK_KEY}");
    let body = format!(r#"{{"negocio_id":"{NEGOCIO}"}}"#);
    assert_eq!(http::exchange(port, &head, &body).await.status, 200);
    dashboard.stats().await;
    assert_eq!(get("/ready").await.status, 200);
    drop(dashboard);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(ended(&mut child).await, Some(0));
}

fn lost(metrics: &Answer) -> u64 {
    let line = metrics.body.lines().find_map(|line| line.strip_prefix("pulso_log_lines_lost_total "));
    line.unwrap_or_default().parse().unwrap_or_default()
}

#[tokio::test]
async fn a_log_whose_reader_has_gone_away_ends_nothing() {
    let database = database().await;
    let (mut child, port) = started(&pulso(&database.url()).with_hook_key(), Stdio::piped()).await;
    drop(child.stderr.take());
    is_unimpressed(child, port).await;
}

#[tokio::test]
async fn a_log_that_nobody_reads_keeps_nobody() {
    let database = database().await;
    let mut server = pulso(&database.url()).with_hook_key();
    // Long lines fill a pipe, and what may wait behind it, sooner.
    server = server.with("LOG_FORMAT", "json");
    let (mut child, port) = started(&server, Stdio::piped()).await;
    let unread = child.stderr.take().unwrap();
    is_unimpressed(child, port).await;
    drop(unread);
}

#[tokio::test]
async fn a_full_disk_ends_nothing() {
    let database = database().await;
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (child, port) = started(&pulso(&database.url()).with_hook_key(), full.into()).await;
    is_unimpressed(child, port).await;
}

#[tokio::test]
async fn strangers_fill_no_disk_and_the_log_says_how_many_more_there_were() {
    let database = database().await;
    let server = pulso(&database.url()).with("LOG_LEVEL", "info").ready().await;
    for _ in 0..200 {
        assert_eq!(server.exchange(HANDSHAKE, "").await.status, 401);
    }
    let written = || server.log().iter().filter(|line| line.contains("\"message\":\"Invalid JWT token")).count();
    assert!((50..150).contains(&written()), "{}", written());
    server.signal(Signal::TERM);
    assert_eq!(server.ended().await, 0);
    wait::until(async || server.has_logged("and ") && server.has_logged(" more"), "it is said").await;
}
