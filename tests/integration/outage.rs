//! What a PostgreSQL that dies, hangs, refuses or comes back does to the store's calls.

use std::sync::Arc;
use std::time::Duration;

use pulso::config::DatabaseConfig;
use pulso::model::NegocioId;
use pulso::store::{ContactError, Store, StoreError, open};
use pulso_harness::{ChaosProxy, Database, Postgres, wait};

use crate::backend::{TODAY, figures, owns, postgres_config};

const ALTA: &str = "9f1c2b3a-0000-4000-8000-00000000abcd";

/// Short limits, so that waiting for them does not take long.
fn impatient(url: &str) -> DatabaseConfig {
    let mut config = postgres_config(url);
    config.connect_timeout = Duration::from_millis(600);
    config.statement_timeout = Duration::from_millis(700);
    config
}

/// The answer to a call that must not hang. Far more than both limits, for a busy machine; far less than TCP's own.
async fn answered<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), call).await.expect("the call is answered within its limits")
}

async fn contacted(url: &str) -> (Arc<dyn Store>, NegocioId) {
    let store = open(&impatient(url)).unwrap();
    let negocio = store.contact().await.unwrap().parse(ALTA).unwrap();
    (store, negocio)
}

async fn one_cita(database: &Database) {
    database
        .execute(&format!(
            "INSERT INTO negocios (id, nombre) VALUES ('{ALTA}', 'Alta');
             INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin)
                VALUES (gen_random_uuid(), '{ALTA}', gen_random_uuid(), '2026-11-22', '09:00', '09:30')"
        ))
        .await;
}

/// Fills the store with connections that wait.
async fn warm(store: &Arc<dyn Store>, negocio: &NegocioId) {
    let calls = (0..8).map(|_| {
        let (store, negocio) = (Arc::clone(store), negocio.clone());
        tokio::spawn(async move { store.figures(&negocio, TODAY).await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn a_read_on_a_killed_connection_is_repeated_on_a_fresh_one() {
    let database = Postgres::shared().database().await;
    one_cita(&database).await;
    let (store, negocio) = contacted(&database.url()).await;
    for _ in 0..5 {
        warm(&store, &negocio).await;
        assert!(database.terminate_connections().await > 0);
        assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(1, 1, 0, 0));
    }
}

#[tokio::test]
async fn a_read_after_the_line_was_cut_succeeds() {
    let database = Postgres::shared().database().await;
    one_cita(&database).await;
    let line = ChaosProxy::start(database.port()).await;
    let (store, negocio) = contacted(&database.url_at(line.port())).await;
    for _ in 0..5 {
        warm(&store, &negocio).await;
        line.cut();
        assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(1, 1, 0, 0));
    }
}

#[tokio::test]
async fn refused_connections_fail_at_once_and_recover() {
    let database = Postgres::shared().database().await;
    one_cita(&database).await;
    let line = ChaosProxy::start(database.port()).await;
    let (store, negocio) = contacted(&database.url_at(line.port())).await;
    line.refuse().await;
    let error = store.figures(&negocio, TODAY).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("Cannot connect to database") && text.contains("refused"), "{text}");
    assert!(matches!(store.contact().await, Err(ContactError::Store(StoreError::Unreachable(_)))));
    line.restore().await;
    assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(1, 1, 0, 0));
}

#[tokio::test]
async fn a_black_hole_costs_no_more_than_the_limits() {
    let database = Postgres::shared().database().await;
    one_cita(&database).await;
    let line = ChaosProxy::start(database.port()).await;
    let (store, negocio) = contacted(&database.url_at(line.port())).await;
    warm(&store, &negocio).await;
    line.silence();
    let error = answered(store.figures(&negocio, TODAY)).await.unwrap_err();
    assert!(matches!(error, StoreError::TimedOut(_)), "a connection that hangs is a time-out: {error:?}");
    // The waiting connections are suspect now: the next calls try new ones, and find nobody.
    for _ in 0..2 {
        let error = answered(store.figures(&negocio, TODAY)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    }
    line.restore().await;
    assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(1, 1, 0, 0));
}

#[tokio::test]
async fn a_frozen_server_costs_no_more_than_the_limits() {
    let server = Postgres::own();
    let database = server.database().await;
    one_cita(&database).await;
    let (store, negocio) = contacted(&database.url()).await;
    server.freeze();
    let asked = [owns(ALTA, &negocio)];
    assert!(matches!(answered(store.owners(&asked)).await, Err(StoreError::TimedOut(_))));
    assert!(matches!(answered(store.ping()).await, Err(StoreError::Unreachable(_))));
    server.thaw();
    assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(1, 1, 0, 0));
}

#[tokio::test]
async fn a_crashed_server_is_unreachable_until_it_is_back() {
    let server = Postgres::own();
    let database = server.database().await;
    one_cita(&database).await;
    let (store, negocio) = contacted(&database.url()).await;
    warm(&store, &negocio).await;
    server.stop_hard();
    assert!(matches!(store.figures(&negocio, TODAY).await, Err(StoreError::Unreachable(_))));
    server.start();
    assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(1, 1, 0, 0));
}

#[tokio::test]
async fn a_store_may_be_made_before_its_database_is_there() {
    let line = ChaosProxy::start(Postgres::shared().port()).await;
    line.refuse().await;
    let database = Postgres::shared().database().await;
    one_cita(&database).await;
    let store = open(&impatient(&database.url_at(line.port()))).unwrap();
    assert!(matches!(store.contact().await, Err(ContactError::Store(StoreError::Unreachable(_)))));
    line.restore().await;
    wait::until(async || store.contact().await.is_ok(), "contact once the database is there").await;
}

#[tokio::test]
async fn a_slow_query_is_stopped_by_the_server_and_its_connection_serves_on() {
    let database = Postgres::shared().database().await;
    one_cita(&database).await;
    let (store, negocio) = contacted(&database.url()).await;
    // A lock that the query must wait for.
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    let error = store.figures(&negocio, TODAY).await.unwrap_err();
    assert!(matches!(&error, StoreError::TimedOut(text) if text.contains("57014")), "{error:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(1, 1, 0, 0));
    let sessions = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pulso'";
    assert_eq!(database.rows(sessions).await.len(), 1);
}

#[tokio::test]
async fn a_dropped_call_leaves_no_half_read_connection_behind() {
    let database = Postgres::shared().database().await;
    one_cita(&database).await;
    let (store, negocio) = contacted(&database.url()).await;
    let other = store.contact().await.unwrap().parse("00000000-0000-4000-8000-000000000000").unwrap();
    for micros in (0..4000).step_by(100) {
        let call = store.figures(&negocio, TODAY);
        let _ = tokio::time::timeout(Duration::from_micros(micros), call).await;
        assert_eq!(store.figures(&other, TODAY).await.unwrap(), figures(0, 0, 0, 0));
        assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(1, 1, 0, 0));
    }
}

#[tokio::test]
async fn a_full_server_is_unreachable_and_not_wrong() {
    let database = Postgres::shared().database().await;
    database.execute("CREATE ROLE sin_cupo LOGIN CONNECTION LIMIT 0").await;
    let url = database.url().replace("pulso@", "sin_cupo@");
    let error = open(&impatient(&url)).unwrap().contact().await.unwrap_err();
    assert!(
        matches!(&error, ContactError::Store(StoreError::Unreachable(text)) if text.contains("53300")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_wrong_password_is_said_and_never_shown() {
    let database = Postgres::shared().database().await;
    let url = database.url().replace("pulso@", "lectora:cl4ve-equivocada@");
    let error = open(&impatient(&url)).unwrap().contact().await.unwrap_err();
    assert!(matches!(error, ContactError::Store(StoreError::Unreachable(_))), "{error:?}");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("password authentication failed"), "{shown}");
    assert!(!shown.contains("cl4ve"), "{shown}");
}

#[tokio::test]
async fn a_role_without_rights_is_told_what_to_grant() {
    let database = Postgres::shared().database().await;
    database.execute("CREATE ROLE sin_derechos LOGIN").await;
    let url = database.url().replace("pulso@", "sin_derechos@");
    let error = open(&postgres_config(&url)).unwrap().contact().await.unwrap_err();
    assert!(
        matches!(&error, ContactError::Store(StoreError::Refused(text)) if text.contains("GRANT SELECT")),
        "{error:?}"
    );
}
