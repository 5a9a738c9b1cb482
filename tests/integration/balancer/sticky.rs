//! Who has to meet one node again does, by its address; nobody else is held to one.

use pulso_harness::{Claims, Dashboard, EventStream, Poller, SECRET, Script, http};
use serde_json::{Value, json};

use super::{Installation, NODES, sale};
use crate::boards::{RESTAURANT, new_order, signed, waiter};
use crate::business::NEGOCIO;

const CLIENTS: usize = 30;

/// A line of the request that says for whom the edge asks.
fn from(client: usize) -> String {
    format!("x-forwarded-for: 203.0.113.{client}")
}

fn auth() -> Value {
    json!({ "token": signed(&waiter()) })
}

#[tokio::test]
async fn every_client_that_polls_gets_in_and_may_change_to_a_websocket() {
    let installation = Installation::open().await;
    let mut pollers = Vec::new();
    for client in 0..CLIENTS {
        let mut poller = Poller::open(installation.port, &from(client)).await;
        let answer = poller.connect(&auth()).await;
        assert!(answer.starts_with("40{"), "client {client}: {answer}");
        pollers.push(poller);
    }
    let clients = installation.clients().await;
    assert_eq!(clients.iter().sum::<u64>(), CLIENTS as u64);
    assert!(clients.iter().all(|here| *here > 0), "one node has none: {clients:?}");

    let order = new_order(RESTAURANT, "o-1").to_string();
    for node in &installation.running {
        assert_eq!(node.post("/notify/order/new", &order).await.status, 200);
    }
    for poller in &mut pollers {
        let packet = poller.next().await;
        assert!(packet.contains("order.new"), "{packet}");
    }
    for poller in &pollers {
        let mut socket = poller.try_upgrade().await.unwrap();
        socket.say("2probe").await;
        assert_eq!(socket.expect().await, "3probe");
    }
}

#[tokio::test]
async fn the_customers_library_gets_in_by_every_transport() {
    let installation = Installation::open().await;
    let url = format!("http://127.0.0.1:{}/", installation.port);
    for transports in ["polling", "polling,websocket", "websocket"] {
        let arguments = ["--url", &url, "--transports", transports, "--auth", &auth().to_string()];
        let mut client = Script::node("socketio_client.mjs", &arguments);
        let (connected, last) = (client.until("connect").await, transports.rsplit(',').next().unwrap());
        // It may have changed before it was let in.
        if connected["transport"] != last {
            assert_eq!(client.until("upgrade").await["transport"], last);
        }
    }
}

#[tokio::test]
async fn the_others_are_spread_and_streams_are_not_held_back() {
    let installation = Installation::open().await;
    let token = Claims::naming("ana", &[NEGOCIO]).sign(SECRET);
    let (mut sockets, mut streams) = (Vec::new(), Vec::new());
    for _ in 0..2 * NODES {
        sockets.push(Dashboard::connect(installation.port, &format!("/ws?token={token}"), &[]).await);
        let path = format!("/sse?channel=negocio:{NEGOCIO}&token={token}");
        streams.push(EventStream::open(installation.port, &path, &[]).await);
    }
    assert_eq!(installation.clients().await, [4; NODES]);
    for node in &installation.running {
        assert_eq!(node.post("/notify/venta", &sale(1).1).await.json()["clients"], 4);
    }
    for socket in &mut sockets {
        assert_eq!(socket.next().await["data"]["saleId"], 1);
    }
    for stream in &mut streams {
        assert_eq!(stream.message().await["data"]["saleId"], 1);
    }
}

#[tokio::test]
async fn hooks_are_for_ones_own_machines() {
    let installation = Installation::open().await;
    let (head, body) = sale(1);
    for path in ["/notify/venta", "/notify/cita", "/api/publish", "/api/disconnect", "/api/nodes", "/metrics"] {
        let head = format!("POST {path} HTTP/1.1\n{}", from(1));
        assert_eq!(http::exchange(installation.port, &head, "{}").await.status, 403, "{path}");
    }
    let inside = format!("{head}\nx-forwarded-for: 10.1.2.3");
    assert_eq!(http::exchange(installation.port, &inside, &body).await.status, 200);
}
