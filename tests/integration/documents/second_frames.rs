//! As `frames`, of the second version: every frame that is captured is one that `docs/asyncapi.yaml` describes, and every
//! message there occurs.

use pulso_harness::{Claims, Running, SECRET};
use serde_json::json;

use super::capture::{
    Client, DEVICE, ORDERS, Record, SALES, Stream, WRONG, call, cook, everything, order, publish, sell, staff, withdraw,
};

/// Whose token opens something of every feed.
fn everybody() -> Claims {
    Claims::naming("ana", &["n1"]).with("role", json!("STAFF")).with("restaurantId", json!("r-1"))
}

const FEEDS: [&str; 3] = ["canal:n1:caja", "staff_orders:n1", "restaurante:r-1"];

async fn order_of_n1(running: &Running) {
    let order = json!({ "negocio_id": "n1", "order_id": 1, "device_uid": DEVICE, "placed_at": "t" });
    call(running, "/notify/pedido", &order).await;
}

#[tokio::test]
async fn every_frame_of_the_second_version_is_one_that_asyncapi_describes_and_every_message_occurs() {
    let (running, _scratch) = everything().await;
    let mut record = Record::default();
    let token = everybody().sign(SECRET);
    let mut client = Client::connect(&running, "ws2", "/ws?v=2", &mut record).await;
    client.say(json!({ "type": "ping", "ref": "early" }), &["error"]).await;
    client.say(json!({ "type": "auth", "token": "not.a.token", "ref": "a" }), &["error"]).await;
    client.say(json!({ "type": "auth", "token": token, "ref": "b" }), &["hello", "subscribed"]).await;
    client.say(json!({ "type": "auth", "data": { "token": token } }), &["authenticated"]).await;
    client.say(json!({ "type": "ping" }), &["pong"]).await;
    client.say(json!({ "type": "ping", "ref": "c" }), &["pong"]).await;
    let figures = "estadisticas:n1";
    client.say(json!({ "type": "subscribe", "data": { "channel": figures } }), &["subscribed", "stats"]).await;
    client.say(json!({ "type": "subscribe", "channel": figures, "ref": "d" }), &["subscribed", "stats"]).await;
    for live in ["consulta:abiertas", "consulta:cocina:n1"] {
        client.say(json!({ "type": "subscribe", "channel": live }), &["subscribed", "consulta"]).await;
    }
    for none in ["estadisticas:n2", "consulta:nada", "negocio:n2", "restaurante:r-2", "staff_orders"] {
        client.say(json!({ "type": "subscribe", "channel": none, "ref": "e" }), &["error"]).await;
    }
    for feed in FEEDS {
        client.say(json!({ "type": "subscribe", "channel": feed, "since": "" }), &["subscribed"]).await;
    }
    sell(&running).await;
    client.hear(&SALES).await;
    publish(&running).await;
    client.hear(&["turno:abierto"]).await;
    order_of_n1(&running).await;
    client.hear(&["new_order"]).await;
    cook(&running).await;
    client.hear(&ORDERS).await;
    client.say(json!({ "type": "unsubscribe", "channel": figures, "ref": "f" }), &["unsubscribed"]).await;
    client.say(json!({ "type": "unsubscribe", "data": { "channel": FEEDS[1] } }), &["unsubscribed"]).await;
    let wrong_here = [
        r#"{"type":"hello"}"#,
        r#"{"type":"subscribe","channel":"canal:n1:caja","since":7}"#,
        r#"{"type":"ping","ref":""}"#,
        r#"{"type":"ping","ref":7}"#,
    ];
    for wrong in WRONG.into_iter().chain(wrong_here) {
        client.say_wrongly(wrong).await;
    }
    client.say_wrongly(&json!({ "type": "ping", "ref": "x".repeat(65) }).to_string()).await;
    client.say(json!({ "type": "auth", "token": Claims::user("luis").sign(SECRET) }), &["closing"]).await;

    let path = format!("/ws?v=2&token={token}&since=1");
    let mut late = Client::connect(&running, "ws2", &path, &mut record).await;
    late.hear(&["hello", "subscribed", "resync"]).await;
    let path = format!("/ws?v=2&token={}", Claims::user("eva").expiring_in(2).sign(SECRET));
    let mut brief = Client::connect(&running, "ws2", &path, &mut record).await;
    brief.hear(&["hello", "expiring", "closing"]).await;
    record.check("ws2");
}

#[tokio::test]
async fn every_frame_of_the_clinic_in_the_second_version_is_one_that_asyncapi_describes() {
    let (running, _scratch) = everything().await;
    let mut record = Record::default();
    let path = format!("/ws/staff/orders/?v=2&token={}", staff().expiring_in(2).sign(SECRET));
    let mut brief = Client::connect(&running, "staff2", &path, &mut record).await;
    brief.hear(&["hello", "subscribed", "expiring", "closing"]).await;
    let path = format!("/ws/staff/orders/?v=2&since=1&token={}", staff().sign(SECRET));
    let mut nurse = Client::connect(&running, "staff2", &path, &mut record).await;
    nurse.hear(&["hello", "subscribed", "resync"]).await;
    nurse.say(json!({ "type": "ping", "ref": "a" }), &["pong"]).await;
    order(&running).await;
    nurse.hear(&["new_order"]).await;
    let path = format!("/ws/kiosk/orders/?v=2&since=1&device_uid={DEVICE}");
    let mut kiosk = Client::connect(&running, "kiosk2", &path, &mut record).await;
    kiosk.hear(&["hello", "subscribed", "resync"]).await;
    kiosk.say(json!({ "type": "ping" }), &["pong"]).await;
    order(&running).await;
    kiosk.hear(&["order_status_changed"]).await;
    call(&running, "/api/disconnect", &json!({ "device_uid": DEVICE })).await;
    kiosk.hear(&["closing"]).await;
    for refused in ["/ws/staff/orders/?v=2", "/ws/kiosk/orders/?v=2&device_uid=none"] {
        let channel = if refused.contains("staff") { "staff2" } else { "kiosk2" };
        Client::connect(&running, channel, refused, &mut record).await.hear(&["closing"]).await;
    }
    record.check("staff2,kiosk2");
}

#[tokio::test]
async fn every_event_of_a_stream_in_the_second_version_is_one_that_asyncapi_describes() {
    let (running, scratch) = everything().await;
    let mut record = Record::default();
    let token = everybody().sign(SECRET);
    let names = [
        "negocio:n1",
        "canal:n1:caja",
        "staff_orders:n1",
        "restaurante:r-1",
        "device",
        "negocio:n2",
        "estadisticas:n1",
    ];
    let query = json!(names).to_string().replace('"', "%22");
    let query = format!("v=2&channels={query}&device_uid={DEVICE}&token={token}");
    let mut stream = Stream::open(&running, &query).await;
    stream
        .hear(&mut record, &["hello", "subscribed", "subscribed", "subscribed", "subscribed", "subscribed", "error"])
        .await;
    stream.hear(&mut record, &["resync", "subscribed", "stats"]).await;
    sell(&running).await;
    stream.hear(&mut record, &SALES).await;
    publish(&running).await;
    stream.hear(&mut record, &["turno:abierto"]).await;
    order_of_n1(&running).await;
    stream.hear(&mut record, &["new_order"]).await;
    order(&running).await;
    stream.hear(&mut record, &["order_status_changed"]).await;
    cook(&running).await;
    stream.hear(&mut record, &ORDERS).await;
    let brief = everybody().expiring_in(2).sign(SECRET);
    let mut brief = Stream::open(&running, &format!("v=2&channels=[]&token={brief}")).await;
    brief.hear(&mut record, &["hello", "expiring", "close"]).await;
    let withdrawn = Claims::user("ana").sign(SECRET);
    let mut live = Stream::open(
        &running,
        &format!("v=2&channels=[%22consulta:cocina:n1%22,%22canal:n1:caja%22]&token={withdrawn}"),
    )
    .await;
    live.hear(&mut record, &["hello", "subscribed", "resync", "subscribed", "consulta"]).await;
    withdraw(&scratch).await;
    live.hear(&mut record, &["error", "unsubscribed"]).await;
    record.check("stream2");
}
