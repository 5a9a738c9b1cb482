//! How a stream of the second version ends, how it goes on, and how a name is added to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pulso_harness::{EventStream, Running, token};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::stream::{hear, path};
use super::{assert_keys, cashier, id};
use crate::business::{NEGOCIO, owner};
use crate::feeds::{configured, open};

fn shop() -> String {
    format!("negocio:{NEGOCIO}")
}

async fn listening(pulso: &Running, path: &str, headers: &[(&str, &str)]) -> EventStream {
    let mut stream = EventStream::open(pulso.port(), path, headers).await;
    hear(&mut stream, "hello").await;
    stream
}

/// The last event, which must be `close` for this reason, and what it says beside.
async fn assert_closed(stream: &mut EventStream, code: u16, reason: &str) -> Value {
    let last = stream.last().await.expect("a reason");
    assert_eq!(last.name, "close", "{last:?}");
    let farewell = last.json();
    assert_keys(&farewell, &["type", "code", "reason", "again", "after"]);
    assert_eq!(
        (&farewell["type"], &farewell["code"], &farewell["reason"]),
        (&json!("closing"), &json!(code), &json!(reason))
    );
    farewell
}

#[tokio::test]
async fn a_stream_says_when_its_token_ends_and_that_it_did() {
    let (pulso, _database) = open().await;
    let exp = token::now() + 3;
    let mut stream = listening(&pulso, &path(&[&shop()], &cashier().with("exp", json!(exp))), &[]).await;
    hear(&mut stream, "subscribed").await;
    assert_eq!(hear(&mut stream, "expiring").await["expires"], exp);
    let farewell = assert_closed(&mut stream, 4001, "token expired").await;
    assert_eq!((&farewell["again"], &farewell["after"]), (&json!(false), &json!(0)));
}

#[tokio::test]
async fn a_stream_says_why_it_ends_and_when_to_come_again() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("SHUTDOWN_GRACE", "2s").ready().await;
    let mut dismissed = listening(&pulso, &path(&[&shop()], &cashier()), &[]).await;
    let mut last = listening(&pulso, &path(&[], &owner()), &[]).await;
    pulso.post("/api/disconnect", r#"{"user":"cajera"}"#).await;
    assert_eq!(assert_closed(&mut dismissed, 4001, "session ended").await["again"], false);
    pulso.signal(Signal::TERM);
    let farewell = assert_closed(&mut last, 1001, "going away").await;
    assert_eq!((&farewell["again"], &farewell["after"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn who_comes_back_has_what_it_missed_or_is_told_which_channels_have_a_hole() {
    let (pulso, _database) = open().await;
    let (shop, canal) = (shop(), format!("canal:{NEGOCIO}:caja"));
    let names = [shop.as_str(), &canal, "consulta:abiertas"];
    let path = path(&names, &cashier());
    let mut first = pulso.events(&path).await;
    let event = first.next().await.unwrap();
    let hello = event.json();
    assert_eq!((&hello["type"], event.id.as_deref()), (&json!("hello"), hello["id"].as_str()), "a browser keeps it");
    drop(first);
    pulso.until_count("pulso_connections", 0).await;
    let table = |number: u64| json!({ "negocio_id": NEGOCIO, "tableId": number, "action": "x" }).to_string();
    pulso.post("/notify/mesa", &table(0)).await;
    pulso.post("/api/publish", &json!({ "channel": canal, "type": "x", "data": 1 }).to_string()).await;
    pulso.post("/notify/mesa", &table(1)).await;
    let position = hello["id"].as_str().unwrap();
    for (more, headers) in [(String::new(), vec![("last-event-id", position)]), (format!("&since={position}"), vec![])]
    {
        let mut back = listening(&pulso, &format!("{path}{more}"), &headers).await;
        let mut missed = Vec::new();
        while missed.len() < 3 {
            let frame = back.message().await;
            assert_ne!(frame["type"], "resync", "{frame}");
            if frame["id"].is_string() && frame["type"] != "subscribed" {
                missed.push(id(&frame));
            }
        }
        assert!(missed.is_sorted(), "{missed:?}");
    }
    for nonsense in ["1", "x", "18446744073709551616"] {
        let mut lost = EventStream::open(pulso.port(), &path, &[("last-event-id", nonsense)]).await;
        let mut told = Vec::new();
        let mut position = String::new();
        while told.len() < 2 {
            let event = lost.next().await.unwrap();
            let frame = event.json();
            if frame["type"] == "hello" {
                assert_eq!(event.id, None, "who is cut off here does not know yet what it lacks");
            }
            if frame["type"] == "resync" {
                assert_eq!(event.id.as_deref(), frame["id"].as_str(), "a browser keeps it");
                assert_keys(&frame, &["type", "channels", "id"]);
                told.extend(frame["channels"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()));
                position = frame["id"].as_str().unwrap().to_owned();
            }
        }
        told.sort();
        assert_eq!(told, [canal.clone(), shop.clone()], "{nonsense}: of states the newest is enough");
        // It has reloaded, and is not told so again.
        let mut back = listening(&pulso, &path, &[("last-event-id", &position)]).await;
        pulso.post("/notify/mesa", &table(9)).await;
        loop {
            let frame = back.message().await;
            assert_ne!(frame["type"], "resync", "{frame}");
            if frame["type"] == "updateTable" {
                break;
            }
        }
    }
}

/// Publishes on three channels by turns until it is told to stop; how many of each.
async fn publish(pulso: &Running, is_over: &AtomicBool) -> u64 {
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        let table = json!({ "negocio_id": NEGOCIO, "tableId": number, "action": "x" }).to_string();
        assert_eq!(pulso.post("/notify/mesa", &table).await.status, 200);
        for name in ["a", "b"] {
            let body =
                json!({ "channel": format!("canal:{NEGOCIO}:{name}"), "type": "own", "data": number }).to_string();
            assert_eq!(pulso.post("/api/publish", &body).await.status, 200);
        }
        number += 1;
    }
    number
}

#[tokio::test]
async fn a_name_is_added_by_the_next_stream_under_load_and_nothing_is_lost_or_comes_twice() {
    const ROUNDS: usize = 12;
    let (pulso, _database) = open().await;
    let (pulso, is_over) = (Arc::new(pulso), Arc::new(AtomicBool::new(false)));
    let (shop, a, b) = (shop(), format!("canal:{NEGOCIO}:a"), format!("canal:{NEGOCIO}:b"));
    let few = path(&[&shop, &a], &cashier());
    let more = path(&[&shop, &a, &b], &cashier());
    let mut stream = pulso.events(&few).await;
    let mut last = id(&hear(&mut stream, "hello").await);
    let publisher = tokio::spawn({
        let (pulso, is_over) = (Arc::clone(&pulso), Arc::clone(&is_over));
        async move { publish(&pulso, &is_over).await }
    });
    // What was heard of each channel: an id of what came, and what it said.
    let mut heard: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    let mut note = |frame: &Value| {
        let (Some(channel), true) = (frame["channel"].as_str(), frame["timestamp"].is_string()) else { return None };
        let said = frame["data"].as_u64().or_else(|| frame["data"]["tableId"].as_u64()).unwrap();
        let of_channel = heard.entry(channel.to_owned()).or_default();
        // A client knows what it has by its id.
        if of_channel.last().is_none_or(|(newest, _)| *newest < id(frame)) {
            of_channel.push((id(frame), said));
        }
        Some(id(frame))
    };
    let mut first_of_b = None;
    for round in 0..ROUNDS {
        for _ in 0..20 {
            last = note(&stream.message().await).map_or(last, |id| id.max(last));
        }
        // With the third name, and then without it again: it is what comes of the others that must be whole.
        let next = if round % 2 == 0 { &more } else { &few };
        let mut newer = EventStream::open(pulso.port(), &format!("{next}&since={last}"), &[]).await;
        if round == 0 {
            first_of_b = Some(last);
        }
        hear(&mut newer, "hello").await;
        // The old one goes on until the new one listens.
        for _ in 0..3 {
            note(&stream.message().await);
        }
        stream = newer;
    }
    let mut back = EventStream::open(pulso.port(), &format!("{more}&since={last}"), &[]).await;
    hear(&mut back, "hello").await;
    is_over.store(true, Ordering::Relaxed);
    let told = publisher.await.unwrap();
    // The last of each.
    let mut ended = BTreeSet::new();
    while ended.len() < 3 {
        let frame = back.message().await;
        note(&frame);
        let said = frame["data"].as_u64().or_else(|| frame["data"]["tableId"].as_u64());
        if said == Some(told - 1) {
            ended.insert(frame["channel"].as_str().unwrap().to_owned());
        }
    }
    for channel in [&shop, &a] {
        let said: Vec<u64> = heard[channel].iter().map(|(_, said)| *said).collect();
        let whole: Vec<u64> = (said[0]..told).collect();
        assert_eq!(said, whole, "{channel}");
    }
    assert!(heard[&b].iter().all(|(id, _)| Some(*id) > first_of_b));
}
