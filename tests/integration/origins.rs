//! Pages of other, allowed origins: one rule for streams and for Socket.IO by polling, whatever the answer is.

mod pages;

use pulso_harness::{Answer, Claims, Running, SECRET, http};
use serde_json::json;

use crate::business::{NEGOCIO, OTHER_NEGOCIO, owner};
use crate::feeds::{configured, signed};

const PAGE: &str = "https://panel.example.com";
const DEVICES: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES (1, 'ipad-1', true);";
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

fn sales() -> String {
    let cashier = Claims::user("cajera").with("negocio_id", json!(NEGOCIO));
    format!("{}&channel=negocio:{NEGOCIO}", signed("/sse", &cashier))
}

/// The head of the answer; that of a stream, too, which has no end.
async fn ask(running: &Running, method: &str, path: &str, more: &str) -> Answer {
    let mut line = http::Line::open(running.port()).await;
    line.send(format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{}\r\n", more.replace('\n', "\r\n"))).await;
    line.answer().await
}

async fn from_page(running: &Running, origin: &str, method: &str, path: &str) -> Answer {
    ask(running, method, path, &format!("origin: {origin}\n")).await
}

fn assert_readable(answer: &Answer, origin: &str, what: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{what}: {answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{what}: {answer:?}");
    assert_eq!(answer.header("access-control-expose-headers"), Some("Retry-After"), "{what}: {answer:?}");
    assert_eq!(answer.header("vary"), Some("Origin"), "{what}: {answer:?}");
}

fn assert_silent(answer: &Answer, what: &str) {
    let told = answer.headers.iter().find(|(name, _)| name.starts_with("access-control-"));
    assert_eq!(told, None, "{what}: {answer:?}");
}

#[tokio::test]
async fn an_allowed_page_reads_every_answer_and_another_reads_none() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.with("BAD_DEVICES_PER_MINUTE", "1").with("FEEDS", "pos,clinic,restaurant,stats");
    let pulso = pulso.with("MAX_CONNECTIONS", "6").with("WS_ALLOWED_ORIGINS", PAGE).ready().await;
    let foreign = format!("{}&channel=estadisticas:{OTHER_NEGOCIO}", signed("/sse", &owner()));
    let unknown = "/sse?channel=device&device_uid=ipad-9".to_owned();
    let all = [
        (200, "GET", sales()),
        (200, "GET", POLLING.to_owned()),
        (400, "GET", "/sse?channel=ventas".to_owned()),
        (400, "GET", "/sse?channel=staff_orders&channel=staff_orders".to_owned()),
        (400, "GET", format!("{POLLING}&sid=nobody")),
        (401, "GET", format!("/sse?channel=negocio:{NEGOCIO}")),
        (401, "GET", format!("/sse?channel=negocio:{NEGOCIO}&token=expired.x.y")),
        (403, "GET", foreign),
        (403, "GET", unknown.clone()),
        (429, "GET", unknown),
        (404, "GET", format!("{}&channel=canal:{NEGOCIO}:a", signed("/sse", &owner()))),
        (405, "POST", sales()),
    ];
    for (status, method, path) in &all {
        let answer = from_page(&pulso, PAGE, method, path).await;
        assert_eq!(answer.status, *status, "{path}: {answer:?}");
        assert_readable(&answer, PAGE, path);
    }
    for (_, method, path) in &all {
        let refused = from_page(&pulso, "https://evil.example", method, path).await;
        assert_silent(&refused, path);
        assert!(refused.status >= 400, "{path}: {refused:?}");
        // What is no page asks without an origin.
        assert_silent(&ask(&pulso, method, path, "").await, path);
    }
    let both = ask(&pulso, "GET", &sales(), &format!("origin: {PAGE}\norigin: {PAGE}\n")).await;
    assert_eq!(both.status, 403);
    assert_silent(&both, "two origins");
}

#[tokio::test]
async fn a_page_reads_that_there_is_no_room_and_when_to_come_back() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("MAX_CONNECTIONS", "1").with("WS_ALLOWED_ORIGINS", PAGE).ready().await;
    let _held = pulso.events(&sales()).await;
    for path in [sales(), POLLING.to_owned()] {
        let answer = from_page(&pulso, PAGE, "GET", &path).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
        assert_readable(&answer, PAGE, &path);
    }
}

#[tokio::test]
async fn a_preflight_is_granted_what_it_asks_for_whatever_the_request_itself_will_be_told() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("FEEDS", "pos").with("WS_ALLOWED_ORIGINS", format!("{PAGE},file://").as_str()).ready().await;
    let wanted = "authorization,last-event-id,ngrok-skip-browser-warning,x-tenant";
    for origin in [PAGE, "file://"] {
        for (path, methods) in [
            (sales().as_str(), "GET"),
            ("/sse", "GET"),
            ("/sse?channel=staff_orders&token=expired.x.y", "GET"),
            (POLLING, "GET, POST"),
        ] {
            let asking = format!("origin: {origin}\naccess-control-request-method: GET\n");
            let full = format!("{asking}access-control-request-headers: {wanted}\n");
            let answer = ask(&pulso, "OPTIONS", path, &full).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{path}: {answer:?}");
            assert_readable(&answer, origin, path);
            assert_eq!(answer.header("access-control-allow-headers"), Some(wanted));
            assert_eq!(answer.header("access-control-allow-methods"), Some(methods));
            assert_eq!(answer.header("access-control-max-age"), Some("3600"));
            assert_eq!(answer.header("access-control-allow-private-network"), None);
            let bare = ask(&pulso, "OPTIONS", path, &asking).await;
            assert_eq!((bare.status, bare.header("access-control-allow-headers")), (200, None), "{path}: {bare:?}");
            let private = format!("{asking}access-control-request-private-network: true\n");
            let answer = ask(&pulso, "OPTIONS", path, &private).await;
            assert_eq!(answer.header("access-control-allow-private-network"), Some("true"), "{answer:?}");
        }
    }
    let asking = "origin: https://evil.example\naccess-control-request-method: GET\n";
    let answer = ask(&pulso, "OPTIONS", &sales(), asking).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (403, Some("origin_not_allowed")));
    assert_silent(&answer, "another's preflight");
}

#[tokio::test]
async fn no_page_reads_an_answer_of_anything_else() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("CLOUD_API_KEY", "a-key-for-the-cloud").with("WS_ALLOWED_ORIGINS", PAGE).ready().await;
    let preflight = format!("origin: {PAGE}\naccess-control-request-method: POST\n");
    for path in [
        "/notify/cita",
        "/notify/venta",
        "/notify/sync",
        "/api/publish",
        "/api/disconnect",
        "/sync/pull-changes",
        "/api/sync/pull-changes",
        "/health",
        "/ready",
        "/metrics",
        "/",
        "/openapi.yaml",
        "/nowhere",
        "/ssex",
        "/socket.iox/?EIO=4&transport=polling",
    ] {
        for method in ["GET", "POST"] {
            assert_silent(&from_page(&pulso, PAGE, method, path).await, path);
        }
        let answer = ask(&pulso, "OPTIONS", path, &preflight).await;
        assert_silent(&answer, path);
        assert!(answer.status >= 400, "{path}: {answer:?}");
    }
    let socket = format!("/ws?token={}", owner().sign(SECRET));
    assert_silent(&from_page(&pulso, PAGE, "GET", &socket).await, "a WebSocket");
}

#[tokio::test]
async fn a_page_from_a_file_may_be_listed_and_is_not_null() {
    let (pulso, _database) = configured().await;
    let path = format!("/ws?token={}", owner().sign(SECRET));
    // As the usual library of microcontrollers does.
    let handshake = |origin: &str| {
        format!(
            "connection: Upgrade\nupgrade: websocket\nsec-websocket-version: 13\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\nsec-websocket-protocol: arduino\norigin: {origin}\n"
        )
    };
    for (listed, origin, may) in [
        ("file://", "file://", true),
        ("https://panel.example.com, FILE://", "file://", true),
        ("*", "file://", true),
        ("null", "file://", false),
        ("file://", "null", false),
        ("file://", "https://panel.example.com", false),
    ] {
        let running = pulso.clone().with("WS_ALLOWED_ORIGINS", listed).ready().await;
        let answer = ask(&running, "GET", &path, &handshake(origin)).await;
        assert_eq!(answer.status, if may { 101 } else { 403 }, "{origin} where {listed} is listed: {answer:?}");
        let stream = from_page(&running, origin, "GET", &sales()).await;
        assert_eq!(stream.header("access-control-allow-origin"), may.then_some(origin), "{listed}: {stream:?}");
    }
    let unset = pulso.ready().await;
    assert_eq!(ask(&unset, "GET", &path, &handshake("file://")).await.status, 403);
}
