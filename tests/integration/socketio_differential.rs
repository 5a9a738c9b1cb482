//! Socket.IO beside the original server: the same packets played against both, and what a client sees compared.

use pulso_harness::{Pulso, SECRET, Scratch, Script};
use serde_json::{Value, json};

use crate::business::pulso;
use crate::restaurant::KEY;

/// As many sequences are played at once as there are tenants.
const CLOUD: &str = "t-0:a-cloud-key-of-the-first,t-1:a-cloud-key-of-the-second,t-2:a-cloud-key-of-the-third,\
    t-3:a-cloud-key-of-the-fourth";
/// Random sequences, from this seed on. Others are tried by hand: `tests/clients/socketio_differential.mjs --seed …`.
const SEED: &str = "1";
const COUNT: &str = "300";

/// No limit is met that the original does not have. What is pending is kept in `files`.
fn unlimited(files: &Scratch) -> Pulso {
    let pulso = pulso(&format!("sqlite://{}", files.write("pulso.db", "").display()));
    let pulso = pulso.with("NOTIFY_API_KEY", KEY).with("CLOUD_API_KEYS", CLOUD).with("MESSAGE_BURST", "100000");
    let migrated = pulso.command(&["migrate"]).output().unwrap();
    assert!(migrated.status.success(), "{migrated:?}");
    pulso
}

/// Plays sequences against both; they differ in nothing that is not meant, and in all that is.
async fn plays(pulso: Pulso, more: &[&str]) {
    let running = pulso.start().await;
    let url = format!("http://127.0.0.1:{}", running.port());
    let arguments = ["--url", &url, "--secret", SECRET, "--hook-key", KEY, "--cloud-keys", CLOUD];
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
    let files = Scratch::new();
    plays(unlimited(&files), &["--seed", SEED, "--count", COUNT]).await;
}

#[tokio::test]
async fn a_heartbeat_is_asked_for_and_missed_as_by_the_original() {
    let files = Scratch::new();
    let soon = unlimited(&files).with("PING_INTERVAL", "300ms").with("PONG_TIMEOUT", "3s");
    plays(soon, &["--heartbeats", "--interval", "300", "--timeout", "3000"]).await;
}
