//! Real clients: `socket.io-client` by each of its transports, and `python-socketio`.

use pulso_harness::process::steady_port;
use pulso_harness::{Packets, Running, SECRET, Script};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::slow_readers::status_of;
use super::{OTHER, RESTAURANT, auth, confirmed, order, reached, server, status, waiter};

/// A script of each library and transport.
fn clients(running: &Running, more: &[&str]) -> Vec<Script> {
    let url = format!("http://127.0.0.1:{}/", running.port());
    let mut clients = Vec::new();
    for transports in ["websocket", "polling", "polling,websocket"] {
        let arguments = [&["--url", &url, "--transports", transports], more].concat();
        clients.push(Script::node("socketio_client.mjs", &arguments));
        clients.push(Script::python("socketio_client.py", &arguments));
    }
    clients
}

/// The next event of the server's.
async fn message(client: &mut Script) -> Value {
    client.until("message").await
}

#[tokio::test]
async fn real_clients_connect_by_header_and_by_auth_and_read_their_orders() {
    let running = server().start().await;
    let token = waiter(RESTAURANT).sign(SECRET);
    let mut clients = clients(&running, &["--bearer", &token]);
    clients.extend(self::clients(&running, &["--auth", &auth(RESTAURANT).to_string()]));
    for client in &mut clients {
        client.until("connect").await;
    }
    assert_eq!(reached(&running, "/notify/order/new", &order(RESTAURANT, 1)).await, clients.len() as u64);
    for client in &mut clients {
        for (name, payload) in [("order.new", order(RESTAURANT, 1)), ("order.status.changed", confirmed(RESTAURANT, 1))]
        {
            let message = message(client).await;
            assert_eq!((&message["name"], message["args"].as_array().unwrap().len()), (&json!(name), 1), "{message}");
            assert_eq!(message["raw"], format!(r#"2["{name}",{payload}]"#));
        }
    }
}

#[tokio::test]
async fn real_clients_read_why_they_may_not_enter() {
    let running = server().start().await;
    let nameless = waiter(RESTAURANT).without("restaurantId").sign(SECRET);
    for (auth, message) in [
        (json!({}), "No token provided"),
        (json!({ "token": "rubbish" }), "Invalid token"),
        (json!({ "token": nameless }), "No restaurantId"),
    ] {
        for mut client in clients(&running, &["--auth", &auth.to_string()]) {
            assert_eq!(client.until("connect_error").await["message"], message);
        }
    }
}

#[tokio::test]
async fn a_long_replay_survives_the_upgrade_that_happens_meanwhile() {
    let running = server().start().await;
    let mut watching = Packets::open(running.port(), &[]).await;
    let with = |since: &str| json!({ "token": waiter(RESTAURANT).sign(SECRET), "since": since });
    watching.connect(&with("")).await;
    for number in 0..=100 {
        reached(&running, "/notify/order/status", &status_of(number, 3_000)).await;
    }
    let first = watching.expect().await;
    let id = first.rsplit_once(r#"{"id":""#).unwrap().1.trim_end_matches(r#""}]"#).to_owned();
    for mut client in clients(&running, &["--auth", &with(&id).to_string()]) {
        for number in 1..=100 {
            assert_eq!(message(&mut client).await["args"][0]["orderId"], format!("o-{number}"));
        }
    }
}

#[tokio::test]
async fn a_client_that_comes_back_with_since_has_what_it_missed_and_hears_when_that_cannot_be_by_upgrade() {
    comes_back("polling,websocket").await;
}

#[tokio::test]
async fn a_client_that_comes_back_with_since_has_what_it_missed_and_hears_when_that_cannot_be_by_polling() {
    comes_back("polling").await;
}

async fn comes_back(transports: &str) {
    let port = steady_port().to_string();
    let pulso = server().with("PORT", &port).with("SHUTDOWN_GRACE", "1s");
    let running = pulso.start().await;
    let url = format!("http://127.0.0.1:{port}/");
    let auth = auth(RESTAURANT).to_string();
    let arguments = ["--url", &url, "--auth", &auth, "--since", "", "--reconnect", "--transports", transports];
    let mut client = Script::node("socketio_client.mjs", &arguments);
    client.until("connect").await;
    reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await;
    let first = message(&mut client).await;
    let id = first["args"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(first["raw"], format!(r#"2["order.status.changed",{},{{"id":"{id}"}}]"#, status(RESTAURANT, 1)));

    // Away from the server, not the server away.
    client.ask(&json!({ "drop": true })).await;
    client.until("done").await;
    for number in 2..5 {
        reached(&running, "/notify/order/status", &status(RESTAURANT, number)).await;
        reached(&running, "/notify/order/status", &status(OTHER, number)).await;
    }
    client.ask(&json!({ "return": true })).await;
    client.until("connect").await;
    for number in 2..5 {
        let replayed = message(&mut client).await;
        assert_eq!(replayed["args"][0]["orderId"], format!("o-{number}"));
    }

    running.signal(Signal::TERM);
    let lost = client.until("disconnect").await;
    assert_eq!(lost["willReturn"], true, "{lost}");
    assert_eq!(running.ended().await, 0);
    let running = pulso.start().await;
    client.until("connect").await;
    let resync = message(&mut client).await;
    assert_eq!(resync["raw"], r#"2["resync",{"type":"resync"}]"#);
    reached(&running, "/notify/order/status", &status(RESTAURANT, 9)).await;
    assert_eq!(message(&mut client).await["args"][0]["orderId"], "o-9");
}
