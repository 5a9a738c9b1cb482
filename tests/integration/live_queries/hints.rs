//! What announces a change by the way: the hooks that a query names, and a database's triggers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{KITCHEN, OPEN, Restaurants, TOTAL, heard, result, subscribe};

/// A new order, as the restaurant's hook is told of it.
fn new_order(restaurant: &str) -> String {
    format!(
        r#"{{"orderId":"o","restaurantId":"{restaurant}","tableSessionId":"s","status":"CONFIRMED","createdAt":"x"}}"#
    )
}

#[tokio::test]
async fn a_hook_hints_the_key_that_its_call_names_and_queries_without_one() {
    let restaurants = Restaurants::open().await;
    let mut screen = restaurants.waiter("r-1").await;
    for channel in ["consulta:cocina:r-1", "consulta:abiertos:r-1", "consulta:total"] {
        subscribe(&mut screen, channel).await;
        result(&mut screen, channel).await;
    }
    restaurants.order("r-1", "PENDING").await;
    let answer = restaurants.pulso.post("/notify/order/new", &new_order("r-1")).await;
    assert_eq!(answer.json(), json!({ "ok": true, "clients": 0 }), "{answer:?}");
    let mut hinted = BTreeSet::new();
    while hinted.len() < 2 {
        let frame = screen.next().await;
        let is_new = frame["data"]["todos"] == 1 || frame["data"]["pedidos"] == 1;
        assert_ne!(frame["data"], json!([{ "id": 1, "estado": "PENDING" }]), "abiertos names no hook");
        if is_new {
            hinted.insert(frame["channel"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(hinted, ["consulta:cocina:r-1", "consulta:total"].map(str::to_owned).into());
}

#[tokio::test]
async fn a_call_that_names_nothing_hints_only_queries_without_a_key() {
    let restaurants = Restaurants::with(
        &[
            (
                "mesas.sql",
                "-- access: authenticated\n-- hints: mesa\nSELECT count(*) AS n FROM pedidos WHERE restaurante = $1\n",
            ),
            (
                "todas.sql",
                "-- access: authenticated\n-- key: none\n-- hints: mesa\nSELECT count(*) AS n FROM pedidos\n",
            ),
        ],
        |pulso| pulso.with("POS_SINGLE_BUSINESS", "true"),
    )
    .await;
    let mut screen = restaurants.waiter("r-1").await;
    for channel in ["consulta:mesas:r-1", "consulta:todas"] {
        subscribe(&mut screen, channel).await;
        result(&mut screen, channel).await;
    }
    restaurants.order("r-1", "PENDING").await;
    assert_eq!(restaurants.pulso.post("/notify/mesa", r#"{"tableId":1,"action":"x"}"#).await.status, 200);
    loop {
        let frame = screen.next().await;
        // The sale itself comes to every screen.
        if frame["type"] == "consulta" && frame["data"] == json!({ "n": 1 }) {
            assert_eq!(frame["channel"], "consulta:todas");
            break;
        }
    }
    let rest = heard(&mut screen).await;
    assert!(rest.iter().all(|frame| frame["channel"] != "consulta:mesas:r-1" || frame["data"]["n"] == 0), "{rest:?}");
}

#[tokio::test]
async fn a_hint_that_changes_nothing_sends_nothing() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN), ("total.sql", TOTAL)], |pulso| pulso).await;
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, "consulta:cocina:r-1").await;
    result(&mut screen, "consulta:cocina:r-1").await;
    for _ in 0..5 {
        restaurants.pulso.post("/notify/order/new", &new_order("r-1")).await;
    }
    // Whoever asks is answered; what was hinted before has been read by then.
    restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await;
    assert_eq!(result(&mut screen, "consulta:cocina:r-1").await["todos"], 0);
    assert_eq!(heard(&mut screen).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_call_that_is_wrong_hints_nothing() {
    let restaurants = Restaurants::with(&[("total.sql", TOTAL), ("abiertos.sql", OPEN)], |pulso| pulso).await;
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, "consulta:total").await;
    result(&mut screen, "consulta:total").await;
    restaurants.order("r-1", "PENDING").await;
    assert_eq!(restaurants.pulso.post("/notify/order/new", r#"{"restaurantId":"r-1"}"#).await.status, 400);
    assert!(heard(&mut screen).await.iter().all(|frame| frame["data"]["pedidos"] == 0));
}
