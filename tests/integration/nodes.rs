//! Several nodes with one Redis between them: what is called on one is heard on all.

mod away;
mod crowd;
mod edges;
mod faults;
mod figures;
mod live;
mod screens;
mod secured;
mod shared;
mod trigger;

use pulso_harness::process::steady_port;
use pulso_harness::{Claims, Dashboard, Database, Pulso, Redis, Running};
use serde_json::json;

use crate::business::NEGOCIO;
use crate::feeds::{configured, signed};

/// Nodes that share a database and a Redis.
struct Nodes {
    redis: Redis,
    /// One to be started, the way the others were.
    node: Pulso,
    each: Vec<Running>,
    database: Database,
}

impl Nodes {
    async fn start(count: usize) -> Self {
        let redis = Redis::start();
        let (node, database) = configured().await;
        let node = node.with("REDIS_URL", &redis.url());
        let mut each = Vec::new();
        for number in 1..=count {
            each.push(named(&node, number).ready().await);
        }
        Self { redis, node, each, database }
    }
}

/// On a port that it may have again.
fn named(node: &Pulso, number: usize) -> Pulso {
    node.clone().with("NODE_NAME", &format!("caja-{number}")).with("PORT", &steady_port().to_string())
}

fn cashier() -> Claims {
    Claims::user("cajera").with("negocio_id", json!(NEGOCIO))
}

fn table(number: u64) -> String {
    format!(r#"{{"tableId":{number},"action":"x","negocio_id":"{NEGOCIO}"}}"#)
}

async fn happens(node: &Running, number: u64) {
    let answer = node.post("/notify/mesa", &table(number)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A screen that tells its position; `id`: after what.
async fn since(node: &Running, id: &str) -> Dashboard {
    let mut screen = node.open(&format!("{}&since={id}", signed("/ws", &cashier()))).await;
    if id.is_empty() {
        screen.ping().await;
    }
    screen
}

/// The next event: its id and which table it is about.
async fn next_table(screen: &mut Dashboard) -> (u64, u64) {
    let event = screen.next().await;
    let id = event["id"].as_str().unwrap_or_else(|| panic!("no id: {event}"));
    (id.parse().unwrap(), event["data"]["tableId"].as_u64().unwrap())
}
