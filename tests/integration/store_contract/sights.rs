//! Read your commit: what is said of a caller's transaction, and that a read which says it is over holds what it wrote.

use std::sync::Arc;
use std::time::Duration;

use pulso::model::IdType;
use pulso::queries::LiveQuery;
use pulso::store::{LiveRead, Sight, Store, open};
use pulso_harness::{Database, PgBouncer, Postgres, pgbouncer};
use rand::Rng as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::live::{query, read};
use crate::backend::{Prepared, TODAY, figures, postgres_config};

async fn begin(connection: &mut PgConnection) -> u64 {
    connection.execute("BEGIN").await.unwrap();
    xid(connection).await
}

async fn xid(connection: &mut PgConnection) -> u64 {
    let row = connection.fetch_one("SELECT pg_current_xact_id()::text").await.unwrap();
    row.get::<String, _>(0).parse().unwrap()
}

async fn sight(store: &dyn Store, xid: u64) -> Sight {
    let alone = store.sights(&[xid]).await.unwrap();
    // What a read in the same message sees.
    let query = query("visto", "SELECT 1 AS n");
    let asked = LiveRead { xids: vec![3, xid], ..read(&query, None) };
    let answer = store.live(&[asked]).await.unwrap().remove(0).unwrap();
    assert_eq!(answer.seen[1..], alone, "{xid}");
    alone[0]
}

async fn ready(config: &pulso::config::DatabaseConfig) -> Arc<dyn Store> {
    let mut config = config.clone();
    config.asks_figures = false;
    let store = open(&config).unwrap();
    store.contact().await.unwrap();
    store.learn(&query("visto", "SELECT 1 AS n")).await.unwrap();
    assert!(store.knows_transactions());
    store
}

#[tokio::test]
async fn a_transaction_is_over_when_it_is_committed_or_aborted_and_not_before() {
    let database = Postgres::shared().empty_database().await;
    database.execute("CREATE TABLE filas (n integer)").await;
    let mut orders = postgres_config(&database.url());
    orders.orders_reads = true;
    for config in [postgres_config(&database.url()), orders] {
        let store = ready(&config).await;
        let mut other = database.connect().await;
        let running = begin(&mut other).await;
        assert_eq!(sight(&*store, running).await, Sight::Open);
        other.execute("COMMIT").await.unwrap();
        assert_eq!(sight(&*store, running).await, Sight::Over);

        let aborted = begin(&mut other).await;
        assert_eq!(sight(&*store, aborted).await, Sight::Open);
        other.execute("ROLLBACK").await.unwrap();
        assert_eq!(sight(&*store, aborted).await, Sight::Over);

        for end in ["RELEASE s", "ROLLBACK TO s"] {
            let with_savepoint = begin(&mut other).await;
            other.execute("SAVEPOINT s; INSERT INTO filas VALUES (1)").await.unwrap();
            assert_eq!(xid(&mut other).await, with_savepoint, "the whole transaction's");
            other.execute(end).await.unwrap();
            assert_eq!(sight(&*store, with_savepoint).await, Sight::Open, "{end}");
            other.execute("COMMIT").await.unwrap();
            assert_eq!(sight(&*store, with_savepoint).await, Sight::Over, "{end}");
        }

        for (name, end) in [("uno", "COMMIT PREPARED"), ("dos", "ROLLBACK PREPARED")] {
            let prepared = begin(&mut other).await;
            let name = format!("{name}-{}", database.name());
            other.execute(sqlx::raw_sql(AssertSqlSafe(format!("PREPARE TRANSACTION '{name}'")))).await.unwrap();
            assert_eq!(sight(&*store, prepared).await, Sight::Open, "prepared is not over");
            other.execute(sqlx::raw_sql(AssertSqlSafe(format!("{end} '{name}'")))).await.unwrap();
            assert_eq!(sight(&*store, prepared).await, Sight::Over, "{end}");
        }
        let future = begin(&mut other).await + 1_000_000;
        other.execute("COMMIT").await.unwrap();
        assert_eq!(sight(&*store, future).await, Sight::Open, "not even begun");
        for never in [u64::MAX, 1 << 63] {
            assert_eq!(sight(&*store, never).await, Sight::Open, "{never}");
        }
        for none in [0, 1, 2] {
            assert_eq!(sight(&*store, none).await, Sight::TooOld, "{none}");
        }
    }
}

#[tokio::test]
async fn figures_say_it_too_however_they_are_read() {
    let prepared = Prepared::postgres().await.with_tables("text", "text").await;
    let Prepared { config, scratch, .. } = &prepared;
    let database = prepared.url();
    let mut ordered = config.clone();
    ordered.orders_reads = true;
    let mut own = config.clone();
    let sql = r"SELECT count(*) AS total_citas, 0 AS citas_hoy, 0 AS citas_completadas, 0 AS citas_canceladas
        FROM citas WHERE negocio_id = $1 AND $2::date IS NOT NULL AND '\' <> ''";
    own.stats_sql = Some(scratch.write("own.sql", sql));
    for config in [config.clone(), ordered, own] {
        let store = open(&config).unwrap();
        let negocio = store.contact().await.unwrap().parse("a").unwrap();
        let mut other = PgConnection::connect(&database).await.unwrap();
        let running = begin(&mut other).await;
        other.execute("INSERT INTO citas VALUES ('a', '2026-01-01', 'x')").await.unwrap();
        let asked = [running, 3];
        let (before, seen) = store.figures_seeing(std::slice::from_ref(&negocio), TODAY, &asked).await.unwrap();
        assert_eq!((before[0].figures, &*seen), (figures(0, 0, 0, 0), &[Sight::Open, Sight::Over][..]));
        other.execute("COMMIT").await.unwrap();
        let both = [negocio.clone(), IdType::Text.parse("b").unwrap()];
        let both = &both[..store.most_at_once().min(2)];
        let (after, seen) = store.figures_seeing(both, TODAY, &asked).await.unwrap();
        assert_eq!((after[0].figures, &*seen), (figures(1, 0, 0, 0), &[Sight::Over, Sight::Over][..]));
        other.execute("DELETE FROM citas").await.unwrap();
    }
}

#[tokio::test]
async fn each_read_is_told_of_its_own_transactions() {
    let database = Postgres::shared().empty_database().await;
    let store = ready(&postgres_config(&database.url())).await;
    let mut other = database.connect().await;
    let running = begin(&mut other).await;
    let query = query("visto", "SELECT 1 AS n");
    let with = |xids: &[u64]| LiveRead { xids: xids.to_vec(), ..read(&query, None) };
    let answers = store.live(&[with(&[]), with(&[3, running]), with(&[running]), with(&[4])]).await.unwrap();
    let seen: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().seen).collect();
    assert_eq!(seen, [vec![], vec![Sight::Over, Sight::Open], vec![Sight::Open], vec![Sight::Over]]);
}

#[tokio::test]
async fn a_number_without_its_epoch_is_found_out() {
    let server = Postgres::own();
    server.enter_next_epoch();
    let database = server.empty_database().await;
    let store = ready(&postgres_config(&database.url())).await;
    let mut other = database.connect().await;
    let running = begin(&mut other).await;
    assert!(running > u64::from(u32::MAX), "{running}");
    assert_eq!(sight(&*store, running).await, Sight::Open);
    assert_eq!(sight(&*store, running & u64::from(u32::MAX)).await, Sight::TooOld);
    other.execute("COMMIT").await.unwrap();
    assert_eq!(sight(&*store, running).await, Sight::Over);
}

/// Writers that name their transactions, some of which commit late; each is looked for until it is seen, and then its row must
/// be in that very answer.
async fn no_answer_lacks_what_it_has_seen(database: &Database, config: pulso::config::DatabaseConfig, time: Duration) {
    let counted = query("cuenta", "SELECT count(*) AS n FROM filas WHERE n = $1::text::bigint");
    let store = ready(&config).await;
    store.learn(&counted).await.unwrap();
    let end = Instant::now() + time;
    let mut callers = JoinSet::new();
    for caller in 0..12_u64 {
        let (store, counted, url) = (Arc::clone(&store), counted.clone(), database.url());
        callers.spawn(async move { call(&*store, &counted, &url, caller, end).await });
    }
    let asked: u32 = callers.join_all().await.into_iter().sum();
    println!("{asked} transactions named");
    assert!(asked > 100, "that was no race");
}

async fn call(store: &dyn Store, counted: &LiveQuery, url: &str, caller: u64, end: Instant) -> u32 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut named = 0;
    while Instant::now() < end {
        let xid = begin(&mut connection).await;
        let row = format!("INSERT INTO filas VALUES ({xid})");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(row))).await.unwrap();
        let late = Duration::from_millis(rand::rng().random_range(0..=4) * (caller % 3));
        let commit = tokio::spawn(async move {
            sleep(late).await;
            connection.execute("COMMIT").await.unwrap();
            connection
        });
        loop {
            let asked = LiveRead { xids: vec![xid], ..read(counted, Some(&xid.to_string())) };
            let answer = store.live(&[asked]).await.unwrap().remove(0).unwrap();
            if answer.seen == [Sight::Over] {
                assert_eq!(answer.data.as_ref(), r#"{"n":1}"#, "{xid} is seen and its row is not");
                break;
            }
        }
        named += 1;
        connection = commit.await.unwrap();
    }
    named
}

const RACE: Duration = Duration::from_secs(5);

async fn with_rows(server: &Postgres) -> Database {
    let database = server.empty_database().await;
    database.execute("CREATE TABLE filas (n bigint)").await;
    database
}

#[tokio::test]
async fn no_answer_lacks_a_row_whose_transaction_it_has_seen() {
    let database = with_rows(Postgres::shared()).await;
    no_answer_lacks_what_it_has_seen(&database, postgres_config(&database.url()), RACE).await;
}

#[tokio::test]
async fn no_answer_lacks_it_behind_a_transaction_pooler() {
    let database = with_rows(Postgres::shared()).await;
    let pooler = PgBouncer::start(&database, pgbouncer::Options { pool_size: 4, ..pgbouncer::Options::default() });
    no_answer_lacks_what_it_has_seen(&database, postgres_config(&pooler.url(&database)), RACE).await;
}

#[tokio::test]
async fn no_answer_of_a_standby_that_lags_lacks_it() {
    let server = Postgres::own();
    let database = with_rows(&server).await;
    for (behind, is_ordered) in [(0, false), (0, true), (60, false)] {
        let replica = server.replica(Duration::from_millis(behind));
        let mut config = postgres_config(&replica.database_named(database.name()).url());
        config.orders_reads = is_ordered;
        no_answer_lacks_what_it_has_seen(&database, config, RACE).await;
    }
}
