//! Calls that name their transaction, many at once and in every state that one may be in; direct, behind a pooler, and on a
//! standby.

use std::time::Duration;

use futures_util::future::join_all;
use pulso_harness::pgbouncer::{Options, PgBouncer};
use pulso_harness::{Answer, Dashboard, Database, Postgres, Running};
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::{Folder, OPEN, TABLES, result, subscribe, waiter};
use crate::business::{furnish, pulso};

const CHANNEL: &str = "consulta:abiertos:r-1";
const CALLERS: u64 = 50;

/// A server that reads at `url`, and who watches the orders of `r-1`.
async fn watched(url: &str, timeout: &str) -> (Running, Folder, Dashboard) {
    let folder = Folder::new(&[("abiertos.sql", OPEN)]);
    let server = pulso(url).with_hook_key().with("QUERIES_DIR", &folder.path()).with("SENTINEL_INTERVAL", "0");
    let server = server.with("HOOK_TIMEOUT", timeout).ready().await;
    let screen = joined(&server).await;
    (server, folder, screen)
}

async fn joined(server: &Running) -> Dashboard {
    let mut screen = server.connect(&waiter("r-1")).await;
    subscribe(&mut screen, CHANNEL).await;
    result(&mut screen, CHANNEL).await;
    screen
}

async fn furnished(postgres: &Postgres) -> Database {
    let database = postgres.database().await;
    furnish(&database).await;
    database.execute(TABLES).await;
    database
}

/// A transaction that has added an order and is not over: its connection, its number and the order's.
struct Open {
    connection: PgConnection,
    xid: u64,
    order: i64,
}

impl Open {
    async fn begin(database: &Database) -> Self {
        let mut connection = database.connect().await;
        sqlx::raw_sql("BEGIN").execute(&mut connection).await.unwrap();
        let insert = "INSERT INTO pedidos (restaurante, estado) VALUES ('r-1', 'PENDING')
                      RETURNING id, pg_current_xact_id()::text AS xid";
        let row = sqlx::raw_sql(insert).fetch_one(&mut connection).await.unwrap();
        let xid = row.get::<String, _>("xid").parse().unwrap();
        Self { connection, xid, order: row.get::<i32, _>("id").into() }
    }

    async fn say(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.connection).await.unwrap();
    }
}

async fn announce(server: &Running, xid: &Value) -> Answer {
    server.post("/notify/consulta", &json!({ "name": "abiertos", "key": "r-1", "xid": xid }).to_string()).await
}

fn has(frame: &Value, order: i64) -> bool {
    frame["data"].as_array().unwrap().iter().any(|row| row["id"] == order)
}

/// What the screen shows with this version or, where a later one took its place, with that.
async fn shown_at(screen: &mut Dashboard, shown: &mut Vec<Value>, seq: u64) -> Value {
    loop {
        if let Some(frame) = shown.iter().find(|frame| frame["seq"].as_u64() >= Some(seq)) {
            return frame.clone();
        }
        shown.push(screen.next().await);
    }
}

/// Callers that commit up to 200 ms after they have called.
async fn everybody_has_her_change(server: &Running, screen: &mut Dashboard, database: &Database) {
    let calls = (0..CALLERS).map(async |caller| {
        let mut open = Open::begin(database).await;
        let xid = json!(open.xid.to_string());
        let late = Duration::from_millis(caller * 37 % 200);
        let commit = async {
            tokio::time::sleep(late).await;
            open.say("COMMIT").await;
            open.order
        };
        let (answer, order) = tokio::join!(announce(server, &xid), commit);
        assert_eq!(answer.status, 200, "{answer:?}");
        (answer.json()["seq"].as_u64().unwrap(), order)
    });
    let answered = join_all(calls).await;
    let mut shown = Vec::new();
    for (seq, order) in answered {
        let frame = shown_at(screen, &mut shown, seq).await;
        assert!(has(&frame, order), "{order} is not in what was answered: {frame}");
    }
}

#[tokio::test]
async fn fifty_callers_on_one_key_each_have_their_change_and_one_that_stays_open_keeps_nobody() {
    let database = furnished(Postgres::shared()).await;
    let (server, _folder, mut screen) = watched(&database.url(), "4500ms").await;
    let mut stays = Open::begin(&database).await;
    let xid = json!(stays.xid);
    let others = everybody_has_her_change(&server, &mut screen, &database);
    let (answer, ()) = tokio::join!(announce(&server, &xid), others);
    assert_eq!(answer.status, 500, "it is answered in time, and not over: {answer:?}");
    // It is looked for longer than that.
    stays.say("COMMIT").await;
    while !has(&screen.next().await, stays.order) {}
}

#[tokio::test]
async fn they_have_it_behind_a_transaction_pooler() {
    let database = furnished(Postgres::shared()).await;
    let pooler = PgBouncer::start(&database, Options { pool_size: 4, ..Options::default() });
    let (server, _folder, mut screen) = watched(&pooler.url(&database), "4500ms").await;
    everybody_has_her_change(&server, &mut screen, &database).await;
}

#[tokio::test]
async fn they_have_it_on_a_standby_that_lags() {
    let postgres = Postgres::own();
    let database = furnished(&postgres).await;
    let replica = postgres.replica(Duration::from_millis(60));
    let (server, _folder, mut screen) = watched(&replica.database_named(database.name()).url(), "4500ms").await;
    everybody_has_her_change(&server, &mut screen, &database).await;
}

#[tokio::test]
async fn a_transaction_is_answered_once_it_is_over_whatever_it_went_through() {
    let database = furnished(Postgres::shared()).await;
    let (server, _folder, mut screen) = watched(&database.url(), "500ms").await;
    let mut shown = Vec::new();
    let name = |what: &str| format!("{what}-{}", database.name());
    let (kept, undone) = (name("si"), name("no"));
    for (before, end, stays) in [
        ("SAVEPOINT s; UPDATE pedidos SET estado = 'x'; RELEASE s".to_owned(), "COMMIT".to_owned(), true),
        ("SAVEPOINT s; DELETE FROM pedidos; ROLLBACK TO s".to_owned(), "COMMIT".to_owned(), true),
        ("SELECT 1".to_owned(), "ROLLBACK".to_owned(), false),
        (format!("PREPARE TRANSACTION '{kept}'"), format!("COMMIT PREPARED '{kept}'"), true),
        (format!("PREPARE TRANSACTION '{undone}'"), format!("ROLLBACK PREPARED '{undone}'"), false),
    ] {
        let mut open = Open::begin(&database).await;
        open.say(&before).await;
        let answer = announce(&server, &json!(open.xid)).await;
        assert_eq!(answer.status, 500, "{before}: it is not over: {answer:?}");
        // Who comes in between is given the result once it is seen, too.
        let mut newcomer = joined(&server).await;
        open.say(&end).await;
        let answer = announce(&server, &json!(open.xid.to_string())).await;
        assert_eq!(answer.status, 200, "{end}: {answer:?}");
        let frame = shown_at(&mut screen, &mut shown, answer.json()["seq"].as_u64().unwrap()).await;
        assert_eq!(has(&frame, open.order), stays, "{end}: {frame}");
        if stays {
            while !has(&newcomer.next().await, open.order) {}
        }
        open.connection.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_number_that_nobody_has_yet_is_waited_for_in_vain_and_one_without_its_epoch_refused() {
    let postgres = Postgres::own();
    postgres.enter_next_epoch();
    let database = furnished(&postgres).await;
    let (server, _folder, mut screen) = watched(&database.url(), "500ms").await;
    let mut open = Open::begin(&database).await;
    open.say("COMMIT").await;
    assert!(open.xid > u64::from(u32::MAX));
    for future in [json!(open.xid + 1_000_000), json!(u64::MAX), json!("18446744073709551615")] {
        let answer = announce(&server, &future).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (500, &json!("result_unavailable")),
            "{future}: {answer:?}"
        );
    }
    let without = announce(&server, &json!(open.xid & u64::from(u32::MAX))).await;
    assert_eq!(without.status, 400, "{without:?}");
    let answer = announce(&server, &json!(open.xid)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let frame = shown_at(&mut screen, &mut Vec::new(), answer.json()["seq"].as_u64().unwrap()).await;
    assert!(has(&frame, open.order), "{frame}");
}
