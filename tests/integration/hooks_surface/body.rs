//! What a body may be, for every hook: its type, its size, its form, and each of its fields.

use pulso_harness::{HOOK_KEY, Line};
use serde_json::{Value, json};

use super::{HOOKS, NEGOCIO, assert_error, calls, everything, head};
use crate::feeds::assert_refused;

/// A body with a further field in front.
fn with(body: &str, field: &str) -> String {
    body.replacen('{', &format!("{{{field},"), 1)
}

#[tokio::test]
async fn what_is_not_said_to_be_json_is_a_415() {
    let (pulso, mut screen) = everything().await;
    for (path, body) in calls() {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "json", "multipart/form-data; boundary=x", ""] {
            let head = format!("POST {path} HTTP/1.1\nx-api-key: {HOOK_KEY}\ncontent-type: {kind}");
            assert_error(&pulso.exchange(&head, &body).await, 415, &format!("{path} {kind}"));
        }
        let without = format!("POST {path} HTTP/1.1\nx-api-key: {HOOK_KEY}");
        assert_error(&pulso.exchange(&without, &body).await, 415, path);
    }
    screen.ping().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_however_it_is_sent() {
    let (pulso, mut screen) = everything().await;
    for (path, body) in calls() {
        let long = with(&body, &format!("\"relleno\":\"{}\"", "x".repeat(2_048)));
        assert_error(&pulso.post(path, &long).await, 413, path);
        // In chunks nobody knows how much there will be.
        let mut line = Line::open(pulso.port()).await;
        let head = head(path, &format!("\nx-api-key: {HOOK_KEY}\nhost: x\ntransfer-encoding: chunked\n\n"));
        line.send(head.replace('\n', "\r\n")).await;
        line.send(format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len())).await;
        assert_error(&line.answer().await, 413, path);
        // A mebibyte that is only announced is not waited for.
        let mut line = Line::open(pulso.port()).await;
        line.send(head.replace("transfer-encoding: chunked", "content-length: 1048576").replace('\n', "\r\n")).await;
        assert_error(&line.answer().await, 413, path);
    }
    screen.ping().await;
}

#[tokio::test]
async fn what_is_no_json_object_of_bounded_depth_is_a_400() {
    let (pulso, mut screen) = everything().await;
    for (path, body) in calls() {
        let nested = |levels: usize| with(&body, &format!("\"hondo\":{}{}", "[".repeat(levels), "]".repeat(levels)));
        let bad = [
            String::new(),
            " ".to_owned(),
            "{".to_owned(),
            "null".to_owned(),
            "7".to_owned(),
            "\"x\"".to_owned(),
            "[[]]".to_owned(),
            format!("{body}{body}"),
            format!("{body},"),
            format!("{body}\0"),
            format!("\u{feff}\u{feff}{body}"),
            body.replace('"', "'"),
            nested(64),
            nested(900),
            with(&body, r#""x":1,"x":1"#),
            with(&body, "\"x\":1e"),
        ];
        for body in &bad {
            let answer = pulso.post(path, body).await;
            assert_error(&answer, 400, &format!("{path}: {body:.200}"));
        }
        for bytes in [&b"{\"x\":\"\xff\xfe\"}"[..], b"\xff\xfe{\x00}\x00", b"{\"x\":\"\xed\xa0\x80\"}"] {
            let mut line = Line::open(pulso.port()).await;
            let head = head(path, &format!("\nx-api-key: {HOOK_KEY}\nhost: x\ncontent-length: {}\n\n", bytes.len()));
            line.send([head.replace('\n', "\r\n").as_bytes(), bytes].concat()).await;
            assert_error(&line.answer().await, 400, path);
        }
    }
    screen.ping().await;
}

#[tokio::test]
async fn a_field_that_is_missing_or_of_the_wrong_type_is_named() {
    let (pulso, mut screen) = everything().await;
    for (path, body, required) in HOOKS {
        let body: Value = serde_json::from_str(&body.replace('%', NEGOCIO)).unwrap();
        for field in required {
            let set = |value: Option<Value>| {
                let mut body = body.clone();
                let fields = body.as_object_mut().unwrap();
                match value {
                    Some(value) => drop(fields.insert((*field).to_owned(), value)),
                    None => drop(fields.remove(*field)),
                }
                body.to_string()
            };
            let mut wrong = vec![set(None)];
            // An application's own data may be anything.
            if (path, *field) != ("/api/publish", "data") {
                wrong.extend([json!([]), json!(true)].map(|value| set(Some(value))));
            }
            if !["payload", "data"].contains(field) {
                wrong.push(set(Some(json!({ "x": 1 }))));
            }
            for body in wrong {
                let answer = pulso.post(path, &body).await;
                assert_error(&answer, 400, &format!("{path}: {body}"));
                assert_refused(&answer, 400, &format!("{field} "));
            }
        }
    }
    screen.ping().await;
}
