//! Three nodes behind the nginx that is shipped: who is sent where, and what anybody notices of a node that goes.

mod leaving;
mod sticky;

use pulso_harness::process::steady_port;
use pulso_harness::redis::Redis;
use pulso_harness::{Database, HOOK_KEY, Nginx, Pulso, Running};
use serde_json::json;

use crate::boards::furnished;
use crate::business::NEGOCIO;

const MAIN: &str = include_str!("../../ops/nginx/nginx.conf");
const SITE: &str = include_str!("../../ops/nginx/nodes.conf");
const NODES: usize = 3;

/// The nodes and the nginx before them, which believes whoever comes from here whom it comes for.
struct Installation {
    nodes: Vec<Pulso>,
    running: Vec<Running>,
    nginx: Nginx,
    /// Of nginx.
    port: u16,
    _redis: Option<Redis>,
    _database: Database,
}

impl Installation {
    /// Nodes that do not know of each other: what reaches a client came by its own.
    async fn open() -> Self {
        Self::of(None).await
    }

    /// Nodes with a Redis between them.
    async fn open_as_one() -> Self {
        Self::of(Some(Redis::start())).await
    }

    async fn of(redis: Option<Redis>) -> Self {
        let (node, database) = furnished().await;
        let node = redis.iter().fold(node, |node, redis| node.with("REDIS_URL", &redis.url()));
        let node = node.with_hook_key().with("TRUSTED_PROXIES", "127.0.0.1").with("SHUTDOWN_DELAY", "2s");
        let port = steady_port();
        let (mut nodes, mut running) = (Vec::new(), Vec::new());
        for _ in 0..NODES {
            let node = node.clone().with("PORT", &steady_port().to_string());
            running.push(node.ready().await);
            nodes.push(node);
        }
        let ports: Vec<u16> = running.iter().map(Running::port).collect();
        let site = before(SITE, port, &ports).replace("#set_real_ip_from 10.1.0.0/16;", "set_real_ip_from 127.0.0.1;");
        let nginx = Nginx::start(MAIN, &site.replace("#real_ip_header", "real_ip_header"), port).await;
        Self { nodes, running, nginx, port, _redis: redis, _database: database }
    }

    /// How many clients each node has.
    async fn clients(&self) -> Vec<u64> {
        let mut clients = Vec::new();
        for node in &self.running {
            clients.push(node.count("pulso_connections").await);
        }
        clients
    }
}

/// The site at `port`, before nodes at `nodes`.
pub fn before(site: &str, port: u16, nodes: &[u16]) -> String {
    let mut site = site.replace("listen 80;", &format!("listen 127.0.0.1:{port};"));
    for (number, node) in nodes.iter().enumerate() {
        let name = format!("pulso-{}:8080", number + 1);
        assert_eq!(site.matches(&name).count(), 2, "{name} is in both upstreams");
        site = site.replace(&name, &format!("127.0.0.1:{node}"));
    }
    site
}

/// A call as a back end sends it: the head and the body.
pub fn sale(number: u64) -> (String, String) {
    let body = json!({ "negocio_id": NEGOCIO, "saleId": number, "tableId": null, "total": 1, "timestamp": "t" });
    let head = format!("POST /notify/venta HTTP/1.1\ncontent-type: application/json\nx-api-key: {HOOK_KEY}");
    (head, body.to_string())
}
