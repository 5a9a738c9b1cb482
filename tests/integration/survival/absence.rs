//! A database that is not there: at the start, for a while, after a crash.

use std::time::Duration;

use pulso_harness::{ChaosProxy, Postgres, wait};
use tokio::time::Instant;

use super::{CANNOT_CHECK, until_down};
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OWNER, citas, database, furnish, owner, pulso};
use pulso_harness::Claims;

/// Five seconds are promised; the rest is for a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_server_started_before_its_database_serves_once_it_is_there() {
    let database = database().await;
    let line = ChaosProxy::start(database.port()).await;
    line.refuse().await;
    let pulso = pulso(&database.url_at(line.port())).start().await;
    assert_eq!(pulso.get("/health").await.status, 200);
    assert_eq!(until_down(&pulso).await, "database_unreachable");
    pulso.until_logged("Cannot connect to database").await;
    wait::until(async || pulso.has_logged("Cannot connect to database"), "the outage is said").await;
    let answer = pulso.notify(NEGOCIO).await;
    assert_eq!(answer.status, 500);
    assert!(!answer.body.contains("database"), "{answer:?}");
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.subscribe(NEGOCIO).await;
    assert_eq!(dashboard.error().await, CANNOT_CHECK);
    let mut named = pulso.connect(&Claims::naming("someone", &[NEGOCIO])).await;
    named.subscribe(NEGOCIO).await;
    assert_eq!(named.error().await, CANNOT_CHECK);
    let mut stranger = pulso.connect(&Claims::user("cccccccc-cccc-4ccc-8ccc-cccccccccccc")).await;
    stranger.subscribe(NEGOCIO).await;
    assert_eq!(stranger.error().await, CANNOT_CHECK);

    citas(&database, NEGOCIO, 2, "atendida", "'2020-01-01'").await;
    line.restore().await;
    assert_eq!(dashboard.stats().await.total, 2);
    assert_eq!(named.stats().await.total, 2);
    assert_eq!(stranger.error().await, "not allowed to subscribe to this channel");
    pulso.until_ready().await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    assert_eq!(dashboard.stats().await.total, 2);
}

#[tokio::test]
async fn what_changed_while_the_database_was_away_is_pushed_when_it_is_back() {
    let database = database().await;
    let line = ChaosProxy::start(database.port()).await;
    let pulso = pulso(&database.url_at(line.port())).with("SENTINEL_INTERVAL", "0").ready().await;
    let mut dashboard = pulso.connect(&Claims::naming(OWNER, &[NEGOCIO, OTHER_NEGOCIO])).await;
    dashboard.watch(NEGOCIO).await;
    dashboard.watch(OTHER_NEGOCIO).await;

    line.refuse().await;
    let called = Instant::now();
    for _ in 0..5 {
        assert_eq!(pulso.notify(NEGOCIO).await.status, 500);
    }
    assert!(
        called.elapsed() < Duration::from_secs(4),
        "answered at once, not after a time-out: {:?}",
        called.elapsed()
    );
    until_down(&pulso).await;
    assert_eq!(pulso.count("pulso_breaker_open").await, 1);
    assert_eq!(pulso.count("pulso_database_up").await, 0);
    dashboard.ping().await;
    // One was announced, the other was not.
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    citas(&database, OTHER_NEGOCIO, 3, "cancelada", "'2020-01-01'").await;

    line.restore().await;
    let restored = Instant::now();
    let mut totals = [0, 0];
    while totals != [1, 3] {
        let stats = dashboard.stats().await;
        totals[usize::from(stats.negocio_id == OTHER_NEGOCIO)] = stats.total;
    }
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    assert!(restored.elapsed() < BACK_WITHIN, "{:?}", restored.elapsed());
    pulso.until_count("pulso_breaker_open", 0).await;
    pulso.until_ready().await;
    assert_eq!(pulso.count("pulso_breaker_opened_total").await, 1);
    assert_eq!(pulso.count("pulso_connections").await, 1);
}

#[tokio::test]
async fn a_live_call_may_try_a_database_that_is_thought_to_be_away() {
    let database = database().await;
    let line = ChaosProxy::start(database.port()).await;
    let pulso = pulso(&database.url_at(line.port())).ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    line.refuse().await;
    while pulso.count("pulso_breaker_open").await == 0 {
        assert_eq!(pulso.notify(NEGOCIO).await.status, 500);
    }
    line.restore().await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200, "the first call after the return");
}

#[tokio::test]
async fn a_crash_of_the_database_costs_no_dashboard_and_no_change() {
    let cluster = Postgres::own();
    let database = cluster.database().await;
    furnish(&database).await;
    let pulso = pulso(&database.url()).ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    citas(&database, NEGOCIO, 4, "atendida", "'2020-01-01'").await;
    cluster.stop_hard();
    assert_eq!(pulso.notify(NEGOCIO).await.status, 500);
    until_down(&pulso).await;
    let mut late = pulso.connect(&owner()).await;
    late.subscribe(NEGOCIO).await;
    dashboard.ping().await;

    cluster.start();
    let restored = Instant::now();
    dashboard.stats_until(|stats| stats.total == 4).await;
    assert!(restored.elapsed() < BACK_WITHIN, "{:?}", restored.elapsed());
    pulso.until_ready().await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    while late.next().await["type"] != "stats" {}
}

#[tokio::test]
async fn killed_connections_are_not_noticed_by_the_next_call() {
    let database = database().await;
    let pulso = pulso(&database.url()).ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    for _ in 0..5 {
        assert!(database.terminate_connections().await > 0);
        assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
        dashboard.stats().await;
    }
    assert_eq!(pulso.count("pulso_query_failures_total").await, 0);
}
