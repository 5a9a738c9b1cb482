//! The log: one event a line whatever peers send, the words that troubleshooting looks for, and no secrets.

use pulso_harness::postgres::{PASSWORD, PASSWORD_ROLE};
use pulso_harness::{Claims, Dashboard, Pulso, Running, SECRET, wait};
use serde_json::{Value, json};

use crate::business::{NEGOCIO, database, owner, pulso};

/// Ids, origins and paths that would like to be lines and colours of their own.
async fn hostile_traffic(pulso: &Running) {
    let forged = "a\nFORGED line\r\u{1b}[31mred\u{0}";
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.subscribe(forged).await;
    dashboard.error().await;
    dashboard.send_text(forged).await;
    dashboard.error().await;
    dashboard.send(&json!({ "type": "auth", "token": forged })).await;
    dashboard.error().await;
    assert_eq!(pulso.notify(forged).await.status, 400);
    for origin in ["https://evil\u{9b}31m.example", "FORGED", "null"] {
        let headers = [("origin", origin)];
        let path = format!("/ws?token={}", owner().sign(SECRET));
        assert_eq!(Dashboard::try_connect(pulso.port(), &path, &headers).await.unwrap_err().status, 403);
    }
    for path in ["/%0aFORGED%1b[31m", "/ws?token=%0aFORGED", "/ws?token=a&token=b", "/ws?x=%1b[31m"] {
        pulso.get(path).await;
    }
    pulso.exchange("POST /notify/cita HTTP/1.1\ncontent-type: application/json", "{\"a\u{1b}\nFORGED").await;
    dashboard.watch(NEGOCIO).await;
    drop(dashboard);
    pulso.until_count("pulso_connections", 0).await;
}

async fn server() -> Pulso {
    pulso(&database().await.url())
}

#[tokio::test]
async fn every_line_of_a_json_log_is_one_object() {
    let pulso = server().await.with("LOG_LEVEL", "debug").ready().await;
    hostile_traffic(&pulso).await;
    let log = pulso.log();
    assert!(log.len() > 3);
    for line in log {
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["timestamp", "level", "message", "target"] {
            assert!(event[key].is_string(), "{key} in {line}");
        }
    }
}

#[tokio::test]
async fn a_text_log_has_no_colours_and_no_forged_lines() {
    let pulso = server().await.with("LOG_FORMAT", "text").with("LOG_LEVEL", "debug").ready().await;
    hostile_traffic(&pulso).await;
    let log = pulso.log();
    assert!(log.len() > 3);
    for line in log {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        let second = line.split_ascii_whitespace().nth(1).unwrap_or_default();
        assert!(["ERROR", "WARN", "INFO", "DEBUG"].contains(&second), "not a line of ours: {line:?}");
    }
}

#[tokio::test]
async fn the_words_troubleshooting_looks_for_are_in_the_log_at_its_usual_level() {
    let pulso = pulso("postgres://nobody@127.0.0.1:1/nothing").with("LOG_LEVEL", "").start().await;
    let said = async |words| wait::until(async || pulso.has_logged(words), words).await;
    said("Cannot connect to database").await;
    let token = Claims::user("ana").sign("another key, also longer than 32 bytes");
    let refused = Dashboard::try_connect(pulso.port(), &format!("/ws?token={token}"), &[]).await.unwrap_err();
    assert_eq!(refused.status, 401);
    said("Invalid JWT token: its signature does not match").await;
    let mut dashboard = Dashboard::connect(pulso.port(), "/ws", &[]).await;
    let expired = Claims::user("ana").expiring_in(-100).sign(SECRET);
    dashboard.send(&json!({ "type": "auth", "token": expired })).await;
    dashboard.error().await;
    said("Invalid JWT token: it has expired").await;
}

#[tokio::test]
async fn no_secret_reaches_the_log_at_any_level() {
    let database = database().await;
    let url = database.url().replace("pulso@", &format!("{PASSWORD_ROLE}:{PASSWORD}@"));
    let key = "a-key-for-hooks-that-is-secret";
    let pulso = pulso(&url).with("LOG_LEVEL", "trace,hyper=trace,sqlx=trace").with("NOTIFY_API_KEY", key).ready().await;
    let token = owner().sign(SECRET);
    let bad = owner().expiring_in(-100).sign(SECRET);
    let mut dashboard = Dashboard::connect(pulso.port(), &format!("/ws?token={token}"), &[]).await;
    dashboard.watch(NEGOCIO).await;
    dashboard.send(&json!({ "type": "auth", "token": token })).await;
    dashboard.send(&json!({ "type": "auth", "token": bad })).await;
    dashboard.error().await;
    Dashboard::try_connect(pulso.port(), &format!("/ws?token={bad}"), &[]).await.unwrap_err();
    let head = format!("POST /notify/cita HTTP/1.1\ncontent-type: application/json\nx-api-key: {key}");
    let body = json!({ "negocio_id": NEGOCIO }).to_string();
    assert_eq!(pulso.exchange(&head, &body).await.status, 200);
    assert_eq!(pulso.notify(NEGOCIO).await.status, 401);
    database.terminate_connections().await;
    dashboard.stats().await;
    let signature = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
    for secret in [PASSWORD, SECRET, key, &signature(&token), &signature(&bad)] {
        assert!(!pulso.has_logged(secret), "a secret in the log");
        for path in ["/metrics", "/ready"] {
            assert!(!pulso.get(path).await.body.contains(secret));
        }
    }
}
