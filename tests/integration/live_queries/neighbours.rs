//! A query that is slow, or that fails, and those that have nothing to do with it.

use pulso_harness::{Dashboard, EventStream, SECRET, wait};
use serde_json::{Value, json};
use sqlx::Executor as _;

use super::{CANNOT_CHECK, Folder, KITCHEN, NOT_ALLOWED, Restaurants, TABLES, TOTAL};
use super::{refused, reload, result, result_is, subscribe, waiter};
use crate::feeds::configured;

/// Waits for as long as somebody else holds its table.
const SLOW: &str = "-- access: claim restaurantId
SELECT count(*) AS n, (SELECT count(*) FROM despensa) AS guardado FROM pedidos WHERE restaurante = $1
";
/// Fails for one key alone.
const PICKY: &str = "-- access: claim restaurantId
SELECT 10 / (count(*) - 1) AS n FROM pedidos WHERE restaurante = $1
";
const KEYS: usize = 20;

async fn watch(restaurants: &Restaurants, query: &str, key: &str) -> Dashboard {
    let mut screen = restaurants.waiter(key).await;
    subscribe(&mut screen, &format!("consulta:{query}:{key}")).await;
    screen
}

/// All that a channel says up to this.
async fn heard_until(screen: &mut Dashboard, wanted: Value) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        let frame = screen.next().await;
        if frame["data"] == wanted {
            return heard;
        }
        heard.push(frame);
    }
}

#[tokio::test]
async fn a_query_that_waits_for_its_time_to_end_keeps_no_other_and_says_once_that_it_failed() {
    let files = [("cocina.sql", KITCHEN), ("lenta.sql", SLOW)];
    let few = |pulso: pulso_harness::Pulso| {
        let pulso = pulso.with("DB_MAX_CONNECTIONS", "4").with("DB_STATEMENT_TIMEOUT", "1s");
        pulso.with("SENTINEL_INTERVAL", "0")
    };
    let restaurants = Restaurants::with(&files, few).await;
    restaurants.database.execute("CREATE TABLE despensa (n int)").await;
    restaurants.reload().await;
    let mut slow = Vec::new();
    for number in 0..KEYS {
        let key = format!("l-{number}");
        let mut screen = watch(&restaurants, "lenta", &key).await;
        // It was not there when it was first asked for.
        heard_until(&mut screen, json!({ "n": 0, "guardado": 0 })).await;
        slow.push((key, screen));
    }
    let mut quick = watch(&restaurants, "cocina", "r-1").await;
    result(&mut quick, "consulta:cocina:r-1").await;

    let mut other = restaurants.database.connect().await;
    other.execute("BEGIN; LOCK TABLE despensa IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let keys: Vec<&str> = slow.iter().map(|(key, _)| key.as_str()).collect();
    let call = json!({ "name": "lenta", "keys": keys });
    let hinted = async {
        let answer = restaurants.announce(&call).await;
        assert_eq!(answer.status, 500, "{answer:?}");
    };
    let beside = async {
        for orders in 1..=10 {
            restaurants.order("r-1", "PENDING").await;
            let answer = restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            result_is(&mut quick, "consulta:cocina:r-1", json!({ "pendientes": orders, "todos": orders })).await;
        }
    };
    tokio::join!(hinted, beside);
    restaurants.order("l-0", "PENDING").await;
    let (key, screen) = &mut slow[0];
    refused(screen, &format!("consulta:lenta:{key}")).await;
    other.execute("ROLLBACK").await.unwrap();
    // Whoever was not read is owed it.
    for (number, (_, screen)) in slow.iter_mut().enumerate() {
        let right = json!({ "n": usize::from(number == 0), "guardado": 0 });
        let heard = heard_until(screen, right).await;
        let errors = heard.iter().filter(|frame| frame["type"] == "error").count();
        assert!(errors <= 1 && errors == heard.len(), "{number}: {heard:?}");
    }
}

#[tokio::test]
async fn a_query_whose_table_is_held_when_it_is_learnt_is_said_to_be_off_and_shown_once_it_is_let_go() {
    let (pulso, database) = configured().await;
    database.execute(TABLES).await;
    database.execute("CREATE TABLE despensa (n int)").await;
    let mut other = database.connect().await;
    other.execute("BEGIN; LOCK TABLE despensa IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let folder = Folder::new(&[("lenta.sql", SLOW), ("total.sql", TOTAL)]);
    let pulso = pulso.with("QUERIES_DIR", &folder.path()).with("DB_STATEMENT_TIMEOUT", "500ms").ready().await;
    let mut screen = pulso.connect(&waiter("r-1")).await;
    subscribe(&mut screen, "consulta:lenta:r-1").await;
    assert_eq!(refused(&mut screen, "consulta:lenta:r-1").await, CANNOT_CHECK);
    let mut stranger = pulso.connect(&waiter("r-2")).await;
    subscribe(&mut stranger, "consulta:lenta:r-1").await;
    assert_eq!(refused(&mut stranger, "consulta:lenta:r-1").await, CANNOT_CHECK);
    let ready = pulso.get("/ready").await;
    assert_eq!((ready.status, &ready.json()["queries_off"]), (200, &json!(["lenta"])), "{ready:?}");
    let answer = pulso.post("/notify/consulta", r#"{"name":"lenta","key":"r-1"}"#).await;
    assert_eq!((answer.status, &answer.json()["error"]), (500, &json!("result_unavailable")), "{answer:?}");
    let path = format!("/sse?channel=consulta:lenta:r-1&token={}", waiter("r-1").sign(SECRET));
    let refused_stream = EventStream::try_open(pulso.port(), &path, &[]).await.err().unwrap();
    assert_eq!(refused_stream.status, 503, "{}", refused_stream.body);
    subscribe(&mut screen, "consulta:total").await;
    result(&mut screen, "consulta:total").await;

    other.execute("ROLLBACK").await.unwrap();
    let is_on = async || pulso.get("/ready").await.json().get("queries_off").is_none();
    wait::until(is_on, "it is asked about again by itself").await;
    assert_eq!(result(&mut screen, "consulta:lenta:r-1").await, json!({ "n": 0, "guardado": 0 }));
    assert_eq!(refused(&mut stranger, "consulta:lenta:r-1").await, NOT_ALLOWED);
}

#[tokio::test]
async fn a_query_that_is_defined_otherwise_while_its_table_is_held_says_so_and_is_shown_once_it_is_let_go() {
    let (pulso, database) = configured().await;
    database.execute(TABLES).await;
    database.execute("CREATE TABLE despensa (n int)").await;
    let folder = Folder::new(&[("lenta.sql", SLOW)]);
    let pulso = pulso.with("QUERIES_DIR", &folder.path()).with("DB_STATEMENT_TIMEOUT", "500ms").ready().await;
    let mut screen = pulso.connect(&waiter("r-1")).await;
    subscribe(&mut screen, "consulta:lenta:r-1").await;
    result(&mut screen, "consulta:lenta:r-1").await;
    let mut other = database.connect().await;
    other.execute("BEGIN; LOCK TABLE despensa IN ACCESS EXCLUSIVE MODE").await.unwrap();
    folder.write("lenta.sql", &format!("-- min_gap: 10ms\n{SLOW}"));
    reload(&pulso).await;
    assert_eq!(refused(&mut screen, "consulta:lenta:r-1").await, CANNOT_CHECK);
    other.execute("ROLLBACK").await.unwrap();
    result(&mut screen, "consulta:lenta:r-1").await;
}

#[tokio::test]
async fn a_query_that_fails_for_one_key_is_right_for_the_others() {
    let quiet = |pulso: pulso_harness::Pulso| pulso.with("SENTINEL_INTERVAL", "0");
    let restaurants = Restaurants::with(&[("delicada.sql", PICKY)], quiet).await;
    let mut screens = [watch(&restaurants, "delicada", "a").await, watch(&restaurants, "delicada", "b").await];
    for (screen, key) in screens.iter_mut().zip(["a", "b"]) {
        assert_eq!(result(screen, &format!("consulta:delicada:{key}")).await, json!({ "n": -10 }));
    }
    restaurants.order("a", "x").await;
    let answer = restaurants.announce(&json!({ "name": "delicada", "keys": ["a", "b"] })).await;
    assert_eq!(answer.status, 500, "{answer:?}");
    refused(&mut screens[0], "consulta:delicada:a").await;
    for round in 0..5 {
        let answer = restaurants.announce(&json!({ "name": "delicada", "key": "b" })).await;
        assert_eq!(answer.status, 200, "{round}: {answer:?}");
    }
    let ready = restaurants.pulso.get("/ready").await;
    assert_eq!(ready.json().get("queries_off"), None, "{ready:?}");
    restaurants.order("a", "x").await;
    restaurants.announce(&json!({ "name": "delicada", "key": "a" })).await;
    assert_eq!(heard_until(&mut screens[0], json!({ "n": 10 })).await, Vec::<Value>::new(), "it was told once");
}

#[tokio::test]
async fn a_query_that_asks_another_server_in_vain_is_no_outage() {
    let restaurants = Restaurants::open().await;
    let function = "CREATE FUNCTION lejos() RETURNS integer LANGUAGE plpgsql AS
                    $$ BEGIN RAISE EXCEPTION 'could not connect to server' USING ERRCODE = '08001'; END $$";
    restaurants.database.execute(function).await;
    restaurants.folder.write("lejos.sql", "-- access: authenticated\n-- key: none\nSELECT lejos() AS n");
    restaurants.reload().await;
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, "consulta:lejos").await;
    refused(&mut screen, "consulta:lejos").await;
    subscribe(&mut screen, "consulta:cocina:r-1").await;
    assert_eq!(result(&mut screen, "consulta:cocina:r-1").await, json!({ "pendientes": 0, "todos": 0 }));
    assert_eq!(restaurants.announce(&json!({ "name": "lejos" })).await.status, 500);
    assert_eq!(restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await.status, 200);
    assert_eq!(restaurants.pulso.get("/ready").await.status, 200);
    let is_outage = |line: &String| line.contains("the database does not answer") && line.contains("08001");
    assert!(!restaurants.pulso.log().iter().any(is_outage));
}
