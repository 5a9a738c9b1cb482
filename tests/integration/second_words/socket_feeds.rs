//! Channels of feeds in the second version: on the sockets of their own, and by name on `/ws`.

use pulso_harness::{Claims, Dashboard, Running, SECRET};
use serde_json::{Value, json};

use super::socket::{greeted, say, subscribe};
use crate::business::{NEGOCIO, OTHER_NEGOCIO};
use crate::feeds::{configured, open, signed};

const DEVICES: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES (1, 'ipad-1', true);";
const NEW_ORDER: &str = r#"{"order_id":1,"device_uid":"ipad-1","placed_at":"x"}"#;
const RESTAURANT: &str = "9f1c2b3a-0000-4000-8000-00000000abcd";

fn nurse() -> Claims {
    Claims::empty().expiring_in(3_600).with("role", json!("STAFF"))
}

async fn happen(pulso: &Running, hook: &str, body: &str) {
    let answer = pulso.post(hook, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn is_subscribed(frame: &Value, channel: &str) {
    assert_eq!((&frame["type"], &frame["channel"]), (&json!("subscribed"), &json!(channel)), "{frame}");
}

#[tokio::test]
async fn staff_and_kiosks_are_greeted_and_hear_of_what_their_events_are() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.ready().await;
    let (mut staff, hello) = greeted(&pulso, &signed("/ws/staff/orders/", &nurse())).await;
    assert_eq!((hello.get("user"), &hello["role"]), (None, &json!("STAFF")));
    assert!(hello["expires"].is_i64());
    is_subscribed(&staff.next().await, "staff_orders");
    let (mut kiosk, hello) = greeted(&pulso, "/ws/kiosk/orders/?device_uid=ipad-1").await;
    assert_eq!((hello.get("user"), hello.get("expires")), (None, None));
    is_subscribed(&kiosk.next().await, "device");
    happen(&pulso, "/notify/pedido", NEW_ORDER).await;
    let order = staff.next().await;
    assert_eq!(
        (&order["type"], &order["channel"], &order["order_id"]),
        (&json!("new_order"), &json!("staff_orders"), &json!(1))
    );
    let change = r#"{"device_uid":"ipad-1","order_id":1,"status":"READY","from_status":"PLACED","changed_at":"x"}"#;
    happen(&pulso, "/notify/pedido/estado", change).await;
    let change = kiosk.next().await;
    assert_eq!((&change["channel"], &change["status"]), (&json!("device"), &json!("READY")));
    assert!(order["id"].is_string() && change["id"].is_string());
    // They may say what they like, and only a ping is answered.
    say(&mut staff, json!({ "type": "subscribe", "channel": "negocio:a", "ref": "r" })).await;
    say(&mut staff, json!({ "type": "ping", "ref": "r" })).await;
    assert_eq!(staff.next().await, json!({ "type": "pong", "ref": "r" }));
}

#[tokio::test]
async fn who_is_turned_away_is_told_so_before_the_close() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.ready().await;
    for (path, code, reason, again) in [
        ("/ws/staff/orders/?v=2".to_owned(), 4001, "invalid token", false),
        (format!("{}&v=2", signed("/ws/staff/orders/", &Claims::user("ana"))), 4003, "neither staff nor admin", false),
        ("/ws/kiosk/orders/?device_uid=x&v=2".to_owned(), 4001, "unknown or inactive device", true),
    ] {
        let mut turned_away = pulso.open(&path).await;
        let closing = turned_away.next().await;
        let after = if again { 60_000 } else { 0 };
        let wanted = json!({ "type": "closing", "code": code, "reason": reason, "again": again, "after": after });
        assert_eq!(closing, wanted, "{path}");
        assert_eq!(turned_away.closed().await.code, code);
    }
}

#[tokio::test]
async fn every_feed_that_a_token_opens_is_heard_on_one_line() {
    let (pulso, _database) = open().await;
    // Of a token that names no user.
    let both = nurse().with("restaurantId", json!(RESTAURANT.to_uppercase()));
    let (mut line, hello) = greeted(&pulso, &signed("/ws", &both)).await;
    assert_eq!((hello.get("user"), &hello["restaurant"], &hello["role"]), (None, &json!(RESTAURANT), &json!("STAFF")));
    is_subscribed(&subscribe(&mut line, "staff_orders", "1").await, "staff_orders");
    let restaurant = format!("restaurante:{RESTAURANT}");
    let joined = subscribe(&mut line, &format!("restaurante:{}", RESTAURANT.to_uppercase()), "2").await;
    is_subscribed(&joined, &restaurant);
    happen(&pulso, "/notify/pedido", NEW_ORDER).await;
    assert_eq!(line.next().await["channel"], "staff_orders");
    let change = format!(
        r#"{{"orderId":"o","itemId":"i","restaurantId":"{RESTAURANT}","previousStatus":"PENDING","newStatus":"READY", "total": 31.00}}"#
    );
    happen(&pulso, "/notify/order/item-status", &change).await;
    let text = line.text().await;
    assert!(text.contains(&format!(r#""data":{change},"timestamp":""#)), "{text}");
    let event: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&event["type"], &event["channel"]), (&json!("order.item.status.changed"), &json!(restaurant)));
    // And no other's.
    for foreign in [
        "restaurante:other".to_owned(),
        format!("staff_orders:{NEGOCIO}"),
        format!("negocio:{NEGOCIO}"),
        format!("estadisticas:{NEGOCIO}"),
        format!("canal:{NEGOCIO}:caja"),
        "consulta:abiertas".to_owned(),
    ] {
        let error = subscribe(&mut line, &foreign, "3").await;
        assert_eq!(
            (&error["code"], &error["channel"], &error["ref"]),
            (&json!("forbidden"), &json!(foreign), &json!("3"))
        );
    }
    say(&mut line, json!({ "type": "unsubscribe", "channel": restaurant, "ref": "4" })).await;
    assert_eq!(line.next().await["reason"], "asked");
    // A newer token that opens less.
    say(&mut line, json!({ "type": "auth", "token": Claims::empty().expiring_in(3_600).with("restaurantId", json!("r")).sign(SECRET) }))
        .await;
    assert_eq!(line.next().await["type"], "authenticated");
    assert_eq!(line.next().await, json!({ "type": "unsubscribed", "channel": "staff_orders", "reason": "user" }));
    assert_eq!(subscribe(&mut line, "staff_orders", "5").await["code"], "forbidden");
    is_subscribed(&subscribe(&mut line, "restaurante:r", "6").await, "restaurante:r");
}

#[tokio::test]
async fn a_token_that_opens_nothing_is_refused_before_the_upgrade() {
    let (pulso, _database) = open().await;
    for (claims, version) in [(Claims::empty().expiring_in(3_600), "&v=2"), (nurse(), "")] {
        let path = format!("{}{version}", signed("/ws", &claims));
        assert_eq!(Dashboard::try_connect(pulso.port(), &path, &[]).await.expect_err("it names no user").status, 401);
    }
}

#[tokio::test]
async fn one_shop_is_left_and_joined_again_and_stays_left_under_a_newer_token() {
    let (pulso, _database) = open().await;
    let cashier = Claims::user("cajera").with("negocios", json!([NEGOCIO, OTHER_NEGOCIO]));
    let (mut line, _) = greeted(&pulso, &signed("/ws", &cashier)).await;
    let (one, other) = (format!("negocio:{NEGOCIO}"), format!("negocio:{OTHER_NEGOCIO}"));
    is_subscribed(&line.next().await, &one);
    is_subscribed(&line.next().await, &other);
    say(&mut line, json!({ "type": "unsubscribe", "channel": one, "ref": "1" })).await;
    assert_eq!(line.next().await["type"], "unsubscribed");
    say(&mut line, json!({ "type": "auth", "token": cashier.sign(SECRET) })).await;
    assert_eq!(line.next().await["type"], "authenticated");
    let event = |negocio: &str| format!(r#"{{"tableId":1,"action":"x","negocio_id":"{negocio}"}}"#);
    happen(&pulso, "/notify/mesa", &event(NEGOCIO)).await;
    happen(&pulso, "/notify/mesa", &event(OTHER_NEGOCIO)).await;
    assert_eq!(line.next().await["channel"], json!(other));
    is_subscribed(&subscribe(&mut line, &one, "2").await, &one);
    happen(&pulso, "/notify/mesa", &event(NEGOCIO)).await;
    assert_eq!(line.next().await["channel"], json!(one));
}

#[tokio::test]
async fn where_there_is_one_shop_its_channel_has_no_id() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("POS_SINGLE_BUSINESS", "true").ready().await;
    let (mut line, _) = greeted(&pulso, &signed("/ws", &Claims::user("cajera"))).await;
    is_subscribed(&line.next().await, "negocio");
    let event = r#"{"tableId":1,"action":"x"}"#;
    happen(&pulso, "/notify/mesa", event).await;
    let heard = line.next().await;
    assert_eq!((&heard["type"], &heard["channel"]), (&json!("updateTable"), &json!("negocio")));
    assert!(heard["id"].is_string(), "{heard}");
    say(&mut line, json!({ "type": "unsubscribe", "channel": "negocio", "ref": "1" })).await;
    assert_eq!(line.next().await["reason"], "asked");
    happen(&pulso, "/notify/mesa", event).await;
    is_subscribed(&subscribe(&mut line, "negocio", "2").await, "negocio");
    assert_eq!(subscribe(&mut line, &format!("negocio:{NEGOCIO}"), "3").await["code"], "forbidden");
}

#[tokio::test]
async fn where_only_such_feeds_are_on_the_line_is_there_in_the_second_version() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("FEEDS", "restaurant").ready().await;
    let path = signed("/ws", &Claims::empty().expiring_in(3_600).with("restaurantId", json!("r")));
    let refused = Dashboard::try_connect(pulso.port(), &path, &[]).await.expect_err("nothing is heard there");
    assert_eq!(refused.status, 404);
    let (mut line, _) = greeted(&pulso, &path).await;
    is_subscribed(&subscribe(&mut line, "restaurante:r", "1").await, "restaurante:r");
    assert_eq!(subscribe(&mut line, "estadisticas:a", "2").await["code"], "feed_off");
}

#[tokio::test]
async fn what_was_missed_of_a_channel_of_a_feed_is_replayed_once_when_it_is_asked_for() {
    let (pulso, _database) = open().await;
    let (mut line, hello) = greeted(&pulso, &signed("/ws", &nurse())).await;
    let position = hello["id"].as_str().unwrap().to_owned();
    line.ping().await;
    drop(line);
    happen(&pulso, "/notify/pedido", NEW_ORDER).await;
    let (mut line, _) = greeted(&pulso, &format!("{}&since={position}", signed("/ws", &nurse()))).await;
    let joined = subscribe(&mut line, "staff_orders", "1").await;
    assert_eq!((&joined["type"], &joined["id"]), (&json!("subscribed"), &json!(position)));
    assert_eq!(line.next().await["type"], "new_order");
    say(&mut line, json!({ "type": "unsubscribe", "channel": "staff_orders" })).await;
    assert_eq!(line.next().await["type"], "unsubscribed");
    is_subscribed(&subscribe(&mut line, "staff_orders", "2").await, "staff_orders");
    line.ping().await;
}
