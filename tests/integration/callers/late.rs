//! Calls that the database keeps waiting: the caller is answered in time, and the rest is done without it.

use pulso_harness::{Database, Pulso, Running, wait};
use serde_json::json;
use sqlx::PgConnection;

use super::{CLOUD_KEY, NEGOCIO, PENDING, Then, back_end, fire, pull, request, table};
use crate::feeds::{assert_reached, configured};

/// Its calls are answered long before the database gives a statement up.
async fn patient() -> (Running, Pulso, Database) {
    let (pulso, database) = configured().await;
    let pulso =
        pulso.with("CLOUD_API_KEY", CLOUD_KEY).with("HOOK_TIMEOUT", "1500ms").with("DB_STATEMENT_TIMEOUT", "30s");
    pulso.migrate().await;
    (pulso.ready().await, pulso, database)
}

async fn lock(database: &Database, table: &str, mode: &str) -> PgConnection {
    let mut blocker = database.connect().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("BEGIN; LOCK TABLE {table} IN {mode} MODE")))
        .execute(&mut blocker)
        .await
        .unwrap();
    blocker
}

async fn until_one_waits(database: &Database) {
    let one_waits = async || {
        let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        !database.rows(waiting).await.is_empty()
    };
    wait::until(one_waits, "a statement waits for the lock").await;
}

fn change(id: &str) -> String {
    format!(r#"{{"entity":"order","id":"{id}","payload":{{}}}}"#)
}

#[tokio::test]
async fn a_change_that_is_stored_behind_its_callers_time_is_announced() {
    let (pulso, _, database) = patient().await;
    let mut back_end = back_end(&pulso).await;
    for key in [&[][..], &[("idempotency-key", "k")]] {
        let blocker = lock(&database, "pulso_outbox", "EXCLUSIVE").await;
        let answer = pulso.post_with("/notify/sync", key, &change("o")).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        drop(blocker);
        assert_eq!(back_end.expect().await, PENDING);
        assert_eq!(pull(&pulso, "{}").await["pending_orders"][0]["id"], "o");
    }
    // The one with the key is done, and its repetition finds it so.
    assert_reached(&pulso.post_with("/notify/sync", &[("idempotency-key", "k")], &change("o")).await, 1);
}

#[tokio::test]
async fn a_caller_that_hangs_up_while_its_change_is_stored_takes_no_announcement_with_it() {
    let (pulso, _, database) = patient().await;
    let mut back_end = back_end(&pulso).await;
    for (number, then) in super::EACH.into_iter().enumerate() {
        let blocker = lock(&database, "pulso_outbox", "EXCLUSIVE").await;
        let caller = fire(&pulso, &request("/notify/sync", "", &change(&number.to_string())), then).await;
        until_one_waits(&database).await;
        drop(caller);
        drop(blocker);
        assert_eq!(back_end.expect().await, PENDING, "{then:?}");
    }
}

#[tokio::test]
async fn a_call_with_a_key_is_answered_before_its_answer_can_be_stored() {
    let (pulso, _, database) = patient().await;
    let mut screen = pulso.connect(&pulso_harness::Claims::user("cajera").with("negocio_id", json!(NEGOCIO))).await;
    screen.ping().await;
    // Reading goes, writing waits.
    let blocker = lock(&database, "pulso_idempotency", "SHARE").await;
    let key = [("idempotency-key", "k")];
    assert_reached(&pulso.post_with("/notify/mesa", &key, &table(1)).await, 1);
    assert_eq!(screen.next().await["data"]["tableId"], 1);
    assert_reached(&pulso.post_with("/notify/mesa", &key, &table(2)).await, 1);
    screen.ping().await;
    drop(blocker);
    let is_remembered = async || !database.rows("SELECT 1 FROM pulso_idempotency WHERE key = 'k'").await.is_empty();
    wait::until(is_remembered, "the answer is stored all the same").await;
}

#[tokio::test]
async fn a_stopping_server_waits_for_what_its_calls_have_begun() {
    let (pulso, settings, database) = patient().await;
    let blocker = lock(&database, "pulso_outbox", "EXCLUSIVE").await;
    drop(fire(&pulso, &request("/notify/sync", "idempotency-key: k\r\n", &change("o")), Then::Close).await);
    until_one_waits(&database).await;
    pulso.signal(rustix::process::Signal::TERM);
    pulso.until_logged("stopping").await;
    drop(blocker);
    assert_eq!(pulso.ended().await, 0);
    let next = settings.ready().await;
    assert_eq!(pull(&next, "{}").await["pending_orders"][0]["id"], "o");
}

#[tokio::test]
async fn a_repeated_change_is_announced_again() {
    let (pulso, settings, _database) = patient().await;
    let key = [("idempotency-key", "k")];
    let mut first = back_end(&pulso).await;
    for _ in 0..3 {
        assert_reached(&pulso.post_with("/notify/sync", &key, &change("o")).await, 1);
        assert_eq!(first.expect().await, PENDING);
    }
    drop(pulso);
    // Known from the database alone.
    let pulso = settings.ready().await;
    let mut back_end = back_end(&pulso).await;
    assert_eq!(back_end.expect().await, PENDING, "what is pending is told on connecting");
    for _ in 0..2 {
        assert_reached(&pulso.post_with("/notify/sync", &key, &change("o")).await, 1);
        assert_eq!(back_end.expect().await, PENDING);
    }
}
