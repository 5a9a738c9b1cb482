//! What PostgreSQL does to writes that meet at the worst moment, which is held open here until all have come to it.

use pulso::model::{Change, Confirmation, Entity};
use pulso::store::{Store, open};
use pulso_harness::{Database, Postgres, wait};
use sqlx::{Connection, PgConnection};
use std::sync::Arc;

use super::changes::{GET, POST, change, keep};
use crate::backend::postgres_config;

async fn migrated() -> (Database, Arc<dyn Store>) {
    let database = Postgres::shared().empty_database().await;
    let store = open(&postgres_config(&database.url())).unwrap();
    store.outbox().unwrap().migrate().await.unwrap();
    (database, store)
}

fn order(payload: &str) -> Change {
    change("t", Entity::Order, "a", payload)
}

/// How many sessions of this database wait for a lock.
async fn waiting(database: &Database) -> usize {
    let sql = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    database.rows(sql).await.len()
}

async fn run(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

#[tokio::test]
async fn a_change_that_comes_between_reading_and_marking_is_not_confirmed_unseen() {
    let (database, store) = migrated().await;
    keep(store.outbox().unwrap(), &order("seen")).await.unwrap();
    let mut api = database.connect().await;
    run(&mut api, "BEGIN; UPDATE pulso_outbox SET payload = 'unseen', version = nextval('pulso_outbox_version')").await;
    let pulling = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.outbox().unwrap().pull("t", &[], GET, None, 10).await.unwrap() }
    });
    wait::until(async || waiting(&database).await == 1, "the pull comes to the row").await;
    run(&mut api, "COMMIT").await;
    assert_eq!(pulling.await.unwrap()[0].payload, "seen");
    let confirmed = [Confirmation { entity: Entity::Order, id: "a".into(), version: None }];
    assert_eq!(store.outbox().unwrap().pull("t", &confirmed, POST, None, 10).await.unwrap()[0].payload, "unseen");
    api.close().await.unwrap();
}

#[tokio::test]
async fn a_writer_that_is_overtaken_does_not_leave_the_older_version() {
    let (database, store) = migrated().await;
    keep(store.outbox().unwrap(), &order("first")).await.unwrap();
    database
        .execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF NEW.payload = 'slow' THEN PERFORM pg_advisory_xact_lock(42); END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER dawdle BEFORE INSERT ON pulso_outbox FOR EACH ROW EXECUTE FUNCTION dawdle();",
        )
        .await;
    let mut gate = database.connect().await;
    run(&mut gate, "SELECT pg_advisory_lock(42)").await;
    let write = |payload: &'static str| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { keep(store.outbox().unwrap(), &order(payload)).await.unwrap() })
    };
    // It has its version and waits before the row.
    let slow = write("slow");
    wait::until(async || waiting(&database).await == 1, "the first has its version").await;
    let quick = write("quick");
    let stands = async || quick.is_finished() || waiting(&database).await == 2;
    wait::until(stands, "the second has come as far as it gets").await;
    run(&mut gate, "SELECT pg_advisory_unlock(42)").await;
    let (slow, quick) = (slow.await.unwrap(), quick.await.unwrap());
    let newest = if slow > quick { (slow, "slow") } else { (quick, "quick") };
    let left = store.outbox().unwrap().pull("t", &[], GET, None, 10).await.unwrap();
    assert_eq!((left[0].version, left[0].payload.as_str()), newest);
    gate.close().await.unwrap();
}
