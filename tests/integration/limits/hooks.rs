//! What one hook call may bring, and how many there may be at once.

use std::sync::Arc;

use pulso_harness::{Database, wait};
use sqlx::PgConnection;

use crate::business::{NEGOCIO, database, open, owner, pulso};

const HEAD: &str = "POST /notify/cita HTTP/1.1\ncontent-type: application/json";

async fn locked(database: &Database) -> PgConnection {
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    blocker
}

/// The body of a good call, of exactly this length.
fn body(bytes: usize) -> String {
    let short = format!(r#"{{"negocio_id":"{NEGOCIO}"}}"#);
    format!("{}{short}", " ".repeat(bytes - short.len()))
}

#[tokio::test]
async fn a_body_too_large_is_refused_announced_or_not() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("HOOK_MAX_BODY_BYTES", "256").ready().await;
    assert_eq!(pulso.exchange(HEAD, &body(256)).await.status, 200);
    let answer = pulso.exchange(HEAD, &body(257)).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(answer.json()["error"], "body_too_large");
    let chunked = |bytes: usize| format!("{bytes:x}\r\n{}\r\n0\r\n\r\n", body(bytes));
    let head = format!("{HEAD}\ntransfer-encoding: chunked");
    assert_eq!(pulso.exchange(&head, &chunked(256)).await.status, 200);
    assert_eq!(pulso.exchange(&head, &chunked(257)).await.status, 413);
    // Refused by what it says it will send.
    let answer = pulso.exchange(&format!("{HEAD}\ncontent-length: 99999999999"), "{").await;
    assert_eq!(answer.status, 413);
    assert_eq!(pulso.refused("HookBodyTooLarge").await, 3);
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
}

#[tokio::test]
async fn calls_beyond_those_under_way_are_told_to_come_back() {
    let database = database().await;
    let pulso = Arc::new(pulso(&database.url()).with("MAX_HOOKS", "2").ready().await);
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let blocker = locked(&database).await;
    let calls: Vec<_> = (0..2)
        .map(|_| {
            let pulso = Arc::clone(&pulso);
            tokio::spawn(async move { pulso.notify(NEGOCIO).await })
        })
        .collect();
    pulso.until_count("pulso_notices_total", 2).await;

    let answer = pulso.notify(NEGOCIO).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    assert_eq!(answer.json()["error"], "busy");
    assert_eq!(pulso.refused("TooManyHooks").await, 1);
    assert_eq!(pulso.get("/health").await.status, 200);
    dashboard.ping().await;

    drop(blocker);
    for call in calls {
        assert_eq!(call.await.unwrap().status, 200);
    }
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
}

#[tokio::test]
async fn a_body_that_never_comes_takes_its_place_for_no_longer_than_a_call_may() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("HOOK_TIMEOUT", "600ms").with("MAX_HOOKS", "1").ready().await;
    let answer = pulso.exchange(&format!("{HEAD}\ncontent-length: 100"), "{").await;
    assert_eq!(answer.status, 408, "{answer:?}");
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
}

#[tokio::test]
async fn a_caller_that_hangs_up_gives_its_place_back_and_its_change_is_not_forgotten() {
    let (pulso, database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let blocker = locked(&database).await;
    {
        let call = pulso.notify(NEGOCIO);
        tokio::pin!(call);
        tokio::select! {
            answer = &mut call => panic!("answered behind a lock: {answer:?}"),
            () = pulso.until_count("pulso_notices_total", 1) => {}
        }
    }
    drop(blocker);
    dashboard.stats().await;
    wait::until(async || pulso.count("pulso_deliveries_total").await == 2, "the change was handed out").await;
}
