//! URLs as other clients and providers print them, against real servers.

use pulso::config::{ListenSource, Secret};
use pulso::store::listen::probe;
use pulso::store::{StoreError, open};
use pulso_harness::pgbouncer::Options;
use pulso_harness::{ChaosProxy, Database, PgBouncer, Postgres};
use sqlx::Row as _;

use crate::backend::{TODAY, postgres_config};

const NEGOCIO: &str = "6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f";

async fn total(url: &str) -> i64 {
    let store = open(&postgres_config(url)).unwrap();
    let negocio = store.contact().await.unwrap_or_else(|error| panic!("{error}: {url}")).parse(NEGOCIO).unwrap();
    store.figures(&negocio, TODAY).await.unwrap().total_citas
}

/// Appointments in a schema's table.
async fn booked(database: &Database, schema: &str, count: u32) {
    database
        .execute(&format!(
            "CREATE SCHEMA IF NOT EXISTS \"{schema}\";
             CREATE TABLE IF NOT EXISTS \"{schema}\".negocios (id uuid PRIMARY KEY, admin_negocio_id uuid);
             CREATE TABLE IF NOT EXISTS \"{schema}\".citas (negocio_id uuid, fecha date, estado text);
             INSERT INTO \"{schema}\".citas SELECT '{NEGOCIO}', '2026-11-22', 'x' FROM generate_series(1, {count})"
        ))
        .await;
}

#[tokio::test]
async fn the_schema_that_a_url_names_is_read_and_migrated_whoever_writes_it_and_through_a_pooler_too() {
    let database = Postgres::shared().empty_database().await;
    booked(&database, "public", 1).await;
    booked(&database, "app", 5).await;
    booked(&database, "Mi App", 7).await;
    let pooler = PgBouncer::start(&database, Options::default());
    for url in [database.url(), pooler.url(&database)] {
        assert_eq!(total(&url).await, 1);
        for parameter in [
            "schema=app",
            "currentSchema=app,public",
            "search_path=app",
            "options=-csearch_path%3Dapp",
            "options=-c%20search_path=app",
            "options=--search_path%3Dapp",
            "options%5Bsearch_path%5D=app",
        ] {
            assert_eq!(total(&format!("{url}?{parameter}")).await, 5, "{parameter}");
        }
        assert_eq!(total(&format!("{url}?schema=Mi%20App&pgbouncer=true&connection_limit=1")).await, 7);
        assert_eq!(total(&url).await, 1, "nothing stays behind");
    }
    let outbox = |url: String| async move { open(&postgres_config(&url)).unwrap().outbox().unwrap().migrate().await };
    outbox(format!("{}?schema=app", pooler.url(&database))).await.unwrap();
    let rows = database
        .rows("SELECT to_regclass('app.pulso_outbox') IS NOT NULL, to_regclass('public.pulso_outbox') IS NULL")
        .await;
    assert_eq!((rows[0].get::<bool, _>(0), rows[0].get::<bool, _>(1)), (true, true));
    let store = open(&postgres_config(&format!("{}?schema=nada", database.url()))).unwrap();
    assert!(store.contact().await.unwrap_err().to_string().contains("table citas does not exist"));
}

#[tokio::test]
async fn a_socket_is_reached_with_user_and_password() {
    let server = Postgres::shared();
    let database = server.empty_database().await;
    booked(&database, "public", 3).await;
    let (folder, port, name) = (server.socket_dir().display().to_string(), database.port(), database.name());
    assert_eq!(total(&format!("postgres://pulso:x@/{name}?host={folder}&port={port}")).await, 3);
    let encoded = folder.replace('/', "%2F");
    assert_eq!(total(&format!("postgresql://pulso:x@{encoded}/{name}?port={port}")).await, 3);
}

#[tokio::test]
async fn of_several_hosts_the_first_that_answers_and_fits_is_taken() {
    let (standby, primary) = (Postgres::own(), Postgres::own());
    let (behind, leading) = (standby.empty_database().await, primary.empty_database().await);
    assert_eq!(behind.name(), leading.name());
    booked(&behind, "public", 1).await;
    booked(&leading, "public", 2).await;
    standby.become_standby();
    let (one, two, name) = (standby.port(), primary.port(), leading.name());
    let url = |hosts: &str, wanted: &str| format!("postgres://pulso@{hosts}/{name}?target_session_attrs={wanted}");
    let both = format!("127.0.0.1:{one},127.0.0.1:{two}");
    for (wanted, found) in
        [("any", 1), ("read-write", 2), ("primary", 2), ("standby", 1), ("read-only", 1), ("prefer-standby", 1)]
    {
        assert_eq!(total(&url(&both, wanted)).await, found, "{wanted}");
    }
    assert_eq!(total(&url(&format!("127.0.0.1:1,127.0.0.1:{two}"), "prefer-standby")).await, 2, "nobody else");
    let only = open(&postgres_config(&url(&format!("127.0.0.1:{one}"), "read-write"))).unwrap();
    let refused = only.contact().await.unwrap_err().to_string();
    assert!(refused.contains("target_session_attrs"), "{refused}");

    // A host that says nothing leaves time for the next.
    let silent = ChaosProxy::start(two).await;
    silent.silence();
    assert_eq!(total(&url(&format!("127.0.0.1:{},127.0.0.1:{two}", silent.port()), "any")).await, 2);
    let source = ListenSource { channel: "pulso_citas".to_owned(), url: Secret::new(url(&both, "read-write")) };
    assert_eq!(probe(&source).await, Ok(()));

    // The primary is gone: its successor is found by the same store, where the URL names it.
    let store = open(&postgres_config(&url(&format!("127.0.0.1:{two},127.0.0.1:{one}"), "any"))).unwrap();
    let negocio = store.contact().await.unwrap().parse(NEGOCIO).unwrap();
    assert_eq!(store.figures(&negocio, TODAY).await.unwrap().total_citas, 2);
    primary.stop_hard();
    assert_eq!(store.figures(&negocio, TODAY).await.unwrap().total_citas, 1);
    standby.stop_hard();
    let Err(StoreError::Unreachable(reason)) = store.figures(&negocio, TODAY).await else { panic!("both are gone") };
    assert!(reason.contains(&one.to_string()) && reason.contains(&two.to_string()), "{reason}");
}
