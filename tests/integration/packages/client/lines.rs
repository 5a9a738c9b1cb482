//! The line: one for all, cut and come again, on either transport.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pulso_harness::{ChaosProxy, Claims, SECRET};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::program::Program;
use crate::business::{NEGOCIO, OWNER, citas, owner};
use crate::feeds::{configured, open};

const CUTS: usize = 50;
/// Some 200 events a second.
const PACE: Duration = Duration::from_millis(5);

fn names(all: &Value, name: &str) -> Vec<u64> {
    let values = all["taken"][name]["values"].as_array().unwrap();
    values.iter().map(|value| value["data"]["n"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_hundred_subscriptions_are_one_socket_one_subscribe_and_leave_no_trace() {
    let (pulso, database) = open().await;
    let mut program = Program::required().await;
    program.line(pulso.port(), &[owner().sign(SECRET)], json!({})).await;
    let hundred: Vec<String> = (0..100).map(|n| format!("s{n}")).collect();
    program.ask(json!({ "do": "take", "names": hundred, "kind": "stats", "with": [NEGOCIO] })).await;
    let all = program.until("Object.values(it.taken).every(({ latest }) => latest)").await;
    assert_eq!(all["sockets"], 1);
    assert_eq!(program.eval("it.sent.filter((type) => type === 'subscribe').length").await, 1);
    citas(&database, NEGOCIO, 3, "pendiente", "'2020-01-01'").await;
    pulso.notify(NEGOCIO).await;
    program.until("Object.values(it.taken).every(({ latest }) => latest.total_citas === 3)").await;
    assert_eq!(program.end().await, 0);
}

#[tokio::test]
async fn numbers_arrive_to_the_letter_and_events_of_all_feeds_on_one_socket() {
    let (pulso, _database) = open().await;
    let mut program = Program::new().await;
    let token = Claims::naming(OWNER, &[NEGOCIO]).with("restaurantId", json!("r-1")).with("role", json!("ADMIN"));
    program.line(pulso.port(), &[token.sign(SECRET)], json!({})).await;
    for (name, kind) in [("sales", "sales"), ("orders", "orders"), ("staff", "staff")] {
        program.take(name, kind, json!([])).await;
    }
    program.until("Object.values(it.taken).every(({ state }) => state === 'live')").await;
    let sale = r#""saleId":1234567890123456789,"tableId":null,"total":45.50,"timestamp":"2025-07-20T10:30:00Z""#;
    assert_eq!(pulso.post("/notify/venta", &format!(r#"{{"negocio_id":"{NEGOCIO}",{sale}}}"#)).await.status, 200);
    let order = r#"{"orderId":"o-1","restaurantId":"r-1","tableSessionId":"s-1","status":"CONFIRMED","createdAt":"2024-01-01T00:00:00.000Z"}"#;
    assert_eq!(pulso.post("/notify/order/new", order).await.status, 200);
    let all = program.until("it.taken.sales.values.length === 1 && it.taken.orders.values.length > 0").await;
    let data = &all["taken"]["sales"]["values"][0]["data"];
    assert_eq!((&data["total"], &data["saleId"]), (&json!("45.50"), &json!("1234567890123456789")));
    assert_eq!(all["taken"]["orders"]["values"][0]["type"], "order.new");
    assert_eq!(all["sockets"], 1);
    assert_eq!(program.end().await, 0);
}

#[tokio::test]
async fn fifty_cuts_lose_nothing_and_repeat_nothing() {
    let (pulso, _database) = open().await;
    let pulso = Arc::new(pulso);
    let line = ChaosProxy::start(pulso.port()).await;
    let mut program = Program::new().await;
    program.line(line.port(), &[owner().sign(SECRET)], json!({ "backoff": { "min": 20, "max": 60 } })).await;
    program.take("caja", "channel", json!([format!("{NEGOCIO}:caja")])).await;
    program.until("it.taken.caja.state === 'live'").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let events = tokio::spawn({
        let (pulso, is_over) = (Arc::clone(&pulso), Arc::clone(&is_over));
        async move {
            let mut sent = 0;
            while !is_over.load(Ordering::Relaxed) {
                sent += 1;
                let body = format!(r#"{{"channel":"canal:{NEGOCIO}:caja","type":"turno","data":{{"n":{sent}}}}}"#);
                assert_eq!(pulso.post("/api/publish", &body).await.status, 200);
                tokio::time::sleep(PACE).await;
            }
            sent
        }
    });
    for _ in 0..CUTS {
        let before = program.eval("it.taken.caja.values.length").await;
        line.cut();
        // Back, and in the middle of what comes.
        program.until(&format!("it.taken.caja.values.length > {before} + 3")).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let sent: u64 = events.await.unwrap();
    let all = program.until(&format!("it.taken.caja.values.at(-1).data.n === {sent}")).await;
    let heard = names(&all, "caja");
    assert!(heard.windows(2).all(|two| two[0] < two[1]), "in order and once");
    let gaps = heard.windows(2).filter(|two| two[1] - two[0] > 1).count() as u64;
    assert_eq!(all["taken"]["caja"]["resyncs"].as_u64().unwrap(), gaps, "{} of {sent}", heard.len());
    assert_eq!(program.end().await, 0);
}

#[tokio::test]
async fn a_server_that_is_restarted_has_its_clients_back_with_what_is_there_then() {
    let (configured, database) = configured().await;
    let first = configured.ready().await;
    let line = ChaosProxy::start(first.port()).await;
    let mut program = Program::new().await;
    let options = json!({ "backoff": { "min": 50, "max": 100 }, "transports": ["websocket"] });
    program.line(line.port(), &[owner().sign(SECRET)], options).await;
    program.take("citas", "stats", json!([NEGOCIO])).await;
    program.until("it.taken.citas.state === 'live'").await;
    let port = first.port().to_string();
    first.signal(Signal::TERM);
    assert_eq!(first.ended().await, 0);
    let all = program.until("it.taken.citas.state === 'stale'").await;
    assert_eq!(all["taken"]["citas"]["latest"]["total_citas"], 0);
    citas(&database, NEGOCIO, 2, "pendiente", "'2020-01-01'").await;
    let _second = configured.with("PORT", &port).ready().await;
    program.until("it.taken.citas.state === 'live' && it.taken.citas.latest.total_citas === 2").await;
    assert_eq!(program.end().await, 0);
}

#[tokio::test]
async fn a_line_that_swallows_everything_is_noticed_and_replaced() {
    let (pulso, _database) = open().await;
    let line = ChaosProxy::start(pulso.port()).await;
    let mut program = Program::new().await;
    let mut quick = json!({ "pingEvery": 200, "answerWithin": 200, "backoff": { "min": 20, "max": 60 } });
    quick["transports"] = json!(["websocket"]);
    program.line(line.port(), &[owner().sign(SECRET)], quick).await;
    program.take("citas", "stats", json!([NEGOCIO])).await;
    program.until("it.taken.citas.state === 'live'").await;
    line.silence();
    program.until("it.errors.some(({ code }) => code === 'timeout')").await;
    line.restore().await;
    program.until("it.taken.citas.state === 'live'").await;
    assert_eq!(program.end().await, 0);
}

#[tokio::test]
async fn a_stream_does_what_a_socket_does() {
    let (pulso, database) = open().await;
    let mut program = Program::new().await;
    program.line(pulso.port(), &[owner().sign(SECRET)], json!({ "transports": ["sse"] })).await;
    program.take("citas", "stats", json!([NEGOCIO])).await;
    program.until("it.taken.citas.state === 'live'").await;
    program.take("caja", "channel", json!([format!("{NEGOCIO}:caja")])).await;
    program.until("it.taken.caja.state === 'live'").await;
    citas(&database, NEGOCIO, 3, "pendiente", "'2020-01-01'").await;
    pulso.notify(NEGOCIO).await;
    let body = format!(r#"{{"channel":"canal:{NEGOCIO}:caja","type":"turno","data":{{"n":1}}}}"#);
    assert_eq!(pulso.post("/api/publish", &body).await.status, 200);
    let all = program.until("it.taken.citas.latest.total_citas === 3 && it.taken.caja.values.length === 1").await;
    assert_eq!((&all["status"]["transport"], &all["sockets"]), (&json!("sse"), &json!(0)));
    assert_eq!(program.end().await, 0);
}
