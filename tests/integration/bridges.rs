//! Producers that wrote to the same Redis before there was Pulso, by their real packages: what they tell their own servers'
//! clients, Pulso's clients hear too, checked, once, and again when they were away.

mod django;
mod several;
mod socketio;

use pulso_harness::{Running, Script, wait};
use serde_json::{Value, json};

/// How many of a bridge's messages came to this.
async fn came_to(node: &Running, bridge: &str, outcome: &str) -> u64 {
    let name = format!(r#"pulso_bridge_messages_total{{bridge="{bridge}",outcome="{outcome}"}}"#);
    let metrics = node.get("/metrics").await;
    let line = metrics.body.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse().ok());
    line.unwrap_or_default()
}

async fn until_came_to(node: &Running, bridge: &str, outcome: &str, count: u64) {
    wait::until(async || came_to(node, bridge, outcome).await >= count, &format!("{count} are {outcome}")).await;
    assert_eq!(came_to(node, bridge, outcome).await, count);
}

async fn is_on_duty(node: &Running, bridge: &str) -> bool {
    node.get("/metrics").await.body.contains(&format!(r#"pulso_bridge_on_duty{{bridge="{bridge}"}} 1"#))
}

async fn until_on_duty(node: &Running, bridge: &str) {
    wait::until(async || is_on_duty(node, bridge).await, "this node has the duty").await;
}

/// Tells a producer what to say; returns when it has.
async fn say(producer: &mut Script, what: &Value) {
    assert_eq!(producer.ask(what).await, json!({ "event": "done" }), "{what}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
