//! nginx and Caddy as they are shipped, before a real server: clients pass, calls of strangers do not, and no token is logged.

use pulso_harness::process::steady_port;
use pulso_harness::{Caddy, Dashboard, EventStream, Nginx, Packets, Running, SECRET, http, wait};
use serde_json::json;

use super::shipped;
use crate::boards::{RESTAURANT, Stage, furnished, new_order, signed, waiter};
use crate::business::{NEGOCIO, citas, owner};

const NGINX: &str = "events {}\nhttp {\ninclude /etc/nginx/conf.d/*.conf;\n}\n";
/// Who may call the hooks, and what makes a stranger of this machine.
const OWN: &str = "127.0.0.0/8";
const OTHERS: &str = "203.0.113.0/24";

async fn stage() -> Stage {
    let (pulso, database) = furnished().await;
    citas(&database, NEGOCIO, 3, "atendida", "'2020-01-01'").await;
    Stage { running: pulso.with("TRUSTED_PROXIES", "127.0.0.1").ready().await, database }
}

fn nginx_before(server: &Running, port: u16) -> String {
    let site = std::fs::read_to_string(shipped("nginx/pulso.conf")).unwrap();
    let site = site.replace("listen 80;", &format!("listen 127.0.0.1:{port};"));
    site.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", server.port()))
}

fn caddy_before(server: &Running, port: u16) -> String {
    let site = std::fs::read_to_string(shipped("caddy/Caddyfile")).unwrap();
    let site = site.replace("\npulso.example {", &format!("\nhttp://127.0.0.1:{port} {{"));
    site.replace("reverse_proxy 127.0.0.1:8080", &format!("reverse_proxy 127.0.0.1:{}", server.port()))
}

/// Every kind of client, and a call.
async fn clients_pass(stage: &Stage, port: u16) {
    let token = owner().sign(SECRET);
    let mut dashboard = Dashboard::connect(port, &format!("/ws?token={token}"), &[]).await;
    assert_eq!(dashboard.watch(NEGOCIO).await.completadas, 3);
    let path = format!("/sse?channel=estadisticas:{NEGOCIO}&token={token}");
    let mut stream = EventStream::open(port, &path, &[]).await;
    assert_eq!(stream.message().await["data"]["citas_completadas"], 3);
    let mut socket = Packets::connected(port, &json!({ "token": signed(&waiter()) })).await;
    stage.tell("/notify/order/new", &new_order(RESTAURANT, "o-1")).await;
    let packet = socket.expect().await;
    assert!(packet.contains("order.new"), "{packet}");
    let head = "POST /notify/cita HTTP/1.1\ncontent-type: application/json\nx-api-key: a-key-for-the-hooks";
    let answer = http::exchange(port, head, &json!({ "negocio_id": NEGOCIO }).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    dashboard.stats().await;
}

async fn hooks_are_kept_from_strangers(port: u16) {
    for path in ["/notify/cita", "/notify/order/new", "/api/publish", "/api/disconnect", "/api/nodes", "/metrics"] {
        // The same to the server.
        for spelling in [path.to_owned(), format!("{path}/")] {
            for method in ["GET", "POST"] {
                let answer = http::exchange(port, &format!("{method} {spelling} HTTP/1.1"), "{}").await;
                assert_eq!(answer.status, 403, "{method} {spelling}");
            }
        }
    }
    assert_eq!(http::exchange(port, "GET /health HTTP/1.1", "").await.status, 200);
}

/// A line is written when its client has ended.
async fn no_token_is_logged(log: impl Fn() -> String) {
    wait::until(async || log().contains("/ws") && log().contains("/sse"), "the clients are logged").await;
    let said = log();
    // Of every token.
    let (head, _) =
        owner().sign(SECRET).split_once('.').map(|(head, rest)| (head.to_owned(), rest.to_owned())).unwrap();
    assert!(!said.contains(&head) && !said.contains("token="), "{said}");
}

#[tokio::test]
async fn nginx_passes_clients_and_calls_and_logs_no_token() {
    let (stage, port) = (stage().await, steady_port());
    let nginx = Nginx::start(NGINX, &nginx_before(&stage.running, port), port).await;
    clients_pass(&stage, port).await;
    no_token_is_logged(|| nginx.log()).await;
}

#[tokio::test]
async fn nginx_keeps_the_hooks_from_strangers() {
    let (stage, port) = (stage().await, steady_port());
    let _nginx = Nginx::start(NGINX, &nginx_before(&stage.running, port).replace(OWN, OTHERS), port).await;
    hooks_are_kept_from_strangers(port).await;
}

#[tokio::test]
async fn caddy_passes_clients_and_calls_and_logs_no_token() {
    let (stage, port) = (stage().await, steady_port());
    let caddy = Caddy::start(&caddy_before(&stage.running, port), port).await;
    clients_pass(&stage, port).await;
    no_token_is_logged(|| caddy.log()).await;
}

#[tokio::test]
async fn caddy_keeps_the_hooks_from_strangers() {
    let (stage, port) = (stage().await, steady_port());
    let _caddy = Caddy::start(&caddy_before(&stage.running, port).replace(OWN, OTHERS), port).await;
    hooks_are_kept_from_strangers(port).await;
}
