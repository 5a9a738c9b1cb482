//! Three hundred clients at once: all are back after a restart and after a crash, and never together.

use std::time::Duration;

use pulso_harness::process::steady_port;
use pulso_harness::{Claims, SECRET, Script};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::business::{NEGOCIO, OWNER, citas};
use crate::feeds::configured;
use crate::packages::packed;

const CLIENTS: usize = 300;
/// How long a server is away that is started again.
const AWAY: Duration = Duration::from_secs(4);
const WINDOW_MS: u64 = 100;

/// How many attempts were meant for the busiest window.
fn busiest(answer: &Value) -> usize {
    let mut meant: Vec<u64> = answer["meant"].as_array().unwrap().iter().map(|at| at.as_u64().unwrap()).collect();
    assert!(meant.len() >= CLIENTS, "{} attempts", meant.len());
    meant.sort_unstable();
    let within = |from: u64| meant.iter().filter(|&&at| (from..from + WINDOW_MS).contains(&at)).count();
    meant.iter().map(|&from| within(from)).max().unwrap()
}

#[tokio::test]
async fn three_hundred_clients_are_back_after_a_restart_and_a_crash_and_never_together() {
    let (configured, database) = configured().await;
    let configured = configured.with("PORT", &steady_port().to_string());
    let folder = tokio::task::spawn_blocking(|| packed::folder_with(&["client"])).await.unwrap();
    let running = configured.ready().await;
    let (path, url) = (folder.path().to_str().unwrap(), format!("http://127.0.0.1:{}", running.port()));
    let (token, count) = (Claims::naming(OWNER, &[NEGOCIO]).sign(SECRET), CLIENTS.to_string());
    let mut crowd = Script::node("package_crowd.mjs", &[path, &url, NEGOCIO, &token, &count]);
    crowd.ask(&json!({ "until": 0 })).await;

    running.signal(Signal::TERM);
    assert_eq!(running.ended().await, 0);
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    tokio::time::sleep(AWAY).await;
    let running = configured.ready().await;
    let back = crowd.ask(&json!({ "until": 1 })).await;
    assert!(busiest(&back) <= CLIENTS / 3, "{} in one window after a restart", busiest(&back));
    running.until_count("pulso_connections", CLIENTS as u64).await;

    running.signal(Signal::KILL);
    assert_eq!(running.ended().await, -1);
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    let _running = configured.ready().await;
    let back = crowd.ask(&json!({ "until": 2 })).await;
    assert!(busiest(&back) <= CLIENTS / 3, "{} in one window after a crash", busiest(&back));
}
