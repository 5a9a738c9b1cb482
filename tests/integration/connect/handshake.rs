//! The handshake itself: its form, the page it comes from, what its query may hold.

use pulso_harness::{Answer, Line, Running, SECRET};

use super::assert_never_logged;
use crate::business::{database, open, owner, pulso};

/// The sample nonce of RFC 6455.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A handshake by hand; `head` holds further lines, each ended by a line break.
async fn handshake(pulso: &Running, target: &str, head: &str) -> Answer {
    let request = format!(
        "GET {target} HTTP/1.1\nHost: 127.0.0.1:{}\nConnection: Upgrade\nUpgrade: websocket\n\
         Sec-WebSocket-Version: 13\nSec-WebSocket-Key: {KEY}\n{head}\n",
        pulso.port()
    );
    first_answer(pulso, &request).await
}

async fn first_answer(pulso: &Running, request: &str) -> Answer {
    let mut line = Line::open(pulso.port()).await;
    line.send(request.replace('\n', "\r\n")).await;
    line.answer().await
}

#[tokio::test]
async fn breaches_of_the_handshake_are_400_or_426() {
    let (pulso, _database) = open().await;
    let token = owner().sign(SECRET);
    let good = format!(
        "GET /ws?token={token} HTTP/1.1\nHost: localhost\nConnection: keep-alive, Upgrade\nUpgrade: WebSocket\n\
         Sec-WebSocket-Version: 13\nSec-WebSocket-Key: {KEY}\n\n"
    );
    let accepted = first_answer(&pulso, &good).await;
    assert_eq!(accepted.status, 101, "{accepted:?}");
    assert_eq!(accepted.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));

    let key = |key: &str| good.replace(KEY, key);
    let line = |from: &str, to: &str| {
        assert!(good.contains(from));
        good.replace(from, to)
    };
    for (what, request, status) in [
        ("a key of 15 bytes", key("dGhlIHNhbXBsZSBub25j"), 400),
        ("a key of 17 bytes", key("dGhlIHNhbXBsZSBub25jZTE="), 400),
        ("a key that is no base64", key("!!!!IHNhbXBsZSBub25jZQ=="), 400),
        ("a key without padding", key("dGhlIHNhbXBsZSBub25jZQ"), 400),
        ("an empty key", key(""), 400),
        ("no key", line(&format!("Sec-WebSocket-Key: {KEY}\n"), ""), 400),
        ("two keys", line("\n\n", &format!("\nSec-WebSocket-Key: {KEY}\n\n")), 400),
        ("version 12", line("Version: 13", "Version: 12"), 426),
        ("version 8", line("Version: 13", "Version: 8"), 426),
        ("no version", line("Sec-WebSocket-Version: 13\n", ""), 426),
        ("POST", line("GET", "POST"), 400),
        ("HEAD", line("GET", "HEAD"), 400),
        ("OPTIONS", line("GET", "OPTIONS"), 400),
        ("no Upgrade", line("Upgrade: WebSocket\n", ""), 426),
        ("another Upgrade", line("Upgrade: WebSocket", "Upgrade: h2c"), 426),
        ("no Connection", line("Connection: keep-alive, Upgrade\n", ""), 426),
        ("Connection without upgrade", line("keep-alive, Upgrade", "keep-alive"), 426),
        ("HTTP/1.0", line("HTTP/1.1", "HTTP/1.0"), 426),
        ("no HTTP", "hola\n\n".to_owned(), 400),
    ] {
        let mut line = Line::open(pulso.port()).await;
        line.send(request.replace('\n', "\r\n")).await;
        let answer = if what == "HEAD" { line.answer_to_head().await } else { line.answer().await };
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        if status == 426 {
            assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{what}: {answer:?}");
            assert_eq!(answer.header("upgrade"), Some("websocket"), "{what}: {answer:?}");
        }
        if !answer.body.is_empty() {
            assert!(answer.json()["message"].is_string(), "{what}: {answer:?}");
        }
    }
    assert_never_logged(&pulso, &[token]);
}

#[tokio::test]
async fn a_head_over_32_kib_is_a_431() {
    let (pulso, _database) = open().await;
    let token = owner().sign(SECRET);
    let fits = handshake(&pulso, &format!("/ws?token={token}"), &format!("x: {}\n", "x".repeat(20_000))).await;
    assert_eq!(fits.status, 101);
    let many = handshake(&pulso, &format!("/ws?token={token}"), &format!("x: {}\n", "x".repeat(33_000))).await;
    assert_eq!(many.status, 431, "{many:?}");
    let long = "x".repeat(40_000);
    let answer = handshake(&pulso, &format!("/ws?token={long}"), "").await;
    assert!([414, 431].contains(&answer.status), "{answer:?}");
    assert_never_logged(&pulso, &[token, long]);
}

#[tokio::test]
async fn by_default_a_page_must_come_from_here_or_from_localhost() {
    let (pulso, _database) = open().await;
    let path = format!("/ws?token={}", owner().sign(SECRET));
    let own = format!("http://127.0.0.1:{}", pulso.port());
    for (origins, status) in [
        (vec![], 101),
        (vec![own.as_str()], 101),
        (vec!["http://localhost:4200"], 101),
        (vec!["https://localhost"], 101),
        (vec!["https://evil.example"], 403),
        (vec!["https://localhost.evil.example"], 403),
        (vec!["null"], 403),
        (vec![""], 403),
        (vec![own.as_str(), own.as_str()], 403),
        (vec![own.as_str(), "https://evil.example"], 403),
    ] {
        let lines: Vec<String> = origins.iter().map(|origin| format!("Origin: {origin}\n")).collect();
        let answer = handshake(&pulso, &path, &lines.concat()).await;
        assert_eq!(answer.status, status, "{origins:?}: {answer:?}");
        if status == 403 {
            assert!(answer.json()["message"].is_string());
        }
    }
}

#[tokio::test]
async fn listed_origins_alone_may_connect_and_a_star_is_everybody() {
    let database = database().await;
    let listed = pulso(&database.url()).with("WS_ALLOWED_ORIGINS", "https://panel.example.com, null").ready().await;
    let path = format!("/ws?token={}", owner().sign(SECRET));
    for (origin, status) in [
        ("https://panel.example.com", 101),
        ("null", 101),
        ("http://panel.example.com", 403),
        ("https://panel.example.com.evil.example", 403),
        ("http://localhost:4200", 403),
    ] {
        let answer = handshake(&listed, &path, &format!("Origin: {origin}\n")).await;
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
    }
    assert_eq!(handshake(&listed, &path, "").await.status, 101);
    let any = pulso(&database.url()).with("WS_ALLOWED_ORIGINS", "*").ready().await;
    for origin in ["https://evil.example", "null"] {
        assert_eq!(handshake(&any, &path, &format!("Origin: {origin}\n")).await.status, 101);
    }
}

#[tokio::test]
async fn a_query_that_hides_something_is_refused_and_never_logged() {
    let (pulso, _database) = open().await;
    let token = owner().sign(SECRET);
    for query in [
        format!("token={token}&token={token}"),
        format!("token={token}&token="),
        format!("token={token}&a=1&a=2"),
        format!("token={token}%00"),
        format!("token={token}%0d%0aX: y").replace(' ', "%20"),
        format!("token={token}&a=%1b[31m"),
        format!("token={token}&%0a=1"),
    ] {
        let answer = handshake(&pulso, &format!("/ws?{query}"), "").await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(!answer.body.contains(&token));
    }
    // Refused by the form of a token.
    for odd in [format!("{token}%20"), format!("{token}%C3%B1"), format!("{token}+"), format!("{token}%3D")] {
        let answer = handshake(&pulso, &format!("/ws?token={odd}"), "").await;
        assert_eq!(answer.status, 401, "{odd}: {answer:?}");
    }
    // An unknown parameter harms nobody.
    assert_eq!(handshake(&pulso, &format!("/ws?v=2&token={token}"), "").await.status, 101);
    assert_never_logged(&pulso, &[token]);
}
