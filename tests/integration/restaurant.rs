//! Restaurant orders over Socket.IO: who may enter, what is sent to whom, and in which order.

mod endings;
mod hostile;
mod libraries;
mod origins;
mod sessions;
mod slow_readers;
mod strangers;
mod upgrades;

use pulso_harness::{Answer, Claims, Packets, Poller, Pulso, Running, SECRET};
use serde_json::{Value, json};

use crate::business::pulso;

pub const KEY: &str = "a-hook-key-for-tests";
pub const RESTAURANT: &str = "9f1c2b3a-0000-4000-8000-00000000abcd";
pub const OTHER: &str = "9f1c2b3a-0000-4000-8000-00000000ffff";

/// The server on no database at all: nothing here needs one.
pub fn server() -> Pulso {
    pulso("postgres://nobody@127.0.0.1:9/nowhere").with("NOTIFY_API_KEY", KEY)
}

fn waiter(restaurant: &str) -> Claims {
    Claims::empty()
        .with("userId", json!("ana"))
        .with("role", json!("WAITER"))
        .with("restaurantId", json!(restaurant))
        .expiring_in(3_600)
}

pub fn auth(restaurant: &str) -> Value {
    json!({ "token": waiter(restaurant).sign(SECRET) })
}

/// Calls a hook.
pub async fn call(running: &Running, path: &str, body: &str) -> Answer {
    let head = format!("POST {path} HTTP/1.1\ncontent-type: application/json\nx-api-key: {KEY}");
    running.exchange(&head, body).await
}

/// How many clients a hook call reached.
async fn reached(running: &Running, path: &str, body: &str) -> u64 {
    let answer = call(running, path, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["clients"].as_u64().unwrap()
}

/// An order whose numbers and spaces would not survive being read and written again.
fn order(restaurant: &str, number: u32) -> String {
    format!(
        r#"{{"orderId":"o-{number}","restaurantId":"{restaurant}","tableSessionId":"s-1","status":"CONFIRMED","items":[{{"id":"i-1","orderId":"o-{number}","name":"Hamburguesa","qty":2,"unitPrice":"15.50","total": 31.00,"status":"PENDING","notes":null}}],"createdAt":"2024-01-01T00:00:00.000Z"}}"#
    )
}

fn status(restaurant: &str, number: u32) -> String {
    format!(
        r#"{{"orderId":"o-{number}","restaurantId":"{restaurant}","previousStatus":"CONFIRMED","newStatus":"READY","updatedAt":"2024-01-01T00:00:00.000Z"}}"#
    )
}

fn item_status(restaurant: &str) -> String {
    format!(
        r#"{{"orderId":"o-1","itemId":"i-1","restaurantId":"{restaurant}","previousStatus":"PENDING","newStatus":"IN_PROGRESS","updatedAt":"2024-01-01T00:00:00.000Z"}}"#
    )
}

/// What [`order`] says beside the order itself.
fn confirmed(restaurant: &str, number: u32) -> String {
    format!(
        r#"{{"orderId":"o-{number}","restaurantId":"{restaurant}","previousStatus":"DRAFT","newStatus":"CONFIRMED","updatedAt":"2024-01-01T00:00:00.000Z"}}"#
    )
}

/// The packet of an event.
fn event(name: &str, payload: &str) -> String {
    format!(r#"42["{name}",{payload}]"#)
}

#[tokio::test]
async fn every_event_comes_to_the_letter_and_in_order_by_either_transport() {
    let running = server().start().await;
    let mut socket = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let mut poller = Poller::open(running.port(), "").await;
    assert!(poller.connect(&auth(RESTAURANT)).await.starts_with("40{"));

    for (path, body) in [
        ("/notify/order/new", order(RESTAURANT, 1)),
        ("/notify/order/status", status(RESTAURANT, 1)),
        ("/notify/order/item-status", item_status(RESTAURANT)),
    ] {
        assert_eq!(reached(&running, path, &body).await, 2);
    }
    for expected in [
        event("order.new", &order(RESTAURANT, 1)),
        event("order.status.changed", &confirmed(RESTAURANT, 1)),
        event("order.status.changed", &status(RESTAURANT, 1)),
        event("order.item.status.changed", &item_status(RESTAURANT)),
    ] {
        assert_eq!(socket.expect().await, expected);
        assert_eq!(poller.next().await, expected);
    }
    assert_eq!(running.count("pulso_deliveries_total").await, 8);
}

#[tokio::test]
async fn who_may_not_enter_is_told_why_in_the_words_of_the_contract() {
    let running = server().start().await;
    let good = waiter(RESTAURANT);
    let error = |message: &str| format!(r#"44{{"message":"{message}"}}"#);
    for (auth, message) in [
        (json!({}), "No token provided"),
        (json!({ "token": "" }), "No token provided"),
        (json!({ "token": null }), "No token provided"),
        (json!("text"), "No token provided"),
        (json!({ "token": 7 }), "Invalid token"),
        (json!({ "token": ["a"] }), "Invalid token"),
        (json!({ "token": "a.b.c" }), "Invalid token"),
        (json!({ "token": good.sign("another secret, longer than 32 bytes") }), "Invalid token"),
        (json!({ "token": good.clone().expiring_in(-60).sign(SECRET) }), "Invalid token"),
        (json!({ "token": good.clone().without("exp").sign(SECRET) }), "Invalid token"),
        (json!({ "token": good.clone().without("restaurantId").sign(SECRET) }), "No restaurantId"),
        (json!({ "token": good.clone().with("restaurantId", json!("")).sign(SECRET) }), "No restaurantId"),
        (json!({ "token": good.clone().with("restaurantId", json!([RESTAURANT])).sign(SECRET) }), "No restaurantId"),
    ] {
        let mut packets = Packets::open(running.port(), &[]).await;
        assert_eq!(packets.connect(&auth).await, error(message), "{auth}");
        let mut poller = Poller::open(running.port(), "").await;
        assert_eq!(poller.connect(&auth).await, error(message), "{auth}");
    }
    assert_eq!(running.refused("Token").await, 26);
    assert_eq!(running.count("pulso_subscriptions").await, 0);

    let keyless = server()
        .with("JWT_SECRET", "")
        .with("FEEDS", "restaurant,sync")
        .with("CLOUD_API_KEY", "a-cloud-key-for-the-tests");
    let keyless = keyless.start().await;
    let mut packets = Packets::open(keyless.port(), &[]).await;
    assert_eq!(packets.connect(&auth(RESTAURANT)).await, error("the server has no JWT_SECRET"));
}

#[tokio::test]
async fn the_token_in_the_header_goes_before_the_one_in_auth() {
    let running = server().start().await;
    let token = |restaurant: &str| format!("Bearer {}", waiter(restaurant).sign(SECRET));
    let (own, foreign) = (token(RESTAURANT), token(OTHER));
    let mut by_header = Packets::open(running.port(), &[("authorization", &own)]).await;
    assert!(by_header.connect(&auth(OTHER)).await.starts_with("40{"));
    let mut poller = Poller::open(running.port(), &format!("authorization: {own}")).await;
    assert!(poller.connect(&json!({})).await.starts_with("40{"));
    let mut bad = Packets::open(running.port(), &[("authorization", "Bearer rubbish")]).await;
    assert_eq!(bad.connect(&auth(RESTAURANT)).await, r#"44{"message":"Invalid token"}"#);
    let mut twice = Packets::open(running.port(), &[("authorization", &own), ("authorization", &foreign)]).await;
    assert_eq!(twice.connect(&auth(RESTAURANT)).await, r#"44{"message":"Invalid token"}"#);
    // What is no bearer's is not for us.
    let mut other = Packets::open(running.port(), &[("authorization", "Basic YTpi")]).await;
    assert!(other.connect(&auth(OTHER)).await.starts_with("40{"));

    assert_eq!(reached(&running, "/notify/order/status", &status(RESTAURANT, 1)).await, 2);
    let expected = event("order.status.changed", &status(RESTAURANT, 1));
    assert_eq!(by_header.expect().await, expected);
    assert_eq!(poller.next().await, expected);
    other.expect_silence().await;
}

/// Each way in × each foreign identity.
#[tokio::test]
async fn nobody_hears_of_another_restaurant_by_whatever_way_it_came_in() {
    let running = server().start().await;
    let port = running.port();
    let foreign = [
        waiter(OTHER),
        waiter(OTHER).with("negocio_id", json!(RESTAURANT)).with("negocios", json!([RESTAURANT])),
        waiter(OTHER).with("role", json!("ADMIN")).with("is_superuser", json!(true)),
        waiter(OTHER).with("id", json!(RESTAURANT)).with("sub", json!(RESTAURANT)).with("userId", json!(RESTAURANT)),
        waiter(&format!("restaurant:{RESTAURANT}")),
        waiter(&format!("{RESTAURANT} ")),
        waiter("*"),
    ];
    let (mut sockets, mut pollers) = (Vec::new(), Vec::new());
    for claims in &foreign {
        let token = claims.sign(SECRET);
        let bearer = format!("Bearer {token}");
        sockets.push(Packets::connected(port, &json!({ "token": token })).await);
        let mut by_header = Packets::open(port, &[("authorization", &bearer)]).await;
        assert!(by_header.connect(&auth(RESTAURANT)).await.starts_with("40{"));
        sockets.push(by_header);
        let mut with_since = Packets::open(port, &[]).await;
        with_since.connect(&json!({ "token": token, "since": "" })).await;
        sockets.push(with_since);
        // Asking for a room, however it is asked, is an event that nobody listens to.
        let mut asking =
            Packets::connected(port, &json!({ "token": token, "room": RESTAURANT, "restaurantId": RESTAURANT })).await;
        for name in ["join", "subscribe", "room", "joinRoom"] {
            asking.say(&format!(r#"42["{name}","restaurant:{RESTAURANT}"]"#)).await;
        }
        sockets.push(asking);
        for headers in [String::new(), format!("authorization: {bearer}")] {
            let mut poller = Poller::open(port, &headers).await;
            assert!(poller.connect(&json!({ "token": token })).await.starts_with("40{"));
            pollers.push(poller);
        }
    }
    let mut own = Packets::connected(port, &auth(RESTAURANT)).await;
    for number in 0..3 {
        assert_eq!(reached(&running, "/notify/order/new", &order(RESTAURANT, number)).await, 1);
        assert_eq!(reached(&running, "/notify/order/item-status", &item_status(RESTAURANT)).await, 1);
    }
    // What is for the others comes, and nothing has come before it.
    for number in 0..9 {
        own.expect().await;
        assert!(number < 9);
    }
    let last = status(OTHER, 99);
    reached(&running, "/notify/order/status", &last).await;
    for (position, claims) in foreign.iter().enumerate() {
        if claims.json()["restaurantId"] == OTHER {
            for socket in &mut sockets[position * 4..position * 4 + 4] {
                let expected = event("order.status.changed", &last);
                // With an id behind it where it was asked for.
                assert!(socket.expect().await.starts_with(expected.trim_end_matches(']')));
            }
            for poller in &mut pollers[position * 2..position * 2 + 2] {
                assert_eq!(poller.next().await, event("order.status.changed", &last));
            }
        }
    }
    own.expect_silence().await;
    for socket in &mut sockets[16..] {
        socket.expect_silence().await;
    }
}

#[tokio::test]
async fn a_feed_that_is_switched_off_is_not_there() {
    let neither = server().with("FEEDS", "stats").start().await;
    let answer = neither.get("/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(answer.status, 404, "{answer:?}");
    let sync_alone = server().with("FEEDS", "sync").with("CLOUD_API_KEY", "a-cloud-key-for-the-tests").start().await;
    let mut packets = Packets::open(sync_alone.port(), &[]).await;
    assert_eq!(packets.connect(&auth(RESTAURANT)).await, r#"44{"message":"Invalid namespace"}"#);
}
