//! All hooks and all endpoints of the feeds have one way of being refused: a table over every one of them.

mod body;
mod feeds_off;
mod spelling;

use std::collections::BTreeSet;

use pulso::feeds::definition::{Hook, Key};
use pulso::feeds::{Feed, hook};
use pulso_harness::{Answer, Dashboard, Database, HOOK_KEY, Line, Running};
use serde_json::json;

use crate::business::NEGOCIO;
use crate::feeds::{assert_refused, configured};

const CLOUD_KEY: &str = "llave-de-la-nube";
/// Every hook: a good body, and which of its fields must be there.
const HOOKS: [(&str, &str, &[&str]); 14] = [
    ("/notify/cita", r#"{"negocio_id":"%"}"#, &["negocio_id"]),
    (
        "/notify/venta",
        r#"{"saleId":1,"tableId":2,"total":45.50,"timestamp":"x","negocio_id":"%"}"#,
        &["saleId", "tableId", "total", "timestamp", "negocio_id"],
    ),
    ("/notify/producto", r#"{"productId":1,"action":"x","negocio_id":"%"}"#, &["productId", "action", "negocio_id"]),
    (
        "/notify/promocion",
        r#"{"promotionId":1,"action":"x","negocio_id":"%"}"#,
        &["promotionId", "action", "negocio_id"],
    ),
    ("/notify/mesa", r#"{"tableId":1,"action":"x","negocio_id":"%"}"#, &["tableId", "action", "negocio_id"]),
    (
        "/notify/order/new",
        r#"{"orderId":"o","restaurantId":"r","tableSessionId":"s","status":"CONFIRMED","items":[],"createdAt":"x"}"#,
        &["orderId", "restaurantId", "tableSessionId", "status", "createdAt"],
    ),
    (
        "/notify/order/status",
        r#"{"orderId":"o","restaurantId":"r","previousStatus":"DRAFT","newStatus":"CONFIRMED","updatedAt":"x"}"#,
        &["orderId", "restaurantId", "newStatus"],
    ),
    (
        "/notify/order/item-status",
        r#"{"orderId":"o","itemId":"i","restaurantId":"r","previousStatus":"PENDING","newStatus":"READY","updatedAt":"x"}"#,
        &["orderId", "itemId", "restaurantId", "newStatus"],
    ),
    (
        "/notify/pedido",
        r#"{"order_id":1,"room_code":null,"device_uid":"d","placed_at":"x"}"#,
        &["order_id", "device_uid", "placed_at"],
    ),
    (
        "/notify/pedido/estado",
        r#"{"device_uid":"d","order_id":1,"status":"READY","from_status":"PLACED","changed_at":"x"}"#,
        &["device_uid", "order_id", "status", "from_status", "changed_at"],
    ),
    ("/notify/sync", r#"{"entity":"order","id":"o","payload":{}}"#, &["entity", "id", "payload"]),
    ("/api/publish", r#"{"channel":"canal:%:c","type":"x","data":{}}"#, &["channel", "type", "data"]),
    ("/notify/consulta", r#"{"name":"abiertas"}"#, &["name"]),
    ("/api/disconnect", r#"{"user":"nadie"}"#, &["user"]),
];

/// Whose hook it is; ending connections belongs to no feed.
fn owner(path: &str) -> Option<(Feed, &'static Hook)> {
    hook(path)
}

/// A good call of every hook. `d` must be a device.
pub fn calls() -> impl Iterator<Item = (&'static str, String)> {
    HOOKS.into_iter().map(|(path, body, _)| (path, body.replace('%', NEGOCIO)))
}

/// Everything configured, and a screen that must hear nothing.
async fn everything() -> (Running, Dashboard) {
    let (pulso, screen, _database) = with_database().await;
    (pulso, screen)
}

async fn with_database() -> (Running, Dashboard, Database) {
    let (pulso, database) = configured().await;
    database
        .execute(
            "CREATE TABLE devices (id int PRIMARY KEY, device_uid text, is_active boolean);
             INSERT INTO devices VALUES (1, 'd', true)",
        )
        .await;
    let pulso = pulso.with("CLOUD_API_KEY", CLOUD_KEY).with("HOOK_MAX_BODY_BYTES", "2048").with("MAX_HOOKS", "8");
    pulso.migrate().await;
    let pulso = pulso.ready().await;
    let claims = pulso_harness::Claims::naming("cajera", &[NEGOCIO]);
    let mut screen = pulso.connect(&claims).await;
    screen.send(&json!({ "type": "subscribe", "channel": format!("canal:{NEGOCIO}:c") })).await;
    screen.ping().await;
    (pulso, screen, database)
}

/// Fails unless it is an error in JSON that says nothing of the database.
fn assert_error(answer: &Answer, status: u16, what: &str) {
    assert_refused(answer, status, "");
    let said = answer.body.to_lowercase();
    for word in ["sqlx", "postgres", "select ", "pulso_", HOOK_KEY, CLOUD_KEY] {
        assert!(!said.contains(word), "{what}: {answer:?}");
    }
}

fn head(path: &str, more: &str) -> String {
    format!("POST {path} HTTP/1.1\ncontent-type: application/json{more}")
}

#[test]
fn the_table_has_every_hook_of_every_feed_and_no_other() {
    let of_feeds = Feed::ALL.into_iter().flat_map(|feed| feed.definition().hooks).map(|hook| hook.path);
    let known: BTreeSet<&str> = of_feeds.chain(["/api/disconnect"]).collect();
    assert_eq!(HOOKS.into_iter().map(|(path, ..)| path).collect::<BTreeSet<_>>(), known);
}

#[tokio::test]
async fn every_hook_does_its_work_once_everything_is_configured() {
    let (pulso, _screen) = everything().await;
    for (path, body) in calls() {
        for authentication in [format!("\nx-api-key: {HOOK_KEY}"), format!("\nAuthorization: bearer {HOOK_KEY}")] {
            let answer = pulso.exchange(&head(path, &authentication), &body).await;
            assert_eq!((answer.status, &answer.json()["ok"]), (200, &json!(true)), "{path}: {answer:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
}

#[tokio::test]
async fn without_a_key_to_check_only_the_hint_is_taken_and_the_variable_is_named() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("NOTIFY_API_KEY", "").with("CLOUD_API_KEY", CLOUD_KEY).ready().await;
    for (path, body) in calls() {
        for body in [body.as_str(), "rubbish"] {
            let answer = pulso.exchange(&head(path, &format!("\nx-api-key: {HOOK_KEY}")), body).await;
            if owner(path).is_some_and(|(_, hook)| hook.key == Key::Hint) {
                assert_eq!(answer.status, if body == "rubbish" { 400 } else { 200 }, "{answer:?}");
                continue;
            }
            assert_refused(&answer, 503, "this is not configured: set NOTIFY_API_KEY");
            assert_eq!(answer.json()["error"], "not_configured", "{path}");
        }
    }
    assert_eq!(pulso.get("/ready").await.status, 200);
}

#[tokio::test]
async fn a_call_without_the_right_key_is_a_401_whatever_else_it_says() {
    let (pulso, mut screen) = everything().await;
    for (path, body) in calls() {
        for authentication in [
            String::new(),
            "\nx-api-key: ".to_owned(),
            format!("\nx-api-key: {HOOK_KEY}x"),
            format!("\nx-api-key: {}", HOOK_KEY.to_uppercase()),
            format!("\nx-api-key: {CLOUD_KEY}"),
            format!("\nauthorization: {HOOK_KEY}"),
            format!("\nauthorization: Basic {HOOK_KEY}"),
            format!("\nauthorization: Bearer {HOOK_KEY} {HOOK_KEY}"),
            format!("\napi-key: {HOOK_KEY}"),
        ] {
            for body in [body.as_str(), "rubbish"] {
                let answer = pulso.exchange(&head(&format!("{path}?key={HOOK_KEY}"), &authentication), body).await;
                assert_error(&answer, 401, &format!("{path}{authentication}"));
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            }
        }
    }
    screen.ping().await;
}

#[tokio::test]
async fn another_method_is_a_405_that_names_the_right_one() {
    let (pulso, _screen) = everything().await;
    for (path, body) in calls() {
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = pulso.exchange(&head(path, "").replacen("POST", method, 1), &body).await;
            assert_error(&answer, 405, &format!("{method} {path}"));
            assert_eq!(answer.header("allow"), Some("POST"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn calls_beyond_their_places_are_a_503_and_a_place_that_is_given_back_is_taken_again() {
    let (pulso, mut screen, database) = with_database().await;
    let mut dashboard = pulso.connect(&crate::business::owner()).await;
    dashboard.watch(NEGOCIO).await;
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    let (path, body) = calls().next().unwrap();
    let mut holding = Vec::new();
    for _ in 0..8 {
        let mut line = Line::open(pulso.port()).await;
        let head = head(path, &format!("\nx-api-key: {HOOK_KEY}\nhost: x\ncontent-length: {}\n\n", body.len()));
        line.send(head.replace('\n', "\r\n") + &body).await;
        holding.push(line);
    }
    pulso.until_count("pulso_notices_total", 8).await;
    for (path, body) in calls() {
        let answer = pulso.post(path, &body).await;
        assert_refused(&answer, 503, "too many hook calls at once");
        assert_eq!(
            (answer.json()["error"].as_str(), answer.header("retry-after")),
            (Some("busy"), Some("1")),
            "{path}"
        );
    }
    let pull = format!("GET /sync/pull-changes HTTP/1.1\nx-api-key: {CLOUD_KEY}");
    assert_refused(&pulso.exchange(&pull, "").await, 503, "too many hook calls at once");
    // Dashboards and orchestrators are not kept out.
    assert_eq!(pulso.get("/ready").await.status, 200);
    screen.ping().await;
    drop(blocker);
    for line in &mut holding {
        assert_eq!(line.answer().await.status, 200);
    }
    assert_eq!(pulso.post("/api/disconnect", r#"{"user":"nadie"}"#).await.status, 200);
}
