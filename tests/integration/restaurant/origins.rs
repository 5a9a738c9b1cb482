//! Pages of other origins: WS_ALLOWED_ORIGINS for Socket.IO, by either transport.

use pulso_harness::{Answer, Packets, Running};

use super::{RESTAURANT, auth, server};

const PAGE: &str = "https://panel.example.com";

async fn open(running: &Running, method: &str, origin: &str, more: &str) -> Answer {
    running
        .exchange(&format!("{method} /socket.io/?EIO=4&transport=polling HTTP/1.1\norigin: {origin}\n{more}"), "")
        .await
}

#[tokio::test]
async fn a_page_that_may_connect_may_read_the_answers() {
    let running = server().with("WS_ALLOWED_ORIGINS", PAGE).start().await;
    let answer = open(&running, "GET", PAGE, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert!(answer.header("vary").unwrap().to_ascii_lowercase().contains("origin"));

    let asking = "access-control-request-method: GET\naccess-control-request-headers: authorization";
    let preflight = open(&running, "OPTIONS", PAGE, asking).await;
    assert_eq!(preflight.status, 200, "{preflight:?}");
    assert_eq!(preflight.header("access-control-allow-origin"), Some(PAGE));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("POST"));

    let mut socket = Packets::open(running.port(), &[("origin", PAGE)]).await;
    assert!(socket.connect(&auth(RESTAURANT)).await.starts_with("40{"));
}

#[tokio::test]
async fn a_page_that_may_not_connect_gets_nothing() {
    let listed = server().with("WS_ALLOWED_ORIGINS", PAGE).start().await;
    let unset = server().start().await;
    for (running, origin) in [(&listed, "https://evil.example"), (&listed, "null"), (&unset, PAGE)] {
        for (method, more) in [("GET", ""), ("OPTIONS", "access-control-request-method: GET")] {
            let answer = open(running, method, origin, more).await;
            assert_eq!(answer.status, 403, "{answer:?}");
            assert_eq!(answer.json()["error"], "origin_not_allowed");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        let refused = Packets::try_open(running.port(), &[("origin", origin)]).await.unwrap_err();
        assert_eq!(refused.status, 403);
    }
    assert_eq!(open(&unset, "GET", "http://localhost:4200", "").await.status, 200);
    let any = server().with("WS_ALLOWED_ORIGINS", "*").start().await;
    assert_eq!(open(&any, "GET", PAGE, "").await.header("access-control-allow-origin"), Some(PAGE));
}
