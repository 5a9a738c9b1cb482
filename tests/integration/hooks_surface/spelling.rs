//! Bodies and paths as callers really write them: what says the same is taken, what cannot be read is named.

use pulso_harness::{HOOK_KEY, Line};
use serde_json::{Value, json};

use super::{CLOUD_KEY, HOOKS, NEGOCIO, assert_error, calls, everything, head};

fn with(body: &str, field: &str) -> String {
    body.replacen('{', &format!("{{{field},"), 1)
}

#[tokio::test]
async fn a_byte_order_mark_before_a_body_is_skipped() {
    let (pulso, _screen) = everything().await;
    for (path, body) in calls() {
        let answer = pulso.post(path, &format!("\u{feff}{body}")).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let pull = format!("POST /sync/pull-changes HTTP/1.1\ncontent-type: application/json\nx-api-key: {CLOUD_KEY}");
    for body in ["\u{feff}{\"confirmedOrders\":[]}", "\u{feff}"] {
        assert_eq!(pulso.exchange(&pull, body).await.status, 200, "{body:?}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_a_415_that_says_so() {
    let (pulso, mut screen) = everything().await;
    for (path, body) in calls() {
        for coding in ["gzip", "br", "GZIP, identity", "x"] {
            let head = head(path, &format!("\nx-api-key: {HOOK_KEY}\ncontent-encoding: {coding}"));
            let answer = pulso.exchange(&head, &body).await;
            assert_error(&answer, 415, path);
            assert_eq!(answer.json()["error"], "compressed", "{path} {coding}");
        }
    }
    let pull = format!("POST /sync/pull-changes HTTP/1.1\ncontent-type: application/json\nx-api-key: {CLOUD_KEY}");
    assert_eq!(pulso.exchange(&format!("{pull}\ncontent-encoding: gzip"), "{}").await.status, 415);
    screen.ping().await;
    for (path, body) in calls() {
        let head = head(path, &format!("\nx-api-key: {HOOK_KEY}\ncontent-encoding: Identity"));
        assert_eq!(pulso.exchange(&head, &body).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn null_says_the_same_as_a_field_that_is_left_out() {
    let (pulso, _screen) = everything().await;
    for (path, body, required) in HOOKS {
        let optional: &[&str] = match path {
            "/notify/cita" => &["action"],
            "/notify/producto" => &["newStock"],
            "/notify/promocion" => &["enabled"],
            "/notify/mesa" => &["status"],
            "/notify/order/new" => &["items"],
            "/notify/order/status" | "/notify/order/item-status" => &["previousStatus", "updatedAt"],
            "/notify/pedido" => &["type", "room_code", "negocio_id"],
            "/notify/pedido/estado" => &["type", "device_id"],
            "/notify/sync" => &["tenant"],
            "/api/publish" => &["messages"],
            "/api/disconnect" => &["device_uid", "device_id"],
            _ => &[],
        };
        let mut body: Value = serde_json::from_str(&body.replace('%', NEGOCIO)).unwrap();
        for field in optional {
            assert!(!required.contains(field));
            body[*field] = Value::Null;
        }
        let answer = pulso.post(path, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{path}: {body}: {answer:?}");
    }
}

#[tokio::test]
async fn half_a_character_in_a_field_that_passes_loses_nothing() {
    let (pulso, _screen) = everything().await;
    for (path, body) in calls() {
        let answer = pulso.post(path, &with(&body, r#""note":"sin cebolla \ud83d","\ude00":["\uD83D"]"#)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    // To the letter, which JavaScript's JSON.parse takes.
    let cut = r#"{"note":"sin cebolla \ud83d"}"#;
    let published = format!(r#"{{"channel":"canal:{NEGOCIO}:c","type":"y","data":{cut}}}"#);
    let token = pulso_harness::Claims::naming("cajera", &[NEGOCIO]).sign(pulso_harness::SECRET);
    let mut stream = pulso.events(&format!("/sse?token={token}&channel=canal:{NEGOCIO}:c")).await;
    assert!(stream.next_block().await.is_some(), "it listens");
    assert_eq!(pulso.post("/api/publish", &published).await.status, 200);
    let heard = stream.next().await.unwrap().data;
    assert!(heard.contains(&format!(r#""data":{cut}"#)), "{heard}");
    let stored = format!(r#"{{"entity":"order","id":"corte","payload":{cut}}}"#);
    assert_eq!(pulso.post("/notify/sync", &stored).await.status, 200);
    let pull = pulso.exchange(&format!("GET /sync/pull-changes HTTP/1.1\nx-api-key: {CLOUD_KEY}"), "").await;
    assert!(pull.body.contains(r#""note":"sin cebolla \ud83d""#), "{pull:?}");
    // An id must be whole.
    let broken = stored.replace("\"corte\"", r#""\ud83d""#);
    assert_error(&pulso.post("/notify/sync", &broken).await, 400, "an id that is cut");
}

#[tokio::test]
async fn a_slash_at_the_end_makes_no_other_path() {
    let (pulso, _screen) = everything().await;
    for (path, body) in calls() {
        assert_eq!(pulso.post(&format!("{path}/"), &body).await.status, 200, "{path}/");
        assert_eq!(pulso.post(&format!("{path}/?a=1"), &body).await.status, 200, "{path}/?a=1");
        assert_eq!(pulso.post(&format!("{path}/x"), &body).await.status, 404, "{path}/x");
    }
    // One call, whichever way it is spelt.
    let (path, body) = calls().nth(4).unwrap();
    let key = [("idempotency-key", "k")];
    let first = pulso.post_with(path, &key, &body).await;
    assert_eq!(pulso.post_with(&format!("{path}/"), &key, "{}").await.body, first.body);
    for path in ["/sync/pull-changes/", "/api/sync/pull-changes/"] {
        let head = format!("GET {path} HTTP/1.1\nx-api-key: {CLOUD_KEY}");
        assert_eq!(pulso.exchange(&head, "").await.status, 200, "{path}");
    }
    for path in ["/health/", "/ready/", "/metrics/"] {
        assert_eq!(pulso.get(path).await.status, 200, "{path}");
    }
    assert_eq!(pulso.get("/sse/").await.status, 400, "a channel is missing");
    for path in ["/ws/", "/ws/staff/orders", "/ws/staff/orders/", "/ws/kiosk/orders", "/ws/kiosk/orders/"] {
        assert_eq!(pulso.get(path).await.status, 426, "{path}");
    }
    for path in ["/socket.io?EIO=4&transport=polling", "/socket.io/?EIO=4&transport=polling"] {
        assert_eq!(pulso.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_token_that_is_given_with_bearer_before_it_is_that_token() {
    let (pulso, _screen) = everything().await;
    let claims = pulso_harness::Claims::naming("cajera", &[NEGOCIO]);
    let token = claims.sign(pulso_harness::SECRET);
    let mut screens = vec![pulso.open(&format!("/ws?token=Bearer%20{token}")).await];
    let both = [("authorization", format!("Bearer {token}"))];
    let both: Vec<_> = both.iter().map(|(name, value)| (*name, value.as_str())).collect();
    screens.push(pulso_harness::Dashboard::connect(pulso.port(), &format!("/ws?token=bearer+{token}"), &both).await);
    let mut by_message = pulso.open("/ws").await;
    by_message.send(&json!({ "type": "auth", "token": format!("Bearer {token}") })).await;
    screens.push(by_message);
    for screen in &mut screens {
        screen.watch(NEGOCIO).await;
    }
    let mut stream = pulso.events(&format!("/sse?token=Bearer%20{token}&channel=estadisticas:{NEGOCIO}")).await;
    assert_eq!(stream.message().await["type"], "stats");
    let waiter = pulso_harness::Claims::empty().with("restaurantId", json!("r")).expiring_in(60);
    let auth = json!({ "token": format!("Bearer {}", waiter.sign(pulso_harness::SECRET)) });
    pulso_harness::Packets::connected(pulso.port(), &auth).await;
}

#[tokio::test]
async fn a_byte_order_mark_before_a_message_is_skipped() {
    let (pulso, mut screen) = everything().await;
    screen.send_text("\u{feff}{\"type\":\"ping\"}").await;
    assert_eq!(screen.next().await["type"], "pong");
    // Whoever sends it on a line of its own is answered too.
    let mut line = Line::open(pulso.port()).await;
    line.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(line.answer().await.status, 200);
}
