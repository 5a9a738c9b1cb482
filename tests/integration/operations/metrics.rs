//! `/health`, `/ready` and `/metrics`.

use pulso_harness::wait;

use crate::business::{NEGOCIO, citas, open, owner};
use crate::feeds::signed;

/// What is promised to be there from the first scrape on.
const PROMISED: &[&str] = &[
    "pulso_connections",
    "pulso_subscriptions",
    "pulso_notices_total",
    "pulso_queries_total",
    "pulso_coalesced_total",
    "pulso_query_seconds_count",
    "pulso_query_seconds_sum",
    "pulso_notice_to_socket_seconds_count",
    "pulso_notice_to_socket_seconds_sum",
    "pulso_broadcasts_total",
    "pulso_deliveries_total",
    "pulso_conflated_total",
    "pulso_slow_closes_total",
    "pulso_drift_total",
    "pulso_breaker_open",
    "pulso_database_up",
];

#[tokio::test]
async fn health_and_readiness_are_told_apart() {
    let (pulso, _database) = open().await;
    for (path, key) in [("/health", "status"), ("/ready", "ready")] {
        let answer = pulso.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert!(!answer.json()[key].is_null(), "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let answer = pulso.exchange(&format!("POST {path} HTTP/1.1"), "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
        assert_eq!(pulso.exchange(&format!("HEAD {path} HTTP/1.1"), "").await.status, 200);
    }
}

#[tokio::test]
async fn every_promised_number_is_there_and_moves() {
    let (pulso, database) = open().await;
    let answer = pulso.get("/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(answer.body.ends_with("# EOF\n"));
    for name in PROMISED {
        assert!(answer.body.lines().any(|line| line.starts_with(&format!("{name} "))), "{name} is missing");
    }
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    dashboard.stats().await;
    assert_eq!(pulso.get("/nowhere").await.status, 404);
    for name in [
        "pulso_connections",
        "pulso_subscriptions",
        "pulso_notices_total",
        "pulso_notice_to_socket_seconds_count",
        "pulso_broadcasts_total",
        "pulso_database_up",
        "pulso_hook_answers_total{status=\"200\"}",
        "pulso_refusals_total{reason=\"Path\"}",
    ] {
        // What is counted behind a write may be seen a moment before.
        wait::until(async || pulso.count(name).await >= 1, name).await;
    }
    assert!(pulso.count("pulso_queries_total").await >= 2);
    wait::until(async || pulso.count("pulso_deliveries_total").await >= 2, "the first figures and the next").await;
    assert!(!pulso.get("/metrics").await.body.contains(NEGOCIO), "a label with what a peer sent");
}

#[tokio::test]
async fn the_time_from_a_notice_to_the_first_socket_is_measured_where_that_is_a_stream() {
    let (pulso, database) = open().await;
    let path = format!("{}&channel=estadisticas:{NEGOCIO}", signed("/sse", &owner()));
    let mut stream = pulso.events(&path).await;
    assert_eq!(stream.message().await["type"], "stats");
    assert_eq!(pulso.count("pulso_notice_to_socket_seconds_count").await, 0, "nothing was announced");
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    assert_eq!(stream.message().await["data"]["total_citas"], 1);
    pulso.until_count("pulso_notice_to_socket_seconds_count", 1).await;
}

#[tokio::test]
async fn gauges_return_to_zero_however_rudely_everybody_left() {
    let (pulso, _database) = open().await;
    let mut dashboards = Vec::new();
    for _ in 0..20 {
        let mut dashboard = pulso.connect(&owner()).await;
        dashboard.watch(NEGOCIO).await;
        dashboards.push(dashboard);
    }
    for _ in 0..5 {
        dashboards.push(pulso_harness::Dashboard::connect(pulso.port(), "/ws", &[]).await);
    }
    pulso.until_count("pulso_connections", 25).await;
    assert_eq!(pulso.count("pulso_subscriptions").await, 20);
    assert_eq!(pulso.count("pulso_unauthenticated_connections").await, 5);
    for (number, mut dashboard) in dashboards.into_iter().enumerate() {
        match number % 3 {
            // A reset in the middle of a frame.
            0 => {
                use tokio::io::AsyncWriteExt;
                dashboard.stream().write_all(&[0x81, 0xfe, 0x10]).await.unwrap();
                dashboard.stream().set_zero_linger().unwrap();
            }
            1 => dashboard.stream().set_zero_linger().unwrap(),
            _ => {}
        }
    }
    for gauge in ["pulso_connections", "pulso_subscriptions", "pulso_unauthenticated_connections"] {
        pulso.until_count(gauge, 0).await;
    }
    wait::until(async || pulso.notify(NEGOCIO).await.json()["subscribers"] == 0, "nobody is left").await;
    assert_eq!(pulso.closed_with(1006).await, 25);
}
