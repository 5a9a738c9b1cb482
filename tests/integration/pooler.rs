//! Through the real pgbouncer in transaction mode every answer is the right one's, not merely no error.

mod others;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pulso::model::IdType;
use pulso::store::{Store, StoreError, open};
use pulso_harness::pgbouncer::Options;
use pulso_harness::{Database, PgBouncer, Postgres, wait};
use sqlx::Row;
use tokio::task::JoinSet;

use crate::backend::{TODAY, figures, owns, postgres_config};

const NEGOCIOS: i64 = 20;

/// Business n has n appointments, all attended, n / 2 of them today, and its own owner.
async fn twenty_negocios() -> Database {
    let database = Postgres::shared().database().await;
    database
        .execute(&format!(
            "INSERT INTO negocios (id, admin_negocio_id, nombre)
                SELECT {id}::uuid, {user}::uuid, 'n' || n FROM generate_series(1, {NEGOCIOS}) AS n;
             INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
                SELECT gen_random_uuid(), {id}::uuid, gen_random_uuid(),
                       CASE WHEN i <= n / 2 THEN date '2026-11-22' ELSE date '2026-11-01' END, '09:00', '09:30', 'atendida'
                  FROM generate_series(1, {NEGOCIOS}) AS n, generate_series(1, n) AS i;",
            id = "format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))",
            user = "format('aaaaaaaa-0000-4000-8000-%s', lpad(n::text, 12, '0'))",
        ))
        .await;
    database
}

async fn every_answer_is_right(options: Options) {
    let database = twenty_negocios().await;
    let pooler = PgBouncer::start(&database, options);
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..2 {
        let mut config = postgres_config(&pooler.url(&database));
        config.max_connections = 10;
        let store = open(&config).unwrap();
        assert_eq!(store.contact().await.unwrap(), IdType::Uuid);
        stores.push(store);
    }
    let mut calls = JoinSet::new();
    for caller in 0..20_i64 {
        let store = Arc::clone(&stores[usize::try_from(caller % 2).unwrap()]);
        calls.spawn(async move {
            for round in 0..25 {
                let n = (caller * 7 + round) % NEGOCIOS + 1;
                let negocio = IdType::Uuid.parse(&format!("00000000-0000-4000-8000-{n:012}")).unwrap();
                match (caller + round) % 4 {
                    0 => {
                        let own = owns(&format!("aaaaaaaa-0000-4000-8000-{n:012}"), &negocio);
                        let strangers = owns(&format!("aaaaaaaa-0000-4000-8000-{:012}", n % NEGOCIOS + 1), &negocio);
                        let asked = [own.clone(), strangers];
                        assert_eq!(store.owners(&asked).await.unwrap(), HashSet::from([own]));
                    }
                    1 if round % 5 == 0 => assert_eq!(store.contact().await.unwrap(), IdType::Uuid),
                    1 => store.ping().await.unwrap(),
                    _ => assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(n, n / 2, n, 0)),
                }
            }
        });
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
}

#[tokio::test]
async fn every_answer_is_right_through_two_shared_server_connections() {
    every_answer_is_right(Options { pool_size: 2, max_prepared_statements: 0 }).await;
}

#[tokio::test]
async fn every_answer_is_right_where_the_pooler_keeps_statements() {
    every_answer_is_right(Options { pool_size: 2, max_prepared_statements: 100 }).await;
}

#[tokio::test]
async fn a_server_that_the_pooler_lost_is_found_again() {
    let database = twenty_negocios().await;
    let pooler = PgBouncer::start(&database, Options::default());
    let store = open(&postgres_config(&pooler.url(&database))).unwrap();
    let negocio = store.contact().await.unwrap().parse("00000000-0000-4000-8000-000000000004").unwrap();
    for _ in 0..5 {
        database.terminate_connections().await;
        assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(4, 2, 4, 0));
    }
}

#[tokio::test]
async fn a_server_that_died_behind_the_pooler_is_a_failure_and_then_found_again() {
    let server = Postgres::own();
    let database = server.database().await;
    let pooler = PgBouncer::start(&database, Options::default());
    let mut config = postgres_config(&pooler.url(&database));
    config.connect_timeout = Duration::from_millis(600);
    config.statement_timeout = Duration::from_millis(700);
    let store = open(&config).unwrap();
    let negocio = store.contact().await.unwrap().parse("00000000-0000-4000-8000-000000000004").unwrap();
    server.stop_hard();
    for _ in 0..3 {
        let error = store.figures(&negocio, TODAY).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreachable(_) | StoreError::TimedOut(_)), "{error:?}");
    }
    server.start();
    wait::until(async || store.figures(&negocio, TODAY).await.is_ok(), "the server is found again").await;
}

#[tokio::test]
async fn figures_are_asked_for_in_one_message() {
    let database = twenty_negocios().await;
    let store = open(&postgres_config(&database.url())).unwrap();
    let negocio = store.contact().await.unwrap().parse("00000000-0000-4000-8000-000000000004").unwrap();
    assert_eq!(store.figures(&negocio, TODAY).await.unwrap(), figures(4, 2, 4, 0));
    let asked = database
        .rows("SELECT query FROM pg_stat_activity WHERE application_name = 'pulso' AND datname = current_database()")
        .await;
    let asked: Vec<String> = asked.iter().map(|row| row.get(0)).collect();
    // What came last on the one connection there is.
    assert!(matches!(asked.as_slice(), [one] if one.starts_with("BEGIN") && one.ends_with("COMMIT")), "{asked:?}");
}
