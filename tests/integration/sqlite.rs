//! What only SQLite has: a file that may not be there, a lock, the demo's memory.

use std::time::Duration;

use pulso::config::{DatabaseConfig, DatabaseUrl, Secret};
use pulso::store::{ContactError, StoreError, open};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::backend::{Prepared, TODAY, figures};

#[tokio::test]
async fn a_missing_file_is_unreachable_and_never_created() {
    let scratch = pulso_harness::Scratch::new();
    for (file, query) in [("nada.db", ""), ("rwc.db", "?mode=rwc")] {
        let path = scratch.path().join(file);
        let url = format!("sqlite://{}{query}", path.display());
        let store = open(&DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(url)))).unwrap();
        let error = store.contact().await.unwrap_err();
        assert!(
            matches!(&error, ContactError::Store(StoreError::Unreachable(text)) if text.contains(file)),
            "{error:?}"
        );
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn a_file_that_appears_is_found() {
    let prepared = Prepared::sqlite().await.with_tables("text", "text").await;
    let (here, away) = (prepared.scratch.path().join("citas.db"), prepared.scratch.path().join("lejos.db"));
    std::fs::rename(&here, &away).unwrap();
    let store = prepared.store();
    assert!(store.contact().await.is_err());
    std::fs::rename(&away, &here).unwrap();
    store.contact().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let scratch = pulso_harness::Scratch::new();
    let path = scratch.write("foto.jpg", &"no es una base de datos ".repeat(100));
    let url = format!("sqlite://{}", path.display());
    let store = open(&DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(url)))).unwrap();
    assert!(matches!(store.contact().await, Err(ContactError::Store(StoreError::Refused(_)))));
}

#[tokio::test]
async fn a_locked_file_is_a_time_out_and_serves_on_afterwards() {
    let mut prepared = Prepared::sqlite().await.with_tables("text", "text").await;
    prepared.config.statement_timeout = Duration::from_millis(300);
    prepared.cita("n", "2026-11-22", "atendida").await;
    let (store, id) = prepared.contacted().await;
    let n = id.parse("n").unwrap();
    let options = SqliteConnectOptions::new().filename(prepared.scratch.path().join("citas.db"));
    let mut writer = options.connect().await.unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE; DELETE FROM citas").execute(&mut writer).await.unwrap();
    assert!(matches!(store.figures(&n, TODAY).await, Err(StoreError::TimedOut(_))));
    sqlx::raw_sql("ROLLBACK").execute(&mut writer).await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(store.figures(&n, TODAY).await.unwrap(), figures(1, 1, 1, 0));
}

#[tokio::test]
async fn the_store_never_writes() {
    let mut prepared = Prepared::sqlite().await.with_tables("text", "text").await;
    prepared.config.stats_sql = Some(prepared.scratch.write(
        "stats.sql",
        "INSERT INTO citas VALUES ($1, $2, 'x') RETURNING 1 AS total_citas, 1 AS citas_hoy, 1 AS citas_completadas, \
         1 AS citas_canceladas",
    ));
    let error = prepared.store().contact().await.unwrap_err();
    assert!(error.to_string().contains("readonly"), "{error}");
}
