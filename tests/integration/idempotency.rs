//! `Idempotency-Key`: a repeated call is answered as the first was, and has no second effect.

use pulso_harness::{Answer, ChaosProxy, Claims, Dashboard, Running};
use rustix::process::Signal;
use serde_json::json;

use crate::business::{self, NEGOCIO, pulso};
use crate::feeds::{assert_reached, assert_refused, configured, open};

const CLOUD_KEY: &str = "llave-de-la-nube";

fn cashier() -> Claims {
    Claims::user("cajera").with("negocio_id", json!(NEGOCIO))
}

fn table(number: u64) -> String {
    format!(r#"{{"tableId":{number},"action":"x","negocio_id":"{NEGOCIO}"}}"#)
}

async fn call(pulso: &Running, path: &str, key: &str, body: &str) -> Answer {
    pulso.post_with(path, &[("idempotency-key", key)], body).await
}

/// A screen that listens.
async fn screen(pulso: &Running) -> Dashboard {
    let mut screen = pulso.connect(&cashier()).await;
    screen.ping().await;
    screen
}

async fn hears(screen: &mut Dashboard, number: u64) {
    assert_eq!(screen.next().await["data"]["tableId"], number);
}

#[tokio::test]
async fn a_repeated_call_is_answered_as_the_first_was_and_sends_nothing() {
    let (pulso, _database) = open().await;
    let mut first = screen(&pulso).await;
    let answer = call(&pulso, "/notify/mesa", "k-1", &table(1)).await;
    assert_reached(&answer, 1);
    hears(&mut first, 1).await;
    let mut second = screen(&pulso).await;
    for body in [&table(1), &table(2), "not even JSON"] {
        let again = call(&pulso, "/notify/mesa", "k-1", body).await;
        assert_eq!((again.status, &again.body), (200, &answer.body), "{body}: {again:?}");
        assert_eq!(again.header("content-type"), answer.header("content-type"));
    }
    first.ping().await;
    second.ping().await;

    // Another key, another path, and none at all are other calls.
    let sale = format!(r#"{{"saleId":3,"tableId":3,"total":1,"timestamp":"x","negocio_id":"{NEGOCIO}"}}"#);
    assert_reached(&call(&pulso, "/notify/mesa", "K-1", &table(3)).await, 2);
    assert_reached(&call(&pulso, "/notify/venta", "k-1", &sale).await, 2);
    assert_reached(&pulso.post("/notify/mesa", &table(3)).await, 2);
    assert_reached(&pulso.post("/notify/mesa", &table(3)).await, 2);
    for screen in [&mut first, &mut second] {
        for _ in 0..4 {
            hears(screen, 3).await;
        }
        screen.ping().await;
    }
}

#[tokio::test]
async fn every_hook_that_carries_data_knows_the_key() {
    let (pulso, database) = configured().await;
    database.execute("CREATE TABLE devices (id int PRIMARY KEY, device_uid text, is_active boolean); INSERT INTO devices VALUES (1, 'd', true)").await;
    let pulso = pulso.with("CLOUD_API_KEY", CLOUD_KEY);
    pulso.migrate().await;
    let pulso = pulso.ready().await;
    for (path, body) in crate::hooks_surface::calls() {
        let first = call(&pulso, path, "k", &body).await;
        assert_eq!(first.status, 200, "{path}: {first:?}");
        let again = call(&pulso, path, "k", "{}").await;
        if ["/notify/cita", "/notify/consulta"].contains(&path) {
            assert_eq!(again.status, 400, "a hint has no effect to repeat");
        } else {
            assert_eq!((again.status, again.body), (200, first.body), "{path}");
        }
    }
}

#[tokio::test]
async fn of_many_at_once_one_has_the_effect_and_all_have_its_answer() {
    let (pulso, _database) = configured().await;
    pulso.migrate().await;
    let pulso = pulso.ready().await;
    let mut screen = screen(&pulso).await;
    for key in ["a", "b", "c"] {
        let (body, pulso) = (table(7), &pulso);
        let calls = (0..20).map(|_| call(pulso, "/notify/mesa", key, &body));
        for answer in futures_util::future::join_all(calls).await {
            assert_reached(&answer, 1);
        }
        hears(&mut screen, 7).await;
        screen.ping().await;
    }
}

#[tokio::test]
async fn what_was_refused_is_not_remembered() {
    let (pulso, database) = open().await;
    let mut screen = screen(&pulso).await;
    for body in ["{", "{}", &table(1).replace("\"x\"", "7")] {
        assert_eq!(call(&pulso, "/notify/mesa", "k", body).await.status, 400);
    }
    let wrong_key = "POST /notify/mesa HTTP/1.1\ncontent-type: application/json\nx-api-key: x\nidempotency-key: k";
    assert_eq!(pulso.exchange(wrong_key, &table(1)).await.status, 401);
    assert_reached(&call(&pulso, "/notify/mesa", "k", &table(1)).await, 1);
    hears(&mut screen, 1).await;
    // Whoever does not carry the hook's key learns nothing of what was answered.
    assert_eq!(pulso.exchange(wrong_key, &table(1)).await.status, 401);

    let change = r#"{"device_uid":"d","order_id":1,"status":"READY","from_status":"PLACED","changed_at":"x"}"#;
    database.execute("CREATE TABLE devices (id int PRIMARY KEY, device_uid text, is_active boolean)").await;
    assert_eq!(call(&pulso, "/notify/pedido/estado", "k", change).await.status, 404);
    database.execute("INSERT INTO devices VALUES (1, 'd', true)").await;
    assert_reached(&call(&pulso, "/notify/pedido/estado", "k", change).await, 0);
}

#[tokio::test]
async fn a_key_that_is_none_is_a_400() {
    let (pulso, _database) = open().await;
    let mut screen = screen(&pulso).await;
    for key in ["", " ", &"x".repeat(256), "ñ"] {
        let answer = call(&pulso, "/notify/mesa", key, &table(1)).await;
        assert_refused(&answer, 400, "Idempotency-Key must be given once");
    }
    let twice = pulso.post_with("/notify/mesa", &[("idempotency-key", "a"), ("idempotency-key", "a")], &table(1)).await;
    assert_refused(&twice, 400, "Idempotency-Key must be given once");
    screen.ping().await;
    assert_reached(&call(&pulso, "/notify/mesa", &"x".repeat(255), &table(1)).await, 1);
    hears(&mut screen, 1).await;
}

#[tokio::test]
async fn where_there_are_tables_an_answer_outlives_a_server_that_is_killed() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("CLOUD_API_KEY", CLOUD_KEY);
    pulso.migrate().await;
    let running = pulso.ready().await;
    let change = r#"{"entity":"order","id":"o","payload":{}}"#;
    let first_screen = screen(&running).await;
    assert_reached(&call(&running, "/notify/mesa", "k", &table(1)).await, 1);
    assert_reached(&call(&running, "/notify/sync", "k", change).await, 0);
    let pull = format!("POST /sync/pull-changes HTTP/1.1\ncontent-type: application/json\nx-api-key: {CLOUD_KEY}");
    assert!(running.exchange(&pull, "{}").await.body.contains("\"o\""));
    let left = running.exchange(&pull, r#"{"confirmedOrders":["o"]}"#).await.body;
    running.signal(Signal::KILL);
    running.ended().await;
    drop(first_screen);

    let running = pulso.ready().await;
    let mut screens = [screen(&running).await, screen(&running).await];
    for _ in 0..2 {
        assert_reached(&call(&running, "/notify/mesa", "k", &table(1)).await, 1);
        assert_reached(&call(&running, "/notify/sync", "k", change).await, 0);
    }
    assert_eq!(running.exchange(&pull, "{}").await.body, left, "what was confirmed is not stored again");
    for screen in &mut screens {
        screen.ping().await;
    }
}

#[tokio::test]
async fn without_tables_an_answer_lives_as_long_as_the_server() {
    let (pulso, _database) = configured().await;
    let running = pulso.ready().await;
    for _ in 0..2 {
        assert_reached(&call(&running, "/notify/mesa", "k", &table(1)).await, 0);
    }
    drop(running);
    let running = pulso.ready().await;
    let mut screen = screen(&running).await;
    assert_reached(&call(&running, "/notify/mesa", "k", &table(1)).await, 1);
    hears(&mut screen, 1).await;
    assert_reached(&call(&running, "/notify/mesa", "k", &table(1)).await, 1);
    screen.ping().await;
}

#[tokio::test]
async fn while_nobody_can_know_whether_it_was_answered_a_call_is_a_503_and_has_no_effect() {
    let database = business::database().await;
    let line = ChaosProxy::start(database.port()).await;
    let pulso = pulso(&database.url_at(line.port())).with_hook_key();
    pulso.migrate().await;
    let running = pulso.ready().await;
    let mut screen = screen(&running).await;
    assert_reached(&call(&running, "/notify/mesa", "known", &table(1)).await, 1);
    hears(&mut screen, 1).await;
    line.refuse().await;
    assert_refused(&call(&running, "/notify/mesa", "new", &table(2)).await, 503, "the database does not answer");
    // What this process has answered it knows; and who has no key asks nobody.
    assert_reached(&call(&running, "/notify/mesa", "known", &table(1)).await, 1);
    assert_reached(&running.post("/notify/mesa", &table(3)).await, 1);
    hears(&mut screen, 3).await;
    line.restore().await;
    running.until_ready().await;
    assert_reached(&call(&running, "/notify/mesa", "new", &table(2)).await, 1);
    hears(&mut screen, 2).await;

    // Where the feed that has the tables is off, nothing is asked.
    let alone = pulso.with("FEEDS", "pos").ready().await;
    line.refuse().await;
    assert_reached(&call(&alone, "/notify/mesa", "new", &table(2)).await, 0);
}
