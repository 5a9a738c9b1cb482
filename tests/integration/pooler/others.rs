//! What other clients leave behind on a server connection that they share with us.

use pulso::config::DatabaseConfig;
use pulso::model::IdType;
use pulso::model::{Change, Entity, QueryName};
use pulso::queries::{LiveQuery, PairsQuery};
use pulso::store::outbox::Handed;
use pulso::store::{Sight, Store, open};
use pulso_harness::pgbouncer::Options;
use pulso_harness::{Database, PgBouncer};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection, Row as _};

use super::twenty_negocios;
use crate::backend::{TODAY, figures, owns, postgres_config};
use crate::store_contract::live;

/// What a stranger says, and the setting that it changes.
const LEFT: [(&str, &str); 18] = [
    ("SET search_path = ajeno", "search_path"),
    ("SET search_path = ajeno, pg_catalog", "search_path"),
    ("SET search_path = ''", "search_path"),
    ("SET ROLE nadie", "role"),
    ("SET SESSION AUTHORIZATION nadie", "session_authorization"),
    ("SET default_transaction_isolation = 'serializable'", "default_transaction_isolation"),
    ("SET default_transaction_read_only = on", "default_transaction_read_only"),
    ("SET lock_timeout = 7", "lock_timeout"),
    ("SET TimeZone = 'Asia/Tokyo'", "TimeZone"),
    ("SET DateStyle = 'German'", "DateStyle"),
    ("SET IntervalStyle = 'iso_8601'", "IntervalStyle"),
    ("SET bytea_output = 'escape'", "bytea_output"),
    ("SET extra_float_digits = -10", "extra_float_digits"),
    ("SET standard_conforming_strings = off", "standard_conforming_strings"),
    ("SET transform_null_equals = on", "transform_null_equals"),
    ("SET row_security = off", "row_security"),
    ("SET synchronous_commit = off", "synchronous_commit"),
    ("SET app.negocio = 'ajeno'", "app.negocio"),
];

/// One server connection for everybody, with tables of the same names that are not ours.
async fn shared() -> (Database, PgBouncer) {
    let database = twenty_negocios().await;
    database
        .execute(
            "CREATE TABLE devices (id integer PRIMARY KEY, device_uid text UNIQUE, is_active boolean NOT NULL);
             INSERT INTO devices VALUES (1, 'entrada', true);
             CREATE SCHEMA ajeno;
             CREATE TABLE ajeno.citas (LIKE public.citas);
             CREATE TABLE ajeno.negocios (LIKE public.negocios);
             CREATE TABLE ajeno.devices (LIKE public.devices);
             CREATE FUNCTION ajeno.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT 1/0';
             DO $$ BEGIN CREATE ROLE nadie; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
             GRANT USAGE ON SCHEMA ajeno TO nadie;",
        )
        .await;
    let pooler = PgBouncer::start(&database, Options { pool_size: 1, max_prepared_statements: 0 });
    (database, pooler)
}

/// Our answers: figures by both ways of asking, owners, devices, and what is kept for a back end.
async fn answers_are_ours(store: &dyn Store, after: &str) {
    let id = |n: i64| IdType::Uuid.parse(&format!("00000000-0000-4000-8000-{n:012}")).unwrap();
    assert_eq!(store.figures(&id(5), TODAY).await, Ok(figures(5, 2, 5, 0)), "{after}");
    let several = store.figures_of(&[id(5), id(8)], TODAY).await;
    assert_eq!(several, Ok(vec![figures(5, 2, 5, 0).into(), figures(8, 4, 8, 0).into()]), "{after}");
    let owner = owns("aaaaaaaa-0000-4000-8000-000000000005", &id(5));
    assert_eq!(store.owners(std::slice::from_ref(&owner)).await, Ok([owner].into()), "{after}");
    let live = live::query(
        "citas",
        "SELECT count(*) AS n, 0.1::float8 + 0.2::float8 AS f, $3::timestamptz AS t, interval '1 day' AS i, \
         coalesce(current_setting('app.negocio', true), '') AS s FROM citas WHERE negocio_id = $1",
    );
    // With a backslash in a string nothing is written into the text.
    let beside = LiveQuery {
        name: QueryName::parse("aparte").unwrap(),
        sql: format!(r"{} AND '\' <> ''", live.sql).into(),
        ..live.clone()
    };
    for live in [live, beside] {
        assert_eq!(
            live::said(store, &live, Some(id(5).as_str())).await,
            r#"{"n":5,"f":0.30000000000000004,"t":"2026-11-22T11:30:00.123456+01:00","i":"P1D","s":""}"#,
            "{after}"
        );
    }
    let pairs = PairsQuery {
        file: "acceso.sql".into(),
        sql: "SELECT id, admin_negocio_id AS user_id FROM negocios WHERE id = ANY ($1) AND admin_negocio_id = ANY ($2)"
            .into(),
    };
    let pair = (id(5).as_str().to_owned(), "aaaaaaaa-0000-4000-8000-000000000005".to_owned());
    assert_eq!(store.pairs(&pairs, std::slice::from_ref(&pair)).await, Ok([pair].into()), "{after}");
    assert_eq!(store.sights(&[3]).await, Ok(vec![Sight::Over]), "{after}");
    let found = store.devices(&["entrada".to_owned()], &[]).await.unwrap();
    assert!(found.len() == 1 && found[0].is_active, "{after}: {found:?}");
    let outbox = store.outbox().unwrap();
    let change =
        Change { tenant: String::new(), entity: Entity::Order, id: after.to_owned(), payload: "{}".to_owned() };
    outbox.keep(&change, None).await.unwrap();
    let pending = outbox.pull("", &[], Handed::Event, None, 100).await.unwrap();
    assert!(pending.iter().any(|pending| pending.id == after), "{after}: {pending:?}");
    assert_eq!(outbox.missing().await.map(|missing| missing.len()), Ok(0), "{after}");
}

async fn store(config: &DatabaseConfig) -> std::sync::Arc<dyn Store> {
    let store = open(config).unwrap();
    store.contact().await.unwrap();
    store
}

async fn stranger(url: &str) -> PgConnection {
    // A start-up parameter that pgbouncer refuses.
    let options: PgConnectOptions = url.parse().unwrap();
    options.extra_float_digits(None).statement_cache_capacity(0).connect().await.unwrap()
}

async fn shown(stranger: &mut PgConnection, setting: &str) -> String {
    let sql = format!("SELECT pg_catalog.current_setting('{setting}')");
    stranger.fetch_one(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap().get(0)
}

#[tokio::test]
async fn settings_that_others_left_change_no_answer_and_are_left_as_they_were() {
    let (database, pooler) = shared().await;
    let config = postgres_config(&pooler.url(&database));
    let known = store(&config).await;
    known.outbox().unwrap().migrate().await.unwrap();
    let mut stranger = stranger(&pooler.url(&database)).await;
    for (left, setting) in LEFT {
        stranger.execute(sqlx::raw_sql(left)).await.unwrap();
        let before = shown(&mut stranger, setting).await;
        answers_are_ours(&*known, left).await;
        // One that begins here meets them too.
        answers_are_ours(&*store(&config).await, left).await;
        assert_eq!(shown(&mut stranger, setting).await, before, "{left}");
        stranger.execute(sqlx::raw_sql("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL")).await.unwrap();
    }
}

#[tokio::test]
async fn tables_that_others_made_for_their_session_are_not_read() {
    let (database, pooler) = shared().await;
    let config = postgres_config(&pooler.url(&database));
    let known = store(&config).await;
    known.outbox().unwrap().migrate().await.unwrap();
    let mut stranger = stranger(&pooler.url(&database)).await;
    let temporary = "CREATE TEMP TABLE citas (LIKE public.citas); CREATE TEMP TABLE negocios (LIKE public.negocios); \
                     CREATE TEMP TABLE devices (LIKE public.devices)";
    stranger.execute(sqlx::raw_sql(temporary)).await.unwrap();
    answers_are_ours(&*known, "temporary tables").await;
    answers_are_ours(&*store(&config).await, "temporary tables").await;
}

#[tokio::test]
async fn a_path_and_a_role_that_are_the_roles_own_are_kept() {
    let (database, pooler) = shared().await;
    database
        .execute(&format!(
            "INSERT INTO ajeno.citas SELECT * FROM citas WHERE negocio_id = '00000000-0000-4000-8000-000000000002';
             ALTER DATABASE {name} SET search_path = ajeno, public;
             ALTER DATABASE {name} SET role = 'nadie';
             GRANT SELECT ON ALL TABLES IN SCHEMA ajeno TO nadie",
            name = database.name()
        ))
        .await;
    database.terminate_connections().await;
    let store = store(&postgres_config(&pooler.url(&database))).await;
    let id = |n: i64| IdType::Uuid.parse(&format!("00000000-0000-4000-8000-{n:012}")).unwrap();
    assert_eq!(store.figures(&id(2), TODAY).await, Ok(figures(2, 1, 2, 0)));
    assert_eq!(store.figures(&id(5), TODAY).await, Ok(figures(0, 0, 0, 0)), "the other schema's");
}
