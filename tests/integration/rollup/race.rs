//! Writers of every kind at once: no lost row, no deadlock, nobody waits.

use std::time::Duration;

use pulso_harness::pgbouncer::Options;
use pulso_harness::{Database, PgBouncer};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::task::JoinSet;

use super::{DIFFERENCES, INTO, RollupChange, book, change, counted, differences, figures, row};
use crate::rollup::rollup_config;

const DAYS: [&str; 4] = ["2026-11-21", "2026-11-22", "2026-11-23", "2024-02-29"];
const STATES: [&str; 3] = ["pendiente", "atendida", "cancelada"];

/// Some rows of the table, by chance.
fn some(dice: &mut StdRng, at_most: u32) -> String {
    let limit = dice.random_range(1..=at_most);
    format!(
        "id IN (SELECT id FROM citas ORDER BY md5(id::text || '{}') LIMIT {limit} FOR UPDATE SKIP LOCKED)",
        dice.random::<u32>()
    )
}

/// One statement as an API, a nightly job or a hand at psql might send it.
fn statement(dice: &mut StdRng) -> String {
    let negocio = dice.random_range(1..=4);
    let (day, state) = (*DAYS.choose(dice).unwrap(), *STATES.choose(dice).unwrap());
    match dice.random_range(0..12) {
        0..=3 => format!("{INTO} VALUES {}", row(negocio, day, state)),
        4 => {
            let rows: Vec<String> = (0..40)
                .map(|_| row(dice.random_range(1..=4), DAYS.choose(dice).unwrap(), STATES.choose(dice).unwrap()))
                .collect();
            format!("{INTO} VALUES {}", rows.join(", "))
        }
        5..=6 => format!("UPDATE citas SET estado = '{state}' WHERE {}", some(dice, 3)),
        7 => format!(
            "UPDATE citas SET fecha = '{day}', negocio_id = '{}' WHERE {}",
            super::negocio(negocio),
            some(dice, 5)
        ),
        8 => format!("UPDATE citas SET hora_fin = '10:00' WHERE {}", some(dice, 5)),
        9 => format!("DELETE FROM citas WHERE {}", some(dice, 4)),
        // Inserts and updates in one statement.
        10 => format!(
            "{INTO} VALUES {} ON CONFLICT (id) DO NOTHING;
             INSERT INTO citas SELECT * FROM (SELECT * FROM citas WHERE {}) AS again
                 ON CONFLICT (id) DO UPDATE SET estado = '{state}', fecha = '{day}'",
            row(negocio, day, state),
            some(dice, 3),
        ),
        _ => format!(
            "SAVEPOINT duda; {INTO} VALUES {}; ROLLBACK TO SAVEPOINT duda; {INTO} VALUES {}",
            row(negocio, day, state),
            row(negocio, day, state)
        ),
    }
}

/// Transactions of a few statements each, some of which are given up.
async fn write(url: String, seed: u64, transactions: u32) {
    let dice = &mut StdRng::seed_from_u64(seed);
    // A pooler refuses that start-up parameter.
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = PgConnection::connect_with(&options.extra_float_digits(None)).await.unwrap();
    for _ in 0..transactions {
        let isolation = *["READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"].choose(dice).unwrap();
        let end = if dice.random_range(0..5) == 0 { "ROLLBACK" } else { "COMMIT" };
        let count = dice.random_range(1..=4_usize);
        let body: Vec<String> = std::iter::repeat_with(|| statement(dice)).take(count).collect();
        let batch = format!("BEGIN ISOLATION LEVEL {isolation}; {}; {end}", body.join("; "));
        match connection.execute(sqlx::raw_sql(AssertSqlSafe(batch.as_str()))).await {
            Ok(_) => {}
            // Snapshots that came too late are the API's own affair; a deadlock (40P01) would be ours.
            Err(error)
                if error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("40001") =>
            {
                connection.execute("ROLLBACK").await.unwrap();
            }
            Err(error) => panic!("{error}: {batch}"),
        }
    }
}

/// Everybody at once on `url`, and somebody who looks meanwhile.
async fn race(database: &Database, url: &str) {
    let mut writers = JoinSet::new();
    for seed in 0..6 {
        writers.spawn(write(url.to_owned(), 7_000 + seed, 40));
    }
    let mut looks = 0;
    while !writers.is_empty() {
        assert_eq!(differences(database).await, [""; 0], "while they write");
        looks += 1;
        while let Some(done) = writers.try_join_next() {
            done.unwrap();
        }
    }
    assert!(looks > 1);
    assert_eq!(differences(database).await, [""; 0], "at the end");
    let written = database.rows("SELECT count(*) FROM citas").await[0].get::<i64, _>(0);
    assert!(written > 100, "{written} rows are no race");
}

#[tokio::test]
async fn counters_are_right_at_every_moment_whoever_writes() {
    let database = counted().await;
    race(&database, &database.url()).await;
    let folded = database.rows("SELECT count(*) FROM pulso_stats_total").await[0].get::<i64, _>(0);
    assert!(folded > 0, "nothing was ever folded");
}

#[tokio::test]
async fn counters_are_right_behind_a_transaction_pooler() {
    let database = counted().await;
    let pooler = PgBouncer::start(&database, Options { pool_size: 4, ..Options::default() });
    race(&database, &pooler.url(&database)).await;
    let (plain, rollup) = (super::postgres_config(&pooler.url(&database)), rollup_config(&pooler.url(&database)));
    let (plain, rollup) = (super::open(&plain).unwrap(), super::open(&rollup).unwrap());
    for number in 1..=4 {
        assert_eq!(figures(&*rollup, number).await, figures(&*plain, number).await);
    }
    assert!(rollup.reads_rollup());
}

#[tokio::test]
async fn building_loses_nothing_that_is_written_meanwhile() {
    let database = super::founded().await;
    let mut writers = JoinSet::new();
    for seed in 0..3 {
        writers.spawn(write(database.url(), 9_000 + seed, 40));
    }
    change(&database, RollupChange::Create).await;
    assert_eq!(differences(&database).await, [""; 0]);
    change(&database, RollupChange::Rebuild).await;
    writers.join_all().await;
    assert_eq!(differences(&database).await, [""; 0]);
}

/// So many rows on different days that they are folded for certain.
fn many_days(number: u32) -> String {
    format!(
        "{INTO} SELECT gen_random_uuid(), gen_random_uuid(), '09:00', '09:30', '{}', date '2026-01-01' + i, 'pendiente'
           FROM generate_series(1, 40) AS i",
        super::negocio(number)
    )
}

#[tokio::test]
async fn a_snapshot_that_is_too_old_to_fold_fails_nobodys_transaction() {
    let database = counted().await;
    let mut old = database.connect().await;
    old.execute(sqlx::raw_sql(AssertSqlSafe(many_days(1)))).await.unwrap();
    let mut single = many_days(1);
    single.push_str(" LIMIT 1");
    for isolation in ["REPEATABLE READ", "SERIALIZABLE"] {
        database.execute(&single).await;
        let begin = format!("BEGIN ISOLATION LEVEL {isolation}; SELECT count(*) FROM citas");
        old.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await.unwrap();
        database.execute(&many_days(1)).await;
        old.execute(sqlx::raw_sql(AssertSqlSafe(many_days(1)))).await.unwrap();
        old.execute("COMMIT").await.unwrap();
        assert_eq!(differences(&database).await, [""; 0]);
    }
}

#[tokio::test]
async fn an_open_transaction_keeps_nobody_waiting() {
    let database = counted().await;
    let mut slow = database.connect().await;
    // It has folded, and so it holds the sums of its business.
    let folding = format!("BEGIN; {}", many_days(1));
    slow.execute(sqlx::raw_sql(AssertSqlSafe(folding))).await.unwrap();
    let mut quick = database.connect().await;
    quick.execute("SET lock_timeout = '2s'").await.unwrap();
    for _ in 0..40 {
        quick.execute(sqlx::raw_sql(AssertSqlSafe(many_days(1)))).await.unwrap();
    }
    assert_eq!(differences(&database).await, [""; 0]);
    slow.execute("COMMIT").await.unwrap();
    assert_eq!(differences(&database).await, [""; 0]);
}

#[tokio::test]
async fn truncating_and_cascades_are_counted() {
    let database = counted().await;
    database.execute("ALTER TABLE citas DROP CONSTRAINT citas_negocio_id_fkey, ADD FOREIGN KEY (negocio_id) REFERENCES negocios ON DELETE CASCADE").await;
    book(&database, &[(1, "2026-11-22", "atendida"), (2, "2026-11-22", "pendiente"), (2, "2026-11-20", "cancelada")])
        .await;
    database.execute(&format!("DELETE FROM negocios WHERE id = '{}'", super::negocio(2))).await;
    assert_eq!(differences(&database).await, [""; 0]);
    let mut looking = database.connect().await;
    looking.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
    let truncating = tokio::time::timeout(Duration::from_secs(10), database.execute("TRUNCATE citas"));
    truncating.await.unwrap();
    assert_eq!(differences(&database).await, [""; 0]);
    let left = "SELECT (SELECT count(*) FROM pulso_stats_total) + (SELECT count(*) FROM pulso_stats_day)";
    assert_eq!(database.rows(left).await[0].get::<i64, _>(0), 0);
    book(&database, &[(1, "2026-11-22", "atendida")]).await;
    database.execute("BEGIN; TRUNCATE citas; ROLLBACK").await;
    assert_eq!(differences(&database).await, [""; 0]);
}

#[tokio::test]
async fn the_comparison_of_these_tests_can_fail() {
    let database = counted().await;
    book(&database, &[(1, "2026-11-22", "atendida")]).await;
    database.execute("SET session_replication_role = replica; DELETE FROM citas").await;
    assert_eq!(database.rows(DIFFERENCES).await.len(), 2);
}
