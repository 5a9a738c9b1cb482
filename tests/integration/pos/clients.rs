//! Screens that are not ours: npm `ws` and RxJS `webSocket`, by both ways of authenticating.

use pulso_harness::process::steady_port;
use pulso_harness::{ChaosProxy, Running, SECRET, Script};
use serde_json::{Value, json};

use super::{EACH, NEGOCIO, SALE, body, naming};
use crate::feeds::{assert_reached, configured, open};

/// A screen on RxJS.
fn rxjs(port: u16, more: &[&str]) -> Script {
    let (url, token) = (format!("ws://127.0.0.1:{port}/ws"), naming(NEGOCIO).sign(SECRET));
    let mut arguments = vec!["--url", &url, "--token", &token, "--timeout-ms", "30000", "--retry-ms", "50"];
    arguments.extend(more);
    Script::node("feeds_client.mjs", &arguments)
}

/// A screen on npm `ws`, which prints frames as they are.
fn npm_ws(port: u16, more: &[&str]) -> Script {
    let (url, token) = (format!("ws://127.0.0.1:{port}/ws"), naming(NEGOCIO).sign(SECRET));
    let mut arguments = vec!["--url", &url, "--token", &token, "--timeout-ms", "30000"];
    arguments.extend(more);
    Script::node("ws_client.mjs", &arguments)
}

async fn until_heard(pulso: &Running, screens: u64) {
    pulso.until_count("pulso_subscriptions", screens).await;
}

async fn sell(pulso: &Running, number: u64) {
    let answer = pulso.post("/notify/venta", &body(&SALE.replace("123", &number.to_string()), NEGOCIO)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The sales on the screen, up to and with one.
async fn sales(screen: &mut Script, up_to: u64) -> Vec<u64> {
    let mut sales = Vec::new();
    while sales.last() != Some(&up_to) {
        sales.push(screen.until("newSale").await["frame"]["data"]["saleId"].as_u64().unwrap());
    }
    sales
}

#[tokio::test]
async fn npm_ws_and_rxjs_hear_every_event_by_both_ways_of_authenticating() {
    let (pulso, _database) = open().await;
    let port = pulso.port();
    let mut screens = [
        npm_ws(port, &["--auth", "query", "--count", "4"]),
        npm_ws(port, &["--auth", "message", "--count", "4"]),
        rxjs(port, &["--auth", "query"]),
        rxjs(port, &["--auth", "message", "--ping-ms", "100"]),
    ];
    until_heard(&pulso, 4).await;
    // The way in is the reader's own business; an open connection is a line of its own.
    for screen in &mut screens {
        screen.until("open").await;
    }
    for (path, kind, data) in EACH {
        assert_reached(&pulso.post(path, &body(data, NEGOCIO)).await, 4);
        for (place, screen) in screens.iter_mut().enumerate() {
            let heard = screen.until(if place < 2 { "frame" } else { kind }).await;
            let frame = &heard["frame"];
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!((&frame["type"], &frame["data"]), (&json!(kind), &data), "{heard}");
            assert_eq!(frame.as_object().unwrap().len(), 3, "{heard}");
        }
    }
    assert_eq!(screens[3].until("pong").await["frame"], json!({ "type": "pong" }));
}

#[tokio::test]
async fn an_rxjs_screen_whose_line_breaks_misses_no_sale() {
    let (pulso, _database) = open().await;
    let line = ChaosProxy::start(pulso.port()).await;
    let mut screen = rxjs(line.port(), &["--since"]);
    until_heard(&pulso, 1).await;
    sell(&pulso, 0).await;
    let mut heard = sales(&mut screen, 0).await;
    for round in 0..3 {
        line.refuse().await;
        until_heard(&pulso, 0).await;
        for number in 1..4 {
            sell(&pulso, round * 4 + number).await;
        }
        line.restore().await;
        until_heard(&pulso, 1).await;
        sell(&pulso, round * 4 + 4).await;
        heard.extend(sales(&mut screen, round * 4 + 4).await);
    }
    assert_eq!(heard, (0..=12).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_rxjs_screen_is_told_to_reload_after_a_restart_and_goes_on() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("PORT", &steady_port().to_string());
    let running = pulso.ready().await;
    let mut screen = rxjs(running.port(), &["--since", "--until", "{\"saleId\":2}"]);
    until_heard(&running, 1).await;
    sell(&running, 1).await;
    sales(&mut screen, 1).await;
    drop(running);
    let running = pulso.ready().await;
    assert_eq!(screen.until("resync").await["frame"], json!({ "type": "resync" }));
    sell(&running, 2).await;
    let (lines, code) = screen.rest().await;
    assert_eq!((code, &lines.last().unwrap()["event"]), (Some(0), &json!("done")), "{lines:?}");
}
