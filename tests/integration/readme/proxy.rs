//! The book's settings of nginx, in a real nginx before a real server.

use pulso_harness::process::steady_port;
use pulso_harness::{Dashboard, EventStream, Nginx, Packets, SECRET, http};
use serde_json::json;

use super::blocks::block;
use crate::boards::{RESTAURANT, Stage, new_order, signed, waiter};
use crate::business::{NEGOCIO, citas, owner};

#[tokio::test]
async fn nginx_passes_clients_through_and_keeps_hooks_for_its_own_network() {
    let stage = Stage::open().await;
    citas(&stage.database, NEGOCIO, 3, "atendida", "'2020-01-01'").await;
    let port = steady_port();
    let inside = block("proxy");
    assert_eq!(inside.language, "nginx");
    let inside = inside.text.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", stage.port()));
    let site = format!("access_log off;\nserver {{\nlisten 127.0.0.1:{port};\n{inside}}}\n");
    let _nginx = Nginx::start("events {}\nhttp {\ninclude /etc/nginx/conf.d/*.conf;\n}\n", &site, port).await;

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
    for path in ["/notify/cita", "/notify/order/new", "/api/publish/", "/api/disconnect", "/api/nodes", "/metrics/"] {
        let answer = http::exchange(port, &format!("POST {path} HTTP/1.1"), "{}").await;
        assert_eq!(answer.status, 403, "{path}");
    }
}
