//! A database that takes everything and answers nothing: every caller has its answer in time all the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pulso_harness::{ChaosProxy, Claims, Database, Running};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::business::{NEGOCIO, OWNER, citas, database, open, owner, pulso};

/// What a caller waits for an answer. Promised are 4.5 s; the rest is for a busy machine.
const CALLERS_PATIENCE: Duration = Duration::from_secs(5);

fn ids(count: u32) -> Vec<String> {
    (0..count).map(|number| format!("00000000-0000-4000-8000-{number:012}")).collect()
}

/// Calls the hook of all these businesses at once; none may wait longer than its caller does.
async fn all_fail_in_time(pulso: &Arc<Running>, negocios: &[String]) {
    let mut calls = JoinSet::new();
    for negocio in negocios {
        let (pulso, negocio) = (Arc::clone(pulso), negocio.clone());
        calls.spawn(async move {
            let called = Instant::now();
            (pulso.notify(&negocio).await, called.elapsed())
        });
    }
    while let Some(call) = calls.join_next().await {
        let (answer, after) = call.unwrap();
        assert_eq!(answer.status, 500, "{answer:?}");
        assert_eq!(answer.json()["error"], "figures_unavailable");
        assert!(after < CALLERS_PATIENCE, "answered after {after:?}");
    }
}

/// Takes its time: two rounds of calls that wait for their time-out.
#[tokio::test]
async fn behind_a_black_hole_every_call_is_answered_in_time_and_none_is_lost() {
    let database = database().await;
    let line = ChaosProxy::start(database.port()).await;
    let pulso = Arc::new(pulso(&database.url_at(line.port())).with("SENTINEL_INTERVAL", "0").ready().await);
    let negocios = ids(50);
    let claims = Claims::naming(OWNER, &negocios.iter().map(String::as_str).collect::<Vec<_>>());
    let mut dashboard = pulso.connect(&claims).await;
    for negocio in &negocios {
        dashboard.watch(negocio).await;
    }
    line.silence();
    // On connections that were open, then on new ones.
    all_fail_in_time(&pulso, &negocios).await;
    all_fail_in_time(&pulso, &negocios).await;
    assert_eq!(pulso.get("/health").await.status, 200);
    dashboard.ping().await;

    line.restore().await;
    let restored = Instant::now();
    let mut missing: BTreeSet<_> = negocios.iter().cloned().collect();
    while !missing.is_empty() {
        missing.remove(&dashboard.stats().await.negocio_id);
    }
    assert_eq!(pulso.notify(&negocios[0]).await.status, 200);
    assert!(restored.elapsed() < Duration::from_secs(8), "{:?}", restored.elapsed());
    pulso.until_ready().await;
}

async fn lock(database: &Database) -> sqlx::PgConnection {
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    blocker
}

#[tokio::test]
async fn a_statement_that_hangs_is_given_up_in_time_and_its_figures_follow() {
    let (pulso, database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    let blocker = lock(&database).await;
    let called = Instant::now();
    assert_eq!(pulso.notify(NEGOCIO).await.status, 500);
    assert!(called.elapsed() < CALLERS_PATIENCE, "{:?}", called.elapsed());
    drop(blocker);
    assert_eq!(dashboard.stats().await.total, 1);
    assert_eq!(pulso.get("/ready").await.status, 200);
}

#[tokio::test]
async fn slow_and_failing_queries_do_not_open_the_breaker() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("DB_STATEMENT_TIMEOUT", "200ms").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let blocker = lock(&database).await;
    for _ in 0..5 {
        assert_eq!(pulso.notify(NEGOCIO).await.status, 500);
    }
    drop(blocker);
    dashboard.stats().await;
    database.execute("ALTER TABLE citas RENAME estado TO otro").await;
    for _ in 0..5 {
        let answer = pulso.notify(NEGOCIO).await;
        assert_eq!(answer.status, 500);
        for word in ["estado", "citas", "column", "SELECT", "SQL"] {
            assert!(!answer.body.contains(word), "{answer:?}");
        }
    }
    assert_eq!(pulso.count("pulso_breaker_opened_total").await, 0);
    assert!(pulso.count("pulso_query_failures_total").await >= 10);
    database.execute("ALTER TABLE citas RENAME otro TO estado").await;
    dashboard.stats().await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
}
