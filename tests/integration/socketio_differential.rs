//! Socket.IO beside the original server: the same packets played against both, and what a client sees compared.

use pulso_harness::{Pulso, SECRET, Script};
use serde_json::{Value, json};

use crate::restaurant::{KEY, server};

const CLOUD: &str = "a-cloud-key-for-the-tests";
/// Random sequences, from this seed on. Others are tried by hand: `tests/clients/socketio_differential.mjs --seed …`.
const SEED: &str = "1";
const COUNT: &str = "300";

/// No limit is met that the original does not have.
fn unlimited() -> Pulso {
    server().with("CLOUD_API_KEY", CLOUD).with("MESSAGE_BURST", "100000")
}

/// Plays sequences against both; they differ in nothing that is not meant, and in all that is.
async fn plays(pulso: Pulso, more: &[&str]) {
    let running = pulso.start().await;
    let url = format!("http://127.0.0.1:{}", running.port());
    let arguments = ["--url", &url, "--secret", SECRET, "--hook-key", KEY, "--cloud-key", CLOUD];
    let (lines, code) = Script::node("socketio_differential.mjs", &[&arguments, more].concat()).rest().await;
    let differences: Vec<String> =
        lines.iter().filter(|line| line["event"] == "difference").map(Value::to_string).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let done = lines.last().expect("a last line");
    assert_eq!((&done["event"], &done["unused"], code), (&json!("done"), &json!([]), Some(0)), "{done}");
    running.until_count("pulso_connections", 0).await;
    running.until_count("pulso_subscriptions", 0).await;
}

#[tokio::test]
async fn a_client_sees_what_it_would_see_of_the_original_but_for_what_is_meant() {
    plays(unlimited(), &["--seed", SEED, "--count", COUNT]).await;
}

#[tokio::test]
async fn a_heartbeat_is_asked_for_and_missed_as_by_the_original() {
    let soon = unlimited().with("PING_INTERVAL", "300ms").with("PONG_TIMEOUT", "3s");
    plays(soon, &["--heartbeats", "--interval", "300", "--timeout", "3000"]).await;
}
