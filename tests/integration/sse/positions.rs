//! Where a stream stands: said before its first event, and what a client says when it comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pulso_harness::{Claims, EventStream, Running};
use serde_json::json;
use tokio::task::JoinSet;

use super::{DEVICES, KIOSK, NEGOCIO, cashier, happens, next_table, nurse, path, sales, table};
use crate::business::owner;
use crate::feeds::{assert_reached, open};

/// The position in the head of a stream, which says nothing else.
async fn head(stream: &mut EventStream) -> u64 {
    let block = stream.next_block().await.expect("the stream goes on");
    assert_eq!((block.data.as_str(), block.comments, block.retry), ("", 0, None), "{block:?}");
    block.id.as_ref().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no position: {block:?}"))
}

async fn back(pulso: &Running, path: &str, id: u64) -> EventStream {
    EventStream::open(pulso.port(), path, &[("last-event-id", &id.to_string())]).await
}

#[tokio::test]
async fn what_happens_before_a_streams_first_event_is_not_lost_when_it_is_cut() {
    let (pulso, database) = open().await;
    database.execute(DEVICES).await;
    let canal = format!("canal:{NEGOCIO}:caja");
    let named = Claims::user("caja").with("negocio_id", json!(NEGOCIO));
    let published = format!(r#"{{"channel":"{canal}","type":"x","data":1}}"#);
    for (stream, hook, body) in [
        (sales(), "/notify/mesa", table(NEGOCIO, 7)),
        (path(&canal, &owner()), "/api/publish", published.clone()),
        (path(&canal, &named), "/api/publish", published),
        (path("staff_orders", &nurse()), "/notify/pedido", r#"{"order_id":1,"device_uid":"a","placed_at":"x"}"#.into()),
        (
            KIOSK.to_owned(),
            "/notify/pedido/estado",
            r#"{"device_id":1,"order_id":1,"status":"READY","from_status":"PLACED","changed_at":"x"}"#.to_owned(),
        ),
    ] {
        let mut first = pulso.events(&stream).await;
        let position = head(&mut first).await;
        drop(first);
        pulso.until_count("pulso_connections", 0).await;
        assert_reached(&pulso.post(hook, &body).await, 0);
        let mut second = back(&pulso, &stream, position).await;
        let missed = second.next().await.unwrap();
        assert_eq!(missed.id, Some((position + 1).to_string()), "{stream}: {missed:?}");
        drop(second);
        pulso.until_count("pulso_connections", 0).await;
        // Who comes with a position and has missed nothing still has one to come back with.
        let mut third = back(&pulso, &stream, position + 1).await;
        let block = third.next_block().await.unwrap();
        assert!(block.data.is_empty() && block.id.is_none_or(|id| id == (position + 1).to_string()), "{stream}");
        drop(third);
        pulso.until_count("pulso_connections", 0).await;
    }
    let mut figures = pulso.events(&path(&format!("estadisticas:{NEGOCIO}"), &owner())).await;
    for _ in 0..2 {
        assert_eq!(figures.next_block().await.unwrap().id, None, "figures are not resumed");
    }
}

#[tokio::test]
async fn a_position_by_its_other_name_is_newer_than_the_addresss_and_older_than_the_headers() {
    let (pulso, _database) = open().await;
    let mut first = pulso.events(&sales()).await;
    let zero = head(&mut first).await;
    happens(&pulso, 0..4).await;
    let (third, sales) = ((zero + 3).to_string(), sales());
    for (more, headers) in [
        (format!("&lastEventId={third}"), vec![]),
        (format!("&since={zero}&lastEventId={third}"), vec![]),
        (format!("&lastEventId={third}&since=x"), vec![]),
        (format!("&lastEventId=&since={third}"), vec![]),
        (format!("&since={third}"), vec![("last-event-id", "")]),
        (format!("&lastEventId={zero}&since={zero}"), vec![("last-event-id", third.as_str())]),
    ] {
        let mut back = EventStream::open(pulso.port(), &format!("{sales}{more}"), &headers).await;
        assert_eq!(next_table(&mut back).await.1, 3, "{more} {headers:?}");
    }
    // On a WebSocket too, which then knows ids.
    let mut socket = pulso.open(&format!("{}&lastEventId={third}", crate::feeds::signed("/ws", &cashier()))).await;
    let missed = socket.next().await;
    assert_eq!((&missed["id"], &missed["data"]["tableId"]), (&json!((zero + 4).to_string()), &json!(3)));
}

#[tokio::test]
async fn after_a_gap_a_stream_is_told_to_reload_and_then_where_it_stands() {
    let (pulso, _database) = open().await;
    happens(&pulso, 0..1).await;
    for unknown in ["1", "x", "18446744073709551615", "1, 2", "-5"] {
        let mut stream = EventStream::open(pulso.port(), &sales(), &[("last-event-id", unknown)]).await;
        let told = stream.next_block().await.unwrap();
        assert_eq!((told.id, told.data.as_str()), (None, r#"{"type":"resync"}"#), "{unknown}");
        let position = head(&mut stream).await;
        let mut back = back(&pulso, &sales(), position).await;
        assert_eq!(head(&mut back).await, position, "it has reloaded, and is not told so again");
    }
}

#[tokio::test]
async fn between_a_streams_position_and_its_events_nothing_is_lost_or_doubled() {
    const CONNECTIONS: u64 = 20;
    let (pulso, _database) = open().await;
    let pulso = Arc::new(pulso);
    let mut witness = pulso.events(&sales()).await;
    head(&mut witness).await;
    let mut newcomers = JoinSet::new();
    for _ in 0..8 {
        let pulso = Arc::clone(&pulso);
        newcomers.spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..CONNECTIONS {
                let mut stream = pulso.events(&sales()).await;
                let position = head(&mut stream).await;
                let (id, _) = next_table(&mut stream).await;
                seen.push((position, id.parse::<u64>().unwrap()));
            }
            seen
        });
    }
    let (pulso, is_over) = (Arc::clone(&pulso), Arc::new(AtomicBool::new(false)));
    let publisher = tokio::spawn({
        let is_over = Arc::clone(&is_over);
        async move {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                happens(&pulso, number..number + 1).await;
                number += 1;
            }
            number
        }
    });
    let seen: Vec<(u64, u64)> = newcomers.join_all().await.into_iter().flatten().collect();
    is_over.store(true, Ordering::Relaxed);
    let mut ids = Vec::new();
    for number in 0..publisher.await.unwrap() {
        let (id, seen) = next_table(&mut witness).await;
        assert_eq!(seen, number);
        ids.push(id.parse::<u64>().unwrap());
    }
    for (position, first) in seen {
        assert_eq!(ids.iter().copied().find(|id| *id > position), Some(first), "of {ids:?} after {position}");
    }
}
