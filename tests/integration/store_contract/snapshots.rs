//! Which of two reads is newer: however many write meanwhile and whichever way the figures are read, the greater order has
//! seen all that the lesser has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pulso::config::{DatabaseConfig, StatsSource};
use pulso::model::{Figures, IdType, NegocioId};
use pulso::store::{RollupChange, Store};
use pulso_harness::{Database, PgBouncer, Postgres, Scratch, pgbouncer};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::backend::{Prepared, TODAY, postgres_config};

const WRITERS: u64 = 16;
/// Of each way of reading.
const READERS: usize = 2;
const TIME: Duration = Duration::from_secs(10);
const NEGOCIOS: [&str; 3] = ["a", "b", "c"];

/// Counts in a function of its own, which looks twice with a pause between: it would see two moments if it were let.
const OWN_QUERY: &str = r"SELECT * FROM cuenta($1, $2) WHERE '\' <> ''";
const FUNCTION: &str = "
    CREATE FUNCTION cuenta(negocio text, hoy date, OUT total_citas bigint, OUT citas_hoy bigint,
                           OUT citas_completadas bigint, OUT citas_canceladas bigint) LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        SELECT count(*), count(*) FILTER (WHERE fecha = hoy) INTO total_citas, citas_hoy
          FROM citas WHERE negocio_id = negocio;
        PERFORM pg_sleep(0.002);
        SELECT count(*) FILTER (WHERE estado = 'atendida'), count(*) FILTER (WHERE estado = 'cancelada')
          INTO citas_completadas, citas_canceladas FROM citas WHERE negocio_id = negocio;
    END $$";

/// One read of all businesses.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    order: u64,
    figures: Vec<Figures>,
}

/// Transactions that only add, with savepoints and given up now and then, until the time is over. How many were committed.
async fn write(url: String, seed: u64, end: Instant) -> u32 {
    let dice = &mut StdRng::seed_from_u64(seed);
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut committed = 0;
    while Instant::now() < end {
        let mut batch = vec!["BEGIN".to_owned()];
        for _ in 0..dice.random_range(1..=4) {
            let negocio = NEGOCIOS[dice.random_range(0..NEGOCIOS.len())];
            let estado = ["pendiente", "atendida", "cancelada"][dice.random_range(0..3)];
            let row =
                format!("INSERT INTO citas VALUES ('{negocio}', '2026-11-2{}', '{estado}')", dice.random_range(1..3));
            let pause = f64::from(dice.random_range(0..4)) / 1_000.0;
            batch.push(match dice.random_range(0..4) {
                0 => format!("SAVEPOINT s; {row}; RELEASE s; SELECT pg_sleep({pause})"),
                1 => format!("SAVEPOINT s; {row}; SELECT pg_sleep({pause}); ROLLBACK TO s"),
                _ => format!("{row}; SELECT pg_sleep({pause})"),
            });
        }
        let is_kept = dice.random_range(0..5) > 0;
        batch.push(if is_kept { "COMMIT" } else { "ROLLBACK" }.to_owned());
        connection.execute(sqlx::raw_sql(AssertSqlSafe(batch.join("; ")))).await.unwrap();
        committed += u32::from(is_kept);
    }
    committed
}

/// Reads the first businesses, as many as may be asked for at once, until the time is over.
/// `known`: the greatest order that any reader has been answered with.
async fn read(store: Arc<dyn Store>, known: Arc<AtomicU64>, end: Instant) -> Vec<Seen> {
    let negocios: Vec<NegocioId> = NEGOCIOS.iter().map(|id| IdType::Text.parse(id).unwrap()).collect();
    let negocios = &negocios[..store.most_at_once().min(negocios.len())];
    let mut seen = Vec::new();
    while Instant::now() < end {
        let before = known.load(Ordering::SeqCst);
        let counted = store.figures_of(negocios, TODAY).await.unwrap();
        let order = counted[0].order.expect("a primary tells");
        assert!(counted.iter().all(|each| each.order == Some(order)), "read together, at one moment");
        assert!(order >= before, "a read that began later has an order no less: {order} after {before}");
        known.fetch_max(order, Ordering::SeqCst);
        seen.push(Seen { order, figures: counted.into_iter().map(|each| each.figures).collect() });
    }
    seen
}

fn is_no_less(later: &Figures, earlier: &Figures) -> bool {
    let each = |figures: &Figures| {
        [figures.total_citas, figures.citas_hoy, figures.citas_completadas, figures.citas_canceladas]
    };
    each(later).iter().zip(each(earlier)).all(|(later, earlier)| *later >= earlier)
}

fn ordered(config: DatabaseConfig) -> DatabaseConfig {
    DatabaseConfig { orders_reads: true, ..config }
}

/// Everybody at once; those who read are told to go by `url`.
async fn race(database: &Database, url: &str) {
    database
        .execute(&format!(
            "CREATE TABLE negocios (id text PRIMARY KEY, admin_negocio_id text);
             CREATE TABLE citas (negocio_id text NOT NULL, fecha date NOT NULL, estado text NOT NULL); {FUNCTION}"
        ))
        .await;
    let plain = pulso::store::open(&postgres_config(&database.url())).unwrap();
    plain.change_rollup(RollupChange::Create).await.unwrap();
    let scratch = Scratch::new();
    let own = scratch.write("own.sql", OWN_QUERY);
    let configs = [
        ordered(postgres_config(url)),
        DatabaseConfig { stats_sql: Some(own), ..ordered(postgres_config(url)) },
        DatabaseConfig { stats_source: StatsSource::Rollup, ..ordered(postgres_config(url)) },
    ];
    let (known, end) = (Arc::new(AtomicU64::new(0)), Instant::now() + TIME);
    let mut readers = JoinSet::new();
    for config in &configs {
        let store = pulso::store::open(config).unwrap();
        store.contact().await.unwrap();
        assert_eq!(store.reads_rollup(), config.stats_source == StatsSource::Rollup);
        for _ in 0..READERS {
            readers.spawn(read(Arc::clone(&store), Arc::clone(&known), end));
        }
    }
    let mut writers = JoinSet::new();
    for seed in 0..WRITERS {
        writers.spawn(write(database.url(), seed, end));
    }
    let committed: u32 = writers.join_all().await.iter().sum();
    let mut by_order: BTreeMap<u64, Seen> = BTreeMap::new();
    let (mut reads, mut shared) = (0, 0);
    for seen in readers.join_all().await.into_iter().flatten() {
        reads += 1;
        if let Some(other) = by_order.get(&seen.order) {
            shared += 1;
            assert_eq!(other.figures[0], seen.figures[0], "two reads of order {}", seen.order);
        }
        by_order.entry(seen.order).or_insert(seen);
    }
    let all: Vec<&Seen> = by_order.values().collect();
    for pair in all.windows(2) {
        let (earlier, later) = (pair[0], pair[1]);
        let none_goes_back =
            earlier.figures.iter().zip(&later.figures).all(|(earlier, later)| is_no_less(later, earlier));
        assert!(none_goes_back, "{later:?} went back behind {earlier:?}");
    }
    let grown = all.last().unwrap().figures[0].total_citas;
    println!("{committed} commits, {reads} reads, {} orders, {shared} met another's; {grown} rows", all.len());
    assert!(committed > 500 && all.len() > 200, "that was no race");
}

#[tokio::test]
async fn the_greater_order_has_seen_all_that_the_lesser_has() {
    let database = Postgres::shared().empty_database().await;
    race(&database, &database.url()).await;
}

#[tokio::test]
async fn the_greater_order_has_seen_all_behind_a_transaction_pooler_too() {
    let database = Postgres::shared().empty_database().await;
    let pooler = PgBouncer::start(&database, pgbouncer::Options { pool_size: 4, ..pgbouncer::Options::default() });
    race(&database, &pooler.url(&database)).await;
}

async fn order_of(store: &dyn Store) -> Option<u64> {
    store.figures_of(&[IdType::Text.parse("a").unwrap()], TODAY).await.unwrap()[0].order
}

#[tokio::test]
async fn who_does_not_ask_is_told_no_order() {
    let prepared = Prepared::postgres().await.with_tables("text", "text").await;
    assert_eq!(order_of(&*prepared.contacted().await.0).await, None);
    let mut prepared = Prepared::sqlite().await.with_tables("text", "text").await;
    prepared.config.orders_reads = true;
    assert_eq!(order_of(&*prepared.contacted().await.0).await, None, "SQLite has none to tell");
}

#[tokio::test]
async fn a_standby_tells_no_order_until_it_is_promoted() {
    let server = Postgres::own();
    let database = server.empty_database().await;
    database.execute("CREATE TABLE citas (negocio_id text, fecha date, estado text)").await;
    database.execute("CREATE TABLE negocios (id text, admin_negocio_id text)").await;
    let store = pulso::store::open(&ordered(postgres_config(&database.url()))).unwrap();
    store.contact().await.unwrap();
    let before = order_of(&*store).await.expect("a primary tells");
    server.become_standby();
    store.contact().await.unwrap();
    assert_eq!(order_of(&*store).await, None);
    database.execute("SELECT pg_promote()").await;
    let told = async {
        loop {
            if let Some(order) = order_of(&*store).await {
                return order;
            }
        }
    };
    let after = timeout(Duration::from_secs(10), told).await.expect("told as soon as it is a primary");
    assert!(after >= before, "{after} after {before}: nothing was lost");
}
