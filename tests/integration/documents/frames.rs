//! Every frame that is captured on the wire is one that `docs/asyncapi.yaml` describes, and every message there occurs.

use pulso::model::CloseReason;
use pulso_harness::{Claims, SECRET, Script};
use serde_json::json;

use super::KEY;
use super::capture::{
    Client, DEVICE, ORDERS, Record, SALES, Stream, WRONG, call, cook, everything, order, publish, sell, staff, withdraw,
};

fn owner() -> String {
    Claims::user("ana").sign(SECRET)
}

#[tokio::test]
async fn every_frame_is_one_that_asyncapi_describes_and_every_message_occurs() {
    let (running, _scratch) = everything().await;
    let mut record = Record::default();
    let mut client = Client::connect(&running, "ws", "/ws", &mut record).await;
    let channel = "estadisticas:n1";
    client.say(json!({ "type": "ping" }), &["error"]).await;
    client.say(json!({ "type": "auth", "token": "not.a.token" }), &["error"]).await;
    client.say(json!({ "type": "auth", "token": owner() }), &[]).await;
    client.say(json!({ "type": "auth", "data": { "token": owner() } }), &[]).await;
    client.say(json!({ "type": "ping" }), &["pong"]).await;
    client.say(json!({ "type": "subscribe", "data": { "channel": channel } }), &["stats"]).await;
    client.say(json!({ "type": "subscribe", "channel": channel }), &["stats"]).await;
    assert_eq!(running.notify("n1").await.status, 200);
    client.hear(&["stats"]).await;
    client.say(json!({ "type": "subscribe", "data": { "channel": "estadisticas:n2" } }), &["error"]).await;
    for live in ["consulta:abiertas", "consulta:cocina:n1"] {
        client.say(json!({ "type": "subscribe", "channel": live }), &["consulta"]).await;
    }
    client.say(json!({ "type": "subscribe", "channel": "consulta:nada" }), &["error"]).await;
    client.say(json!({ "type": "unsubscribe", "data": { "channel": channel } }), &[]).await;
    client.say(json!({ "type": "unsubscribe", "channel": channel }), &[]).await;
    for wrong in WRONG {
        client.say_wrongly(wrong).await;
    }
    client.say(json!({ "type": "auth", "token": Claims::user("luis").sign(SECRET) }), &[]).await;
    let closed = client.closed().await;
    assert_eq!((closed.code, closed.reason.as_str()), (4001, CloseReason::AnotherUser.text()));

    let token = Claims::naming("ana", &["n1"]).sign(SECRET);
    for since in ["", "&since="] {
        let mut shop = Client::connect(&running, "ws", &format!("/ws?token={token}{since}"), &mut record).await;
        shop.say(json!({ "type": "subscribe", "channel": "canal:n1:caja" }), &[]).await;
        shop.say(json!({ "type": "ping" }), &["pong"]).await;
        sell(&running).await;
        publish(&running).await;
        shop.hear(&SALES).await;
        let last = shop.hear(&["turno:abierto"]).await;
        assert_eq!(last["id"].is_string(), !since.is_empty());
    }
    let mut late = Client::connect(&running, "ws", &format!("/ws?token={token}&since=1"), &mut record).await;
    late.hear(&["resync"]).await;
    record.check("ws");
}

#[tokio::test]
async fn every_frame_of_the_clinic_is_one_that_asyncapi_describes() {
    let (running, _scratch) = everything().await;
    let mut record = Record::default();
    for since in ["", "&since="] {
        let mut client = Client::connect(
            &running,
            "staff",
            &format!("/ws/staff/orders/?token={}{since}", staff().sign(SECRET)),
            &mut record,
        )
        .await;
        client.say(json!({ "type": "ping" }), &["pong"]).await;
        order(&running).await;
        client.hear(&["new_order"]).await;
        let path = format!("/ws/kiosk/orders/?device_uid={DEVICE}{since}");
        let mut client = Client::connect(&running, "kiosk", &path, &mut record).await;
        client.say(json!({ "type": "ping" }), &["pong"]).await;
        order(&running).await;
        client.hear(&["order_status_changed"]).await;
    }
    let path = format!("/ws/staff/orders/?token={}&since=1", staff().sign(SECRET));
    Client::connect(&running, "staff", &path, &mut record).await.hear(&["resync"]).await;
    let path = format!("/ws/kiosk/orders/?device_uid={DEVICE}&since=1");
    Client::connect(&running, "kiosk", &path, &mut record).await.hear(&["resync"]).await;
    record.check("staff,kiosk");
}

#[tokio::test]
async fn every_event_of_a_stream_is_one_that_asyncapi_describes() {
    let (running, scratch) = everything().await;
    let mut record = Record::default();
    let (token, shop) = (owner(), Claims::naming("ana", &["n1"]).sign(SECRET));
    let mut stats = Stream::open(&running, &format!("channel=estadisticas:n1&token={token}")).await;
    stats.hear(&mut record, &["stats"]).await;
    let mut live = Stream::open(&running, &format!("channel=consulta:cocina:n1&token={token}")).await;
    live.hear(&mut record, &["consulta"]).await;
    let mut sales = Stream::open(&running, &format!("channel=negocio:n1&token={shop}")).await;
    let mut own = Stream::open(&running, &format!("channel=canal:n1:caja&token={shop}")).await;
    let mut orders = Stream::open(&running, &format!("channel=staff_orders&token={}", staff().sign(SECRET))).await;
    let mut kiosk = Stream::open(&running, &format!("channel=device&device_uid={DEVICE}")).await;
    for stream in [&mut sales, &mut own, &mut orders, &mut kiosk] {
        stream.hear(&mut record, &["resync"]).await;
    }
    sell(&running).await;
    sales.hear(&mut record, &SALES).await;
    publish(&running).await;
    own.hear(&mut record, &["turno:abierto"]).await;
    order(&running).await;
    orders.hear(&mut record, &["new_order"]).await;
    kiosk.hear(&mut record, &["order_status_changed"]).await;
    call(&running, "/api/disconnect", &json!({ "device_uid": DEVICE })).await;
    kiosk.hear(&mut record, &["close"]).await;

    withdraw(&scratch).await;
    stats.hear(&mut record, &["error"]).await;
    record.check("stream");
}

/// Records the next events of a Socket.IO client, by their names.
async fn hear(script: &mut Script, record: &mut Record, channel: &str, names: &[&str]) {
    for wanted in names {
        let mut said = script.until("message").await;
        // What is stored while a back end connects may be announced twice.
        while said["name"] == "changes:pending" && *wanted != "changes:pending" {
            said = script.until("message").await;
        }
        assert_eq!(said["name"], *wanted, "{said}");
        record.add_event(channel, "out", wanted, &said["args"]);
    }
}

#[tokio::test]
async fn every_event_of_socket_io_is_one_that_asyncapi_describes() {
    let (running, _scratch) = everything().await;
    let mut record = Record::default();
    let url = format!("http://127.0.0.1:{}/", running.port());
    let token = Claims::user("w1").with("restaurantId", json!("r-1")).sign(SECRET);
    let auth = json!({ "token": token }).to_string();
    for since in [None, Some("1")] {
        let mut arguments = vec!["--url", &url, "--auth", &auth];
        arguments.extend(since.iter().flat_map(|since| ["--since", since]));
        let mut kitchen = Script::node("socketio_client.mjs", &arguments);
        kitchen.until("connect").await;
        if since.is_some() {
            hear(&mut kitchen, &mut record, "restaurant", &["resync"]).await;
        }
        cook(&running).await;
        hear(&mut kitchen, &mut record, "restaurant", &ORDERS).await;
    }

    let (url, auth) = (format!("{url}sync"), json!({ "apiKey": KEY }).to_string());
    let mut back_end = Script::node("socketio_client.mjs", &["--url", &url, "--auth", &auth]);
    back_end.until("connect").await;
    call(&running, "/notify/sync", &json!({ "entity": "order", "id": 7, "payload": { "total": 1.50 } })).await;
    hear(&mut back_end, &mut record, "sync", &["changes:pending"]).await;
    record.add_event("sync", "in", "sync:orders", &json!([]));
    back_end.ask(&json!({ "emit": "sync:orders" })).await;
    hear(&mut back_end, &mut record, "sync", &["orders:pending"]).await;
    record.check("restaurant,sync");
}
