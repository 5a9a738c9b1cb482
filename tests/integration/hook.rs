//! `POST /notify/cita`, row by row.

mod body;

use std::sync::Arc;

use pulso_harness::{Answer, Database, Line, Pulso, Running, wait};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::business::{NEGOCIO, OTHER_NEGOCIO, citas, database, open, owner, pulso};

const POST: &str = "POST /notify/cita HTTP/1.1\ncontent-type: application/json";
const KEY: &str = "a-key-for-the-hook";

/// Fails if an answer tells anything about the database.
fn tells_nothing(answer: &Answer) {
    // Where a body ceases to be JSON is told by its line and column.
    let body = answer.body.to_lowercase().replace("at line 1 column", "at line 1");
    for word in [
        "citas", "negocios", "select", "column", "postgres", "sqlx", "sqlite", "sql", "table", "uuid", "bigint",
        "estado",
    ] {
        assert!(!body.contains(word), "{word}: {answer:?}");
    }
}

/// An answer that is an error: JSON with a word and a sentence, nothing about the database.
fn assert_refused(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{answer:?}");
    assert!(answer.json()["error"].is_string() && answer.json()["message"].is_string(), "{what}: {answer:?}");
    tells_nothing(answer);
}

fn body_of(negocio: &str) -> String {
    json!({ "negocio_id": negocio, "action": "updated" }).to_string()
}

#[tokio::test]
async fn every_action_and_none_is_a_200_with_a_json_body() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    for body in [
        body_of(NEGOCIO).replace("updated", "created"),
        body_of(NEGOCIO),
        body_of(NEGOCIO).replace("updated", "deleted"),
        body_of(NEGOCIO).replace("updated", "status_changed"),
        json!({ "negocio_id": NEGOCIO }).to_string(),
        json!({ "negocio_id": NEGOCIO, "cita_id": 7, "data": { "estado": "atendida" } }).to_string(),
        format!(" \r\n\t{} \n", body_of(NEGOCIO)),
        body_of(&NEGOCIO.replace('-', "")),
    ] {
        let answer = pulso.exchange(POST, &body).await;
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json()["subscribers"], 1);
        assert_eq!(answer.json()["negocio_id"], NEGOCIO);
        assert_eq!(dashboard.stats().await.seq, answer.json()["seq"], "changed or not, it is handed out: {body}");
    }
    for kind in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"] {
        let head = format!("POST /notify/cita HTTP/1.1\ncontent-type: {kind}");
        assert_eq!(pulso.exchange(&head, &body_of(NEGOCIO)).await.status, 200, "{kind}");
        dashboard.stats().await;
    }
    // What hangs in a field that nobody reads has to be what every hook takes, and is of no interest.
    let nested =
        |levels: usize| format!("{{\"negocio_id\":\"{NEGOCIO}\",\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(pulso.exchange(POST, &nested(63)).await.status, 200);
    dashboard.stats().await;
    assert_refused(&pulso.exchange(POST, &nested(7_000)).await, 400, "too deep");
}

#[tokio::test]
async fn with_nobody_subscribed_it_is_a_200_and_costs_no_query() {
    let (pulso, _database) = open().await;
    for negocio in [NEGOCIO, "33333333-3333-4333-8333-333333333333"] {
        let answer = pulso.notify(negocio).await;
        assert_eq!((answer.status, &answer.json()["subscribers"]), (200, &json!(0)), "{answer:?}");
        tells_nothing(&answer);
    }
    assert_eq!(pulso.count("pulso_queries_total").await, 0);
    assert_eq!(pulso.count("pulso_notices_total").await, 2);
}

#[tokio::test]
async fn calls_that_arrive_together_share_a_read_that_began_after_them() {
    let (pulso, database) = open().await;
    let pulso = Arc::new(pulso);
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let before = pulso.count("pulso_queries_total").await;
    // The read of the first call waits for this lock; the others gather meanwhile.
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let pulso = Arc::clone(&pulso);
            tokio::spawn(async move { pulso.notify(NEGOCIO).await })
        })
        .collect();
    wait::until(async || pulso.count("pulso_notices_total").await == 40, "all calls have arrived").await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin)
         VALUES (gen_random_uuid(), '{NEGOCIO}', gen_random_uuid(), '2020-01-01', '10:00', '10:30'); COMMIT"
    )))
    .execute(&mut blocker)
    .await
    .unwrap();
    let mut newest = 0;
    for call in calls {
        let answer = call.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        newest = newest.max(answer.json()["seq"].as_u64().unwrap());
    }
    let stats = dashboard.stats_until(|stats| stats.seq == newest).await;
    assert_eq!(stats.total, 1);
    // One for the first, one or two for the rest, and perhaps the trailing one.
    let queries = pulso.count("pulso_queries_total").await - before;
    assert!((2..=4).contains(&queries), "{queries}");
    assert!(pulso.count("pulso_coalesced_total").await >= 35);
}

fn keyed(database: &Database) -> Pulso {
    pulso(&database.url()).with("NOTIFY_API_KEY", KEY)
}

#[tokio::test]
async fn where_a_key_is_set_the_call_must_carry_it() {
    let database = database().await;
    let pulso = keyed(&database).ready().await;
    let with = |lines: &str| format!("{POST}\n{lines}");
    for lines in [
        format!("authorization: Bearer {KEY}"),
        format!("authorization: bearer {KEY}"),
        format!("x-api-key: {KEY}"),
        format!("X-API-Key: {KEY}\nauthorization: Basic eDp5"),
    ] {
        let answer = pulso.exchange(&with(&lines), &body_of(NEGOCIO)).await;
        assert_eq!(answer.status, 200, "{lines}: {answer:?}");
    }
    for lines in [
        "x-nothing: x".to_owned(),
        "authorization: Bearer".to_owned(),
        "authorization: Bearer x".to_owned(),
        "x-api-key:".to_owned(),
        format!("x-api-key: {KEY}x"),
        format!("x-api-key: {}", &KEY[1..]),
        format!("x-api-key: {}", KEY.to_uppercase()),
        format!("authorization: Basic {KEY}"),
        format!("authorization: {KEY}"),
        format!("api-key: {KEY}"),
    ] {
        for body in [body_of(NEGOCIO), "no json".to_owned()] {
            let answer = pulso.exchange(&with(&lines), &body).await;
            assert_refused(&answer, 401, &lines);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    let query = POST.replace("/notify/cita", "/notify/cita?api_key=a-key-for-the-hook");
    assert_refused(&pulso.exchange(&query, &body_of(NEGOCIO)).await, 401, "in the query");
    assert!(!pulso.has_logged(KEY));
    assert_eq!(pulso.count("pulso_notices_total").await, 4);
}

#[tokio::test]
async fn the_hook_may_stay_open_although_a_key_is_set() {
    let database = database().await;
    let pulso = keyed(&database).with("NOTIFY_CITA_OPEN", "true").ready().await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    let wrong = format!("{POST}\nx-api-key: wrong");
    assert_eq!(pulso.exchange(&wrong, &body_of(NEGOCIO)).await.status, 200);
}

#[tokio::test]
async fn any_other_method_is_a_405_that_names_post() {
    let (pulso, _database) = open().await;
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD", "PROPFIND", "NOTIFY", "post"] {
        for body in ["", &body_of(NEGOCIO)] {
            let mut line = Line::open(pulso.port()).await;
            let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
            line.send(format!("{method} /notify/cita HTTP/1.1\r\nhost: x\r\n{length}\r\n{body}")).await;
            let answer = if method == "HEAD" { line.answer_to_head().await } else { line.answer().await };
            assert_eq!(answer.status, 405, "{method}: {answer:?}");
            assert_eq!(answer.header("allow"), Some("POST"), "{method}: {answer:?}");
            if method != "HEAD" {
                assert_refused(&answer, 405, method);
            }
        }
    }
    assert_eq!(pulso.count("pulso_notices_total").await, 0);
}

#[tokio::test]
async fn figures_that_cannot_be_read_are_a_500_that_says_nothing_and_are_pushed_later() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("HOOK_TIMEOUT", "1s").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    database.execute("ALTER TABLE citas RENAME COLUMN fecha TO cuando").await;
    let answer = pulso.notify(NEGOCIO).await;
    assert_refused(&answer, 500, "a column that is gone");
    database.execute("ALTER TABLE citas RENAME COLUMN cuando TO fecha").await;
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    assert_eq!(dashboard.stats_until(|stats| stats.total == 1).await.total, 1);

    // A read that is not done in time.
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    assert_refused(&pulso.notify(NEGOCIO).await, 500, "a table that is locked");
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    dashboard.stats().await;
}

/// A whole request for the hook on a connection that is kept.
fn call(negocio: &str) -> String {
    let body = body_of(negocio);
    format!("{POST}\nhost: x\ncontent-length: {}\n\n", body.len()).replace('\n', "\r\n") + &body
}

#[tokio::test]
async fn one_connection_carries_many_calls_also_pipelined() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let mut line = Line::open(pulso.port()).await;
    for _ in 0..3 {
        line.send(call(NEGOCIO)).await;
        let answer = line.answer().await;
        assert_eq!(answer.status, 200);
        assert_eq!(dashboard.stats().await.seq, answer.json()["seq"]);
    }
    // A refusal in between does not end the line.
    line.send(call("no-uuid")).await;
    assert_eq!(line.answer().await.status, 400);
    line.send("GET /notify/cita HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(line.answer().await.status, 405);
    line.send("HEAD /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(line.answer_to_head().await.status, 200);
    line.send([call(NEGOCIO), call("no-uuid"), call(OTHER_NEGOCIO), call(NEGOCIO)].concat()).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(line.answer().await.status);
    }
    assert_eq!(statuses, [200, 400, 200, 200]);
    dashboard.stats().await;
    dashboard.stats().await;
    // Expect: 100-continue, as curl sends it with larger bodies.
    let body = body_of(NEGOCIO);
    line.send(
        format!("{POST}\nhost: x\nexpect: 100-continue\ncontent-length: {}\n\n", body.len()).replace('\n', "\r\n"),
    )
    .await;
    assert_eq!(line.answer().await.status, 100);
    line.send(body).await;
    assert_eq!(line.answer().await.status, 200);
}

#[tokio::test]
async fn other_paths_are_a_404_in_json() {
    let (pulso, _database) = open().await;
    // An echo is there only where another program asks for it.
    let own = ["/notify", "/notify/", "/notify/citas", "/notify/cita/x", "/NOTIFY/CITA", "/ws/x", "/echo"];
    for path in own.into_iter().chain(["/x", "/%2e%2e/etc/passwd"]) {
        let head = POST.replace("/notify/cita", path);
        assert_refused(&pulso.exchange(&head, &body_of(NEGOCIO)).await, 404, path);
        assert_refused(&pulso.get(path).await, 404, path);
    }
    // A trailing slash is the same address, as it is to most routers.
    let answer = pulso.exchange(&POST.replace("cita", "cita/"), &body_of(NEGOCIO)).await;
    assert!([200, 404].contains(&answer.status), "{answer:?}");
    assert!(answer.json().is_object());
    let answer = pulso.exchange(&POST.replace("cita", "cita?origen=api"), &body_of(NEGOCIO)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_lose_its_notice() {
    let (pulso, database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    let queries = pulso.count("pulso_queries_total").await;
    let broadcasts = pulso.count("pulso_broadcasts_total").await;
    hang_up_in_mid_call(&pulso, 1).await;
    wait::until(async || pulso.count("pulso_queries_total").await > queries, "its read has begun").await;
    hang_up_in_mid_call(&pulso, 2).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    // A screen may be handed the second in place of the first.
    let handed = async || pulso.count("pulso_broadcasts_total").await >= broadcasts + 2;
    wait::until(handed, "each got a read that began after it").await;
    dashboard.stats().await;
}

/// Calls the hook and is gone before the answer; returns once the call has been counted.
async fn hang_up_in_mid_call(pulso: &Running, notices: u64) {
    let mut stream = TcpStream::connect(("127.0.0.1", pulso.port())).await.unwrap();
    stream.write_all(call(NEGOCIO).as_bytes()).await.unwrap();
    let counted = async || pulso.count("pulso_notices_total").await >= notices;
    wait::until(counted, "the call has arrived").await;
    drop(stream);
}
