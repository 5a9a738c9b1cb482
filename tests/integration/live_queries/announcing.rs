//! `POST /notify/consulta`: what it takes, what it answers, and what it does nothing for.

use std::time::Duration;

use pulso_harness::Answer;
use serde_json::{Value, json};

use super::{KITCHEN, Restaurants, TOTAL, result, subscribe};
use crate::feeds::assert_refused;

const NUMBERS: &str = "-- access: authenticated\nSELECT count(*) AS n FROM pedidos WHERE id = $1\n";

fn assert_bad(answer: &Answer, what: &Value) {
    assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("bad_request")), "{what}: {answer:?}");
}

#[tokio::test]
async fn several_queries_and_keys_are_announced_by_one_call() {
    let restaurants = Restaurants::open().await;
    let mut screens = Vec::new();
    for restaurant in ["r-1", "r-2"] {
        let mut screen = restaurants.waiter(restaurant).await;
        for query in ["cocina", "abiertos"] {
            let channel = format!("consulta:{query}:{restaurant}");
            subscribe(&mut screen, &channel).await;
            result(&mut screen, &channel).await;
        }
        screens.push((restaurant, screen));
    }
    restaurants.order("r-1", "PENDING").await;
    restaurants.order("r-2", "PENDING").await;
    let call = json!({ "names": ["cocina", "abiertos", "cocina"], "keys": ["r-1", "r-2", "r-3", "r-1"] });
    let answer = restaurants.announce(&call).await;
    assert_eq!((answer.status, &answer.json()["subscribers"]), (200, &json!(4)), "{answer:?}");
    for (restaurant, screen) in &mut screens {
        let mut heard = Vec::new();
        for _ in 0..2 {
            let frame = screen.next().await;
            assert!(frame["seq"].as_u64() <= answer.json()["seq"].as_u64(), "{frame}");
            heard.push(frame["channel"].as_str().unwrap().to_owned());
        }
        heard.sort();
        assert_eq!(heard, [format!("consulta:abiertos:{restaurant}"), format!("consulta:cocina:{restaurant}")]);
    }
}

#[tokio::test]
async fn nothing_is_done_where_anything_is_wrong() {
    let files = [("cocina.sql", KITCHEN), ("total.sql", TOTAL), ("numeros.sql", NUMBERS)];
    let restaurants = Restaurants::with(&files, |pulso| pulso).await;
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, "consulta:cocina:r-1").await;
    result(&mut screen, "consulta:cocina:r-1").await;
    subscribe(&mut screen, "consulta:total").await;
    result(&mut screen, "consulta:total").await;
    let many: Vec<String> = (0..101).map(|number| format!("r-{number}")).collect();
    for call in [
        json!({}),
        json!({ "name": "nada", "key": "r-1" }),
        json!({ "name": "Cocina", "key": "r-1" }),
        json!({ "names": ["cocina", "nada"], "key": "r-1" }),
        json!({ "name": "cocina" }),
        json!({ "name": "cocina", "key": 7 }),
        json!({ "name": "cocina", "key": "" }),
        json!({ "name": "cocina", "key": "r-1\u{0}" }),
        json!({ "name": "cocina", "key": "x".repeat(10_000) }),
        json!({ "name": "cocina", "keys": [] }),
        json!({ "name": "cocina", "keys": many }),
        json!({ "name": "cocina", "key": "r-1", "keys": ["r-1"] }),
        json!({ "names": ["cocina", "total"], "key": "r-1" }),
        json!({ "name": "total", "key": "r-1" }),
        json!({ "name": "numeros", "key": "r-1" }),
        json!({ "name": "numeros", "key": "2147483648" }),
        json!({ "names": ["cocina", "numeros"], "key": "r-1" }),
        json!({ "name": "cocina", "key": "r-1", "xid": "12x" }),
        json!({ "name": "cocina", "key": "r-1", "xid": 2 }),
    ] {
        assert_bad(&restaurants.announce(&call).await, &call);
    }
    assert_eq!(restaurants.pulso.count("pulso_notices_total").await, 0);
    assert_eq!(restaurants.announce(&json!({ "name": "numeros", "key": "007" })).await.status, 200);
    let quoted = "r'1\\\"; --";
    assert_eq!(restaurants.announce(&json!({ "name": "cocina", "key": quoted })).await.status, 200);
}

#[tokio::test]
async fn only_who_has_the_key_of_the_hooks_announces() {
    let restaurants = Restaurants::open().await;
    let head = "POST /notify/consulta HTTP/1.1\ncontent-type: application/json";
    let answer = restaurants.pulso.exchange(head, r#"{"name":"total"}"#).await;
    assert_refused(&answer, 401, "send the key");
    let open = Restaurants::with(&[("total.sql", TOTAL)], |pulso| pulso.with("NOTIFY_CITA_OPEN", "true")).await;
    assert_refused(&open.pulso.exchange(head, r#"{"name":"total"}"#).await, 401, "send the key");
    let none = Restaurants::with(&[("total.sql", TOTAL)], |pulso| pulso.with("NOTIFY_API_KEY", "")).await;
    assert_refused(&none.pulso.exchange(head, r#"{"name":"total"}"#).await, 503, "this is not configured");
}

#[tokio::test]
async fn keys_that_nobody_watches_cost_no_read() {
    let restaurants = Restaurants::open().await;
    let before = restaurants.pulso.count("pulso_queries_total").await;
    for round in 0..10 {
        let keys: Vec<String> = (0..100).map(|number| format!("r-{round}-{number}")).collect();
        let answer = restaurants.announce(&json!({ "name": "cocina", "keys": keys })).await;
        assert_eq!(answer.json(), json!({ "ok": true, "subscribers": 0, "seq": null }));
    }
    assert_eq!(restaurants.pulso.count("pulso_queries_total").await, before);
}

#[tokio::test]
async fn a_read_that_may_only_begin_after_the_deadline_is_accepted_for_later() {
    let slowly = format!("-- min_gap: 6s\n{KITCHEN}");
    let restaurants = Restaurants::with(&[("cocina.sql", &slowly)], |pulso| pulso.with("HOOK_TIMEOUT", "2s")).await;
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, "consulta:cocina:r-1").await;
    let first = screen.next().await;
    restaurants.order("r-1", "PENDING").await;
    let answer = restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await;
    assert_eq!((answer.status, answer.json()), (202, json!({ "ok": true, "subscribers": 1, "seq": null })));
    let second = tokio::time::timeout(Duration::from_secs(20), screen.next()).await.expect("it is read later");
    assert_ne!(second["data"], first["data"]);
}
