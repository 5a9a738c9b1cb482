//! Places of those whom nobody knows yet: a stranger who takes them all keeps nobody out, whatever it comes by.

use pulso_harness::{Claims, Closed, Dashboard, EventStream, Packets, Poller, Running, SECRET, http::Line};
use serde_json::{Value, json};

use super::signed;
use crate::business::{NEGOCIO, database, owner, pulso};

const STRANGER: &str = "203.0.113.9";

/// `places` for newcomers, behind a proxy that says whose connection it is.
async fn with_places(places: &str) -> Running {
    let database = database().await;
    pulso(&database.url())
        .with("MAX_UNAUTHENTICATED", places)
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .with("AUTH_TIMEOUT", "60s")
        .ready()
        .await
}

/// Opens polling sessions, one after the other on one connection.
async fn open_sessions(line: &mut Line, from: &str, times: usize) {
    for _ in 0..times {
        let head = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x";
        line.send(format!("{head}\r\nx-forwarded-for: {from}\r\n\r\n")).await;
        assert_eq!(line.answer().await.status, 200);
    }
}

fn auth() -> Value {
    let waiter = Claims::empty().with("userId", json!("ana")).with("restaurantId", json!("r-1")).expiring_in(3_600);
    json!({ "token": waiter.sign(SECRET) })
}

fn too_many() -> Closed {
    Closed { code: 1013, reason: "too many unauthenticated connections".to_owned() }
}

async fn sign_in(dashboard: &mut Dashboard) {
    dashboard.send(&json!({ "type": "auth", "token": owner().sign(SECRET) })).await;
    dashboard.watch(NEGOCIO).await;
}

#[tokio::test]
async fn one_stranger_with_all_places_keeps_nobody_out_by_any_transport() {
    let pulso = with_places("8").await;
    let port = pulso.port();
    let mut stranger = Line::open(port).await;
    open_sessions(&mut stranger, STRANGER, 20).await;
    let shop = [("x-forwarded-for", "198.51.100.7")];

    let mut dashboard = Dashboard::connect(port, "/ws", &shop).await;
    let mut tablet = Packets::open(port, &shop).await;
    let mut poller = Poller::open(port, "x-forwarded-for: 198.51.100.7\n").await;
    open_sessions(&mut stranger, STRANGER, 20).await;
    sign_in(&mut dashboard).await;
    assert!(tablet.connect(&auth()).await.starts_with("40{"));
    assert!(poller.connect(&auth()).await.starts_with("40{"));
    let stream = format!("/sse?token={}&channel=estadisticas:{NEGOCIO}", owner().sign(SECRET));
    EventStream::open(port, &stream, &shop).await.next().await.unwrap();
    Dashboard::connect(port, &signed(&owner()), &shop).await.watch(NEGOCIO).await;
    assert!(pulso.refused("TooManyUnauthenticated").await >= 32);
    dashboard.ping().await;
}

#[tokio::test]
async fn behind_one_address_who_signs_in_at_once_comes_through() {
    let pulso = with_places("8").await;
    let port = pulso.port();
    let mut stranger = Line::open(port).await;
    open_sessions(&mut stranger, STRANGER, 8).await;
    for _ in 0..3 {
        let mut dashboard = Dashboard::connect(port, "/ws", &[("x-forwarded-for", STRANGER)]).await;
        let mut tablet = Packets::open(port, &[("x-forwarded-for", STRANGER)]).await;
        open_sessions(&mut stranger, STRANGER, 6).await;
        sign_in(&mut dashboard).await;
        assert!(tablet.connect(&auth()).await.starts_with("40{"));
    }
}

#[tokio::test]
async fn the_oldest_newcomer_of_the_address_that_holds_most_goes_and_reads_why() {
    let pulso = with_places("3").await;
    let port = pulso.port();
    let from = async |address: &str| Dashboard::connect(port, "/ws", &[("x-forwarded-for", address)]).await;
    let mut shop = from("198.51.100.7").await;
    let mut first = from(STRANGER).await;
    let mut second = from(STRANGER).await;
    let mut kiosk = from("198.51.100.8").await;
    assert_eq!(first.closed().await, too_many());
    assert_eq!(pulso.closed_with(1013).await, 1);
    // The oldest of all where no address holds more than another.
    let mut last = from("198.51.100.9").await;
    assert_eq!(shop.closed().await, too_many());
    for dashboard in [&mut second, &mut kiosk, &mut last] {
        sign_in(dashboard).await;
    }
    pulso.until_count("pulso_unauthenticated_connections", 0).await;
}

#[tokio::test]
async fn a_session_that_is_pushed_out_ends_and_its_place_with_it() {
    let pulso = with_places("2").await;
    let port = pulso.port();
    let mut tablet = Packets::open(port, &[]).await;
    let poller = Poller::open(port, "").await;
    let mut dashboards = [Dashboard::connect(port, "/ws", &[]).await, Dashboard::connect(port, "/ws", &[]).await];
    tablet.ended().await;
    pulso.until_count("pulso_connections", 2).await;
    assert_eq!(poller.get().await.body, "1");
    assert_eq!(poller.get().await.status, 400);
    for dashboard in &mut dashboards {
        sign_in(dashboard).await;
    }
}
