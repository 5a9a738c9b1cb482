//! Writes pass the same guard as questions: a database that is away opens the breaker, one call probes, and it closes.

use std::sync::Arc;
use std::time::Duration;

use pulso::database::Database;
use pulso::model::Entity;
use pulso::store::{StoreError, open};
use pulso::telemetry::metrics::Metrics;
use pulso_harness::{Postgres, wait};
use tokio::time::Instant;

use super::changes::change;
use crate::backend::{Prepared, postgres_config};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

#[tokio::test]
async fn writes_open_the_breaker_and_close_it() {
    let server = Postgres::own();
    let mut config = postgres_config(&server.empty_database().await.url());
    (config.asks_figures, config.connect_timeout) = (false, Duration::from_millis(500));
    let store = open(&config).unwrap();
    store.outbox().unwrap().migrate().await.unwrap();
    let metrics = Arc::new(Metrics::new());
    let database = Database::new(store, &config, Arc::clone(&metrics));
    database.contact().await.unwrap();
    let order = change("t", Entity::Order, "a", "{}");
    database.keep(&order, None, soon()).await.unwrap();
    server.stop_hard();
    while metrics.breaker_open.get() == 0 {
        let not_kept = database.keep(&order, None, soon()).await.unwrap_err();
        assert!(matches!(not_kept.failure, StoreError::Unreachable(_)));
    }
    assert!(database.is_down());
    assert!(matches!(database.has_pending("t").await, Err(StoreError::Unreachable(_))));
    server.start();
    assert!(database.has_pending("t").await.is_err(), "the background waits for a probe");
    wait::until(async || database.keep(&order, None, soon()).await.is_ok(), "a writer probes").await;
    assert!(database.has_pending("t").await.unwrap());
    assert_eq!(metrics.breaker_open.get(), 0);
}

#[tokio::test]
async fn an_operator_migrates_while_the_server_runs() {
    let prepared = Prepared::sqlite().await;
    let database = Database::new(prepared.store(), &prepared.config, Arc::new(Metrics::new()));
    assert!(!database.is_migrated().await.unwrap());
    prepared.migrated().await;
    assert!(database.is_migrated().await.unwrap());
}
