//! How many connections there may be: in all, of one address, without a token.

use pulso_harness::Dashboard;
use serde_json::json;

use super::{from_address, signed_path, upgrade};
use crate::business::{NEGOCIO, database, owner, pulso};

#[tokio::test]
async fn dashboards_beyond_the_cap_are_told_to_come_back_and_hooks_are_served() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("MAX_CONNECTIONS", "2").ready().await;
    let mut first = pulso.connect(&owner()).await;
    let mut second = pulso.connect(&owner()).await;
    first.watch(NEGOCIO).await;

    let answer = pulso.exchange(&upgrade(&signed_path()), "").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    assert_eq!(answer.json()["error"], "busy");
    assert_eq!(pulso.refused("TooManyConnections").await, 1);

    assert_eq!(pulso.get("/health").await.status, 200);
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    first.stats().await;

    second.send_message(tokio_tungstenite::tungstenite::Message::Close(None)).await;
    second.closed().await;
    pulso.until_count("pulso_connections", 1).await;
    pulso.connect(&owner()).await.watch(NEGOCIO).await;
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("MAX_CONNECTIONS_PER_ADDRESS", "3").ready().await;
    let from = async |address| {
        let stream = from_address(address, pulso.port()).await;
        Dashboard::handshake(stream, pulso.port(), &signed_path(), &[("x-forwarded-for", "203.0.113.7")]).await
    };
    let mut ours = Vec::new();
    for _ in 0..3 {
        ours.push(from([127, 0, 0, 2]).await.unwrap());
    }
    // What a stranger says about where it comes from counts for nothing.
    assert_eq!(from([127, 0, 0, 2]).await.unwrap_err().status, 503);
    assert_eq!(pulso.refused("TooManyFromAddress").await, 1);
    from([127, 0, 0, 3]).await.unwrap().watch(NEGOCIO).await;
    for mut dashboard in ours {
        dashboard.ping().await;
    }
    pulso.until_count("pulso_connections", 0).await;
    from([127, 0, 0, 2]).await.unwrap().watch(NEGOCIO).await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_whom_it_forwards_is_counted() {
    let database = database().await;
    let pulso = pulso(&database.url())
        .with("MAX_CONNECTIONS_PER_ADDRESS", "2")
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .ready()
        .await;
    let path = signed_path();
    let from =
        async |forwarded: &str| Dashboard::try_connect(pulso.port(), &path, &[("x-forwarded-for", forwarded)]).await;
    let mut open = Vec::new();
    for forwarded in ["203.0.113.1", "10.9.9.9, 203.0.113.1", "203.0.113.2", "203.0.113.2"] {
        open.push(from(forwarded).await.unwrap());
    }
    for forwarded in ["203.0.113.1", "203.0.113.3, 203.0.113.2"] {
        assert_eq!(from(forwarded).await.unwrap_err().status, 503);
    }
    assert_eq!(pulso.refused("TooManyFromAddress").await, 2);
    from("203.0.113.3").await.unwrap().watch(NEGOCIO).await;
    // The proxy's own calls are nobody's dashboards.
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    for mut dashboard in open {
        dashboard.ping().await;
    }
}

#[tokio::test]
async fn connections_without_a_token_have_few_places_and_give_them_back() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("MAX_UNAUTHENTICATED", "1").ready().await;
    let mut first = Dashboard::connect(pulso.port(), "/ws", &[]).await;
    pulso.until_count("pulso_unauthenticated_connections", 1).await;
    let mut next = Dashboard::connect(pulso.port(), "/ws", &[]).await;
    assert_eq!(first.closed().await.code, 1013);
    assert_eq!(pulso.refused("TooManyUnauthenticated").await, 1);
    // Who brings a token needs none of these places.
    pulso.connect(&owner()).await.watch(NEGOCIO).await;

    next.send(&json!({ "type": "auth", "token": owner().sign(pulso_harness::SECRET) })).await;
    next.watch(NEGOCIO).await;
    pulso.until_count("pulso_unauthenticated_connections", 0).await;
    let second = Dashboard::connect(pulso.port(), "/ws", &[]).await;
    drop(second);
    pulso.until_count("pulso_connections", 1).await;
    Dashboard::connect(pulso.port(), "/ws", &[]).await;
}

#[tokio::test]
async fn a_refused_handshake_leaves_no_place_taken() {
    let database = database().await;
    let pulso = pulso(&database.url())
        .with("MAX_CONNECTIONS", "1")
        .with("MAX_CONNECTIONS_PER_ADDRESS", "2")
        .with("MAX_UNAUTHENTICATED", "0")
        .ready()
        .await;
    for path in ["/ws", "/ws?token=nonsense", "/ws?token=a&token=b"] {
        for _ in 0..3 {
            let answer = pulso.exchange(&upgrade(path), "").await;
            assert!([400, 401, 503].contains(&answer.status), "{answer:?}");
        }
    }
    pulso.connect(&owner()).await.watch(NEGOCIO).await;
}
