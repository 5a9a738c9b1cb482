//! A stream of the second version in a library that is not ours, over a line that is cut: it comes back by itself.

use pulso_harness::{ChaosProxy, Script, wait};
use serde_json::{Value, json};

use super::stream::path;
use super::{cashier, id};
use crate::business::NEGOCIO;
use crate::feeds::open;

const EVENTS: u64 = 120;

/// The next frame of the library's stream, however often it has to come back for it.
async fn next_frame(client: &mut Script) -> (Value, Value) {
    loop {
        let line = client.next().await;
        assert_ne!(line["event"], "refused", "{line}");
        if let Some(text) = line["text"].as_str() {
            return (serde_json::from_str(text).unwrap(), line["id"].clone());
        }
    }
}

#[tokio::test]
async fn a_library_that_comes_back_by_itself_has_every_event_once_and_in_order() {
    let (pulso, _database) = open().await;
    let line = ChaosProxy::start(pulso.port()).await;
    let (shop, canal) = (format!("negocio:{NEGOCIO}"), format!("canal:{NEGOCIO}:caja"));
    let url = format!("http://127.0.0.1:{}{}", line.port(), path(&[&shop, &canal], &cashier()));
    let mut client = Script::node("words_stream.mjs", &[&url]);
    let (hello, kept) = next_frame(&mut client).await;
    assert_eq!((&hello["type"], &hello["id"]), (&json!("hello"), &kept), "what the library comes back with");
    let mut heard = Vec::new();
    for number in 0..EVENTS {
        let (hook, body) = match number % 2 {
            0 => ("/notify/mesa", json!({ "negocio_id": NEGOCIO, "tableId": number, "action": "x" })),
            _ => ("/api/publish", json!({ "channel": canal, "type": "own", "data": number })),
        };
        assert_eq!(pulso.post(hook, &body.to_string()).await.status, 200);
        if number % 20 == 7 {
            line.cut();
        }
        if number % 20 == 17 {
            wait::until(async || pulso.count("pulso_subscriptions").await == 2, "it is back").await;
        }
    }
    while (heard.len() as u64) < EVENTS {
        let (frame, kept) = next_frame(&mut client).await;
        match frame["type"].as_str() {
            Some("updateTable" | "own") => {
                assert_eq!(kept, frame["id"]);
                heard.push((id(&frame), frame["data"].as_u64().or_else(|| frame["data"]["tableId"].as_u64()).unwrap()));
            }
            Some("hello" | "subscribed") => {}
            _ => panic!("{frame}"),
        }
    }
    let numbers: Vec<u64> = heard.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, (0..EVENTS).collect::<Vec<_>>());
    assert!(heard.is_sorted_by(|one, other| one.0 < other.0));
}
