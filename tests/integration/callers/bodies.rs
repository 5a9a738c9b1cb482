//! Bodies that are under way take no call's place, and a stranger's push out strangers' only.

use pulso_harness::{HOOK_KEY, Line, wait};

use super::{CLOUD_KEY, NEGOCIO, table};
use crate::business::owner;
use crate::feeds::{assert_reached, assert_refused, configured};

const CITA: &str = "POST /notify/cita HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

/// A call whose body begins and does not end.
async fn endless(port: u16, key: &str) -> Line {
    let mut line = Line::open(port).await;
    line.send(format!("{CITA}{key}content-length: 100\r\n\r\n{{")).await;
    line
}

fn notice() -> String {
    format!(r#"{{"negocio_id":"{NEGOCIO}"}}"#)
}

#[tokio::test]
async fn bodies_that_never_end_keep_nobody_from_calling() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("NOTIFY_CITA_OPEN", "true").with("CLOUD_API_KEY", CLOUD_KEY).with("MAX_HOOKS", "4");
    pulso.migrate().await;
    let pulso = pulso.ready().await;
    let key = format!("x-api-key: {HOOK_KEY}\r\n");
    let mut endless_ones = Vec::new();
    for _ in 0..20 {
        endless_ones.push(endless(pulso.port(), "").await);
        endless_ones.push(endless(pulso.port(), &key).await);
    }
    // Of either kind four are waited for.
    wait::until(async || pulso.refused("TooManyHooks").await == 32, "the others are given up").await;
    for _ in 0..10 {
        assert_reached(&pulso.post("/notify/mesa", &table(1)).await, 0);
        let answer = pulso.exchange("POST /notify/cita HTTP/1.1\ncontent-type: application/json", &notice()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let pull = format!("POST /sync/pull-changes HTTP/1.1\ncontent-type: application/json\nx-api-key: {CLOUD_KEY}");
        assert_eq!(pulso.exchange(&pull, "{}").await.status, 200);
    }
    // Also one that comes in two parts, as from a slow network.
    for key in ["", &key] {
        let mut line = Line::open(pulso.port()).await;
        let notice = notice();
        let (first, rest) = notice.split_at(5);
        line.send(format!("{CITA}{key}content-length: {}\r\n\r\n{first}", notice.len())).await;
        pulso.get("/health").await;
        line.send(rest).await;
        assert_eq!(line.answer().await.status, 200);
    }
}

#[tokio::test]
async fn who_needs_no_key_takes_no_place_of_those_who_carry_one() {
    let (pulso, database) = configured().await;
    let pulso = pulso.with("NOTIFY_CITA_OPEN", "true").with("MAX_HOOKS", "2").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    let mut strangers = Vec::new();
    for _ in 0..2 {
        let mut line = Line::open(pulso.port()).await;
        line.send(format!("{CITA}content-length: {}\r\n\r\n{}", notice().len(), notice())).await;
        strangers.push(line);
    }
    pulso.until_count("pulso_notices_total", 2).await;
    let more = pulso.exchange("POST /notify/cita HTTP/1.1\ncontent-type: application/json", &notice()).await;
    assert_refused(&more, 503, "too many hook calls at once");
    assert_reached(&pulso.post("/notify/mesa", &table(1)).await, 0);
    drop(blocker);
    for line in &mut strangers {
        assert_eq!(line.answer().await.status, 200);
    }
}
