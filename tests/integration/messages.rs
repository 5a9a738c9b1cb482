//! What a client says on `/ws`, to the letter and to the byte, and what it is told.

mod wire;

use pulso_harness::{Claims, Dashboard, Running};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, citas, open, owner};

fn channel() -> String {
    format!("estadisticas:{NEGOCIO}")
}

/// Notices once and proves that exactly one broadcast came.
async fn expect_one_broadcast(pulso: &Running, dashboard: &mut Dashboard) {
    let answer = pulso.notify(NEGOCIO).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(dashboard.stats().await.seq, answer.json()["seq"]);
    dashboard.expect_silence().await;
}

#[tokio::test]
async fn subscribe_is_understood_in_both_spellings() {
    let (pulso, _database) = open().await;
    for message in [
        json!({ "type": "subscribe", "data": { "channel": channel() } }),
        json!({ "type": "subscribe", "channel": channel() }),
        json!({ "type": "subscribe", "channel": channel(), "data": { "channel": channel() } }),
        json!({ "type": "subscribe", "channel": channel(), "data": null, "id": 7, "extra": [1] }),
    ] {
        let mut dashboard = pulso.connect(&owner()).await;
        dashboard.send(&message).await;
        assert_eq!(dashboard.stats().await.negocio_id, NEGOCIO, "{message}");
        let leaves = message.to_string().replace("subscribe", "unsubscribe");
        dashboard.send_text(&leaves).await;
        dashboard.ping().await;
        let answer = pulso.notify(NEGOCIO).await;
        assert_eq!(answer.json()["subscribers"], 0, "{leaves}");
    }
}

#[tokio::test]
async fn channels_that_disagree_are_an_error_and_neither_is_joined() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    let other = format!("estadisticas:{OTHER_NEGOCIO}");
    for (outer, inner) in [
        (json!(channel()), json!(other)),
        (json!(other), json!(channel())),
        (json!(channel()), json!(7)),
        (json!(channel()), json!(channel().to_uppercase())),
    ] {
        for kind in ["subscribe", "unsubscribe"] {
            let message = json!({ "type": kind, "channel": outer, "data": { "channel": inner } });
            dashboard.send(&message).await;
            let answer = dashboard.next().await;
            assert_eq!(answer["type"], "error", "{message}: {answer}");
        }
    }
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
    dashboard.watch(NEGOCIO).await;
}

#[tokio::test]
async fn subscribing_twice_is_one_subscription_and_sends_the_figures_again() {
    let (pulso, database) = open().await;
    citas(&database, NEGOCIO, 2, "pendiente", "'2020-01-01'").await;
    let mut dashboard = pulso.connect(&owner()).await;
    let first = dashboard.watch(NEGOCIO).await;
    let again = dashboard.watch(NEGOCIO).await;
    assert_eq!((first.total, again.total), (2, 2));
    assert!(again.seq >= first.seq);
    // Upper case, without hyphens, in braces: PostgreSQL's own id all the same.
    let bare = NEGOCIO.replace('-', "");
    for spelling in [NEGOCIO.to_uppercase(), bare.clone(), format!("{{{NEGOCIO}}}")] {
        assert_eq!(dashboard.watch(&spelling).await.negocio_id, NEGOCIO, "{spelling}");
    }
    expect_one_broadcast(&pulso, &mut dashboard).await;
    assert_eq!(pulso.count("pulso_subscriptions").await, 1);
    // One subscription is left by one unsubscribe, in any spelling.
    dashboard.unsubscribe(&bare).await;
    dashboard.ping().await;
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
    dashboard.expect_silence().await;
}

#[tokio::test]
async fn an_upper_case_id_with_letters_is_the_same_channel_for_dashboards_and_hooks() {
    let (pulso, database) = open().await;
    let id = "abcdefab-cdef-4abc-8def-abcdefabcdef";
    database.execute(&format!("INSERT INTO negocios VALUES ('{id}', '{OTHER_OWNER}', 'Café')")).await;
    let upper = id.to_uppercase();
    let mut by_ownership = pulso.connect(&Claims::user(OTHER_OWNER)).await;
    let mut by_token = pulso.connect(&Claims::naming("somebody", &[&upper])).await;
    assert_eq!(by_ownership.watch(&upper).await.negocio_id, id);
    assert_eq!(by_ownership.watch(id).await.negocio_id, id);
    assert_eq!(by_token.watch(id).await.negocio_id, id);
    for spelling in [id, &upper] {
        let answer = pulso.notify(spelling).await;
        assert_eq!(answer.json()["negocio_id"], id);
        assert_eq!(answer.json()["subscribers"], 2);
        for dashboard in [&mut by_ownership, &mut by_token] {
            assert_eq!(dashboard.stats().await.seq, answer.json()["seq"]);
        }
    }
    by_ownership.expect_silence().await;
}

#[tokio::test]
async fn after_unsubscribe_nothing_comes_and_subscribing_again_works() {
    let (pulso, database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.unsubscribe(NEGOCIO).await;
    for round in 1..=3 {
        assert_eq!(dashboard.watch(NEGOCIO).await.total, round - 1);
        dashboard.unsubscribe(NEGOCIO).await;
        dashboard.unsubscribe(NEGOCIO).await;
        dashboard.ping().await;
        citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
        assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
        dashboard.ping().await;
    }
    dashboard.expect_silence().await;
}

#[tokio::test]
async fn whatever_is_not_understood_is_an_error_and_the_connection_stays_up() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for text in [
        "",
        " ",
        "{",
        "}",
        "nope",
        "null",
        "true",
        "7",
        "\"ping\"",
        "[]",
        "[{\"type\":\"ping\"}]",
        "{} {}",
        "{\"type\":\"ping\"} x",
        "{\"type\":\"ping\",}",
        "{}",
        "{\"type\":null}",
        "{\"type\":7}",
        "{\"type\":[\"ping\"]}",
        "{\"type\":\"Ping\"}",
        "{\"type\":\" ping\"}",
        "{\"type\":\"pong\"}",
        "{\"type\":\"stats\",\"data\":{\"negocio_id\":\"x\"}}",
        "{\"type\":\"error\",\"message\":\"x\"}",
        "{\"type\":\"publish\",\"channel\":\"estadisticas:x\"}",
        "{\"type\":\"subscribe\"}",
        "{\"type\":\"subscribe\",\"channel\":\"\"}",
        "{\"type\":\"subscribe\",\"channel\":\"estadisticas\"}",
        "{\"type\":\"subscribe\",\"channel\":\"estadisticas:\"}",
        "{\"type\":\"subscribe\",\"channel\":[]}",
        "{\"type\":\"subscribe\",\"channel\":\"negocio:x\"}",
        "{\"type\":\"subscribe\",\"data\":[\"channel\"]}",
        "{\"type\":\"unsubscribe\"}",
        "{\"type\":\"subscribe\",\"channel\":\"estadisticas:*\"}",
        "{\"type\":\"subscribe\",\"channel\":\"estadisticas:\\u0000\"}",
        "{\"type\":\"\\ud800\"}",
        &deep,
    ] {
        dashboard.send_text(text).await;
        let answer = dashboard.next().await;
        assert_eq!(answer["type"], "error", "{text:?}: {answer}");
        assert!(answer["message"].is_string() && answer.as_object().unwrap().len() == 2, "{answer}");
    }
    for bytes in [&b""[..], b"{\"type\":\"ping\"}", &[0xff; 300]] {
        dashboard.send_message(Message::binary(bytes.to_vec())).await;
        assert_eq!(dashboard.next().await["type"], "error");
    }
    dashboard.ping().await;
    expect_one_broadcast(&pulso, &mut dashboard).await;
}

#[tokio::test]
async fn every_message_has_the_contracts_keys_and_no_others() {
    let (pulso, database) = open().await;
    citas(&database, NEGOCIO, 3, "cancelada", "'2020-01-01'").await;
    let mut dashboard = pulso.connect(&owner()).await;
    let from = pulso_harness::token::now();
    dashboard.subscribe(NEGOCIO).await;
    let stats = dashboard.next().await;
    for (key, value) in stats.as_object().unwrap() {
        assert!(["type", "data", "channel", "seq", "id", "timestamp"].contains(&key.as_str()), "{key}: {value}");
    }
    let data = stats["data"].as_object().unwrap();
    let mut keys: Vec<&str> = data.keys().map(String::as_str).collect();
    keys.sort_unstable();
    let counts = ["citas_canceladas", "citas_completadas", "citas_hoy"];
    assert_eq!(keys, [&counts[..], &["negocio_id", "timestamp", "total_citas"]].concat());
    assert_eq!(data["negocio_id"], NEGOCIO);
    assert_eq!(data["total_citas"], 3);
    assert!(counts.iter().all(|count| data[*count].is_u64()), "{stats}");
    let timestamp = data["timestamp"].as_i64().unwrap();
    assert!((from - 1..=pulso_harness::token::now() + 1).contains(&timestamp), "{timestamp} and {from}");

    dashboard.send(&json!({ "type": "ping", "data": { "x": 1 }, "id": 3 })).await;
    assert_eq!(dashboard.next().await, json!({ "type": "pong" }));
    dashboard.send_text("x").await;
    assert_eq!(dashboard.next().await, json!({ "type": "error", "message": "not a JSON object" }));
}

#[tokio::test]
async fn nothing_a_client_sends_reaches_another_client() {
    let (pulso, _database) = open().await;
    let mut loud = pulso.connect(&owner()).await;
    let mut quiet = pulso.connect(&owner()).await;
    loud.watch(NEGOCIO).await;
    quiet.watch(NEGOCIO).await;
    let forged = json!({ "type": "stats", "channel": channel(), "data": { "negocio_id": NEGOCIO, "citas_hoy": 999 } });
    for kind in ["stats", "publish", "message", "broadcast", "notify", "error", "pong"] {
        let mut message = forged.clone();
        message["type"] = json!(kind);
        loud.send(&message).await;
        loud.error().await;
    }
    loud.send_message(Message::Ping("x".into())).await;
    loud.send_message(Message::binary(forged.to_string())).await;
    loud.error().await;
    loud.send_text("grito").await;
    loud.error().await;
    quiet.expect_silence().await;
    quiet.ping().await;
}
