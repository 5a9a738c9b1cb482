//! What a reload does to who watches: whoever watches what has changed passes its `access` anew before hearing anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pulso_harness::{ChaosProxy, Claims, EventStream, SECRET, wait};
use serde_json::{Value, json};
use sqlx::Executor as _;

use super::{CANNOT_CHECK, Folder, KITCHEN, NOT_ALLOWED, Restaurants, TABLES, TOTAL, WITHDRAWN};
use super::{heard, refused, result, result_is, subscribe, until_refused, waiter};
use crate::feeds::configured;

const CHANNEL: &str = "consulta:cocina:r-1";

#[tokio::test]
async fn watchers_of_a_changed_query_get_its_result_and_of_a_removed_one_an_error() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN), ("total.sql", TOTAL)], |pulso| pulso).await;
    let mut screen = restaurants.waiter("r-1").await;
    for channel in [CHANNEL, "consulta:total"] {
        subscribe(&mut screen, channel).await;
        result(&mut screen, channel).await;
    }
    let other = KITCHEN.replace("AS todos", "AS pedidos");
    restaurants.folder.write("cocina.sql", &other);
    restaurants.reload().await;
    assert_eq!(result(&mut screen, CHANNEL).await, json!({ "pendientes": 0, "pedidos": 0 }));
    restaurants.folder.remove("cocina.sql");
    restaurants.reload().await;
    let said = until_refused(&mut screen).await;
    let (error, before) = said.split_last().unwrap();
    assert_eq!(*error, json!({ "type": "error", "channel": CHANNEL, "message": WITHDRAWN }));
    assert!(before.iter().all(|frame| frame["channel"] == CHANNEL), "the other one is as it was: {before:?}");
    assert_eq!(restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await.status, 400);
    restaurants.announce(&json!({ "name": "total" })).await;
    result(&mut screen, "consulta:total").await;
    restaurants.folder.write("cocina.sql", KITCHEN);
    restaurants.reload().await;
    assert!(heard(&mut screen).await.iter().all(|frame| frame["channel"] != CHANNEL));
    subscribe(&mut screen, CHANNEL).await;
    result(&mut screen, CHANNEL).await;
}

#[tokio::test]
async fn nothing_is_sent_to_who_does_not_pass_the_new_access() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN)], |pulso| pulso).await;
    let chef = waiter("r-1").with("role", json!("chef"));
    let (mut stays, mut goes) = (restaurants.pulso.connect(&chef).await, restaurants.waiter("r-1").await);
    for screen in [&mut stays, &mut goes] {
        subscribe(screen, CHANNEL).await;
        result(screen, CHANNEL).await;
    }
    let path = format!("/sse?channel={CHANNEL}&token={}", waiter("r-1").sign(SECRET));
    let mut stream = restaurants.pulso.events(&path).await;
    stream.message().await;
    let narrow = KITCHEN.replace("claim restaurantId", "claim restaurantId, claim role=chef");
    restaurants.folder.write("cocina.sql", &narrow);
    restaurants.reload().await;
    restaurants.order("r-1", "PENDING").await;
    let mut announced = 0;
    while announced == 0 {
        announced = restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await.json()["subscribers"]
            .as_u64()
            .unwrap();
    }
    assert_eq!(refused(&mut goes, CHANNEL).await, WITHDRAWN);
    assert_eq!(stream.message().await, json!({ "type": "error", "channel": CHANNEL, "message": WITHDRAWN }));
    while result(&mut stays, CHANNEL).await["todos"] != 1 {}
    let wide = KITCHEN.replace("claim restaurantId", "authenticated");
    restaurants.folder.write("cocina.sql", &wide);
    restaurants.reload().await;
    result(&mut stays, CHANNEL).await;
    assert_eq!(heard(&mut goes).await, Vec::<Value>::new());
    subscribe(&mut goes, CHANNEL).await;
    result(&mut goes, CHANNEL).await;
}

#[tokio::test]
async fn an_access_that_asks_for_another_claim_finds_it_in_tokens_that_came_before() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN)], |pulso| pulso).await;
    let claims = Claims::user("u").with("restaurantId", json!("r-1")).with("local", json!({ "id": "r-1" }));
    let mut screen = restaurants.pulso.connect(&claims).await;
    subscribe(&mut screen, CHANNEL).await;
    result(&mut screen, CHANNEL).await;
    restaurants.folder.write("cocina.sql", &KITCHEN.replace("claim restaurantId", "claim local.id"));
    restaurants.reload().await;
    result(&mut screen, CHANNEL).await;
}

#[tokio::test]
async fn a_folder_with_a_mistake_changes_nothing() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN)], |pulso| pulso).await;
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, CHANNEL).await;
    result(&mut screen, CHANNEL).await;
    restaurants.folder.write("cocina.sql", &KITCHEN.replace("claim restaurantId", "authenticated"));
    restaurants.folder.write("mala.sql", "-- access: nobody\nSELECT 1\n");
    restaurants.pulso.signal(rustix::process::Signal::HUP);
    restaurants.pulso.until_logged("stay as they were").await;
    assert!(heard(&mut screen).await.iter().all(|frame| frame["type"] == "consulta"));
    let mut stranger = restaurants.waiter("r-2").await;
    subscribe(&mut stranger, CHANNEL).await;
    refused(&mut stranger, CHANNEL).await;
}

/// A query of a table that is missing, so that it is off and nobody knows what its keys are.
const TABLES_FREE: &str = "-- access: claim restaurantId\nSELECT count(*) AS libres FROM mesas WHERE local = $1\n";

#[tokio::test]
async fn a_query_that_is_off_before_its_keys_were_ever_learnt_is_answered_by_its_name() {
    let restaurants = Restaurants::with(&[("mesas.sql", TABLES_FREE), ("total.sql", TOTAL)], |pulso| pulso).await;
    let is_off = async || restaurants.pulso.get("/ready").await.json()["queries_off"] == json!(["mesas"]);
    wait::until(is_off, "it is off").await;
    let (channel, token) = ("consulta:mesas:r-1", waiter("r-1").sign(SECRET));
    let (mut screen, mut stranger) = (restaurants.waiter("r-1").await, restaurants.waiter("r-2").await);
    for screen in [&mut screen, &mut stranger] {
        subscribe(screen, channel).await;
        assert_eq!(refused(screen, channel).await, CANNOT_CHECK);
        // Of what is not it nothing else is said than ever.
        for none in ["consulta:mesa:r-1", "consulta:total:r-1"] {
            subscribe(screen, none).await;
            assert_eq!(refused(screen, none).await, NOT_ALLOWED);
        }
    }
    let mut second = restaurants.pulso.open(&format!("/ws?v=2&token={token}")).await;
    subscribe(&mut second, channel).await;
    let mut names = restaurants.pulso.events(&format!("/sse?v=2&channels=[%22{channel}%22]&token={token}")).await;
    for frame in [until_error(async || second.next().await).await, until_error(async || names.message().await).await] {
        let said = (&frame["code"], &frame["channel"], &frame["retry"]);
        assert_eq!(said, (&json!("unchecked"), &json!(channel), &json!(true)), "{frame}");
    }
    let path = format!("/sse?channel={channel}&token={token}");
    let stream = EventStream::try_open(restaurants.pulso.port(), &path, &[]).await.err().unwrap();
    assert_eq!((stream.status, stream.header("retry-after").is_some()), (503, true), "{stream:?}");
    let answer = restaurants.announce(&json!({ "name": "mesas", "key": "r-1" })).await;
    assert_eq!((answer.status, &answer.json()["error"]), (500, &json!("result_unavailable")), "{answer:?}");

    restaurants.database.execute("CREATE TABLE mesas (local text)").await;
    // Not to wait for as long as it is left alone.
    restaurants.reload().await;
    assert_eq!(result(&mut screen, channel).await, json!({ "libres": 0 }));
    assert_eq!(refused(&mut stranger, channel).await, NOT_ALLOWED);
    while second.next().await["data"] != json!({ "libres": 0 }) {}
    while names.message().await["data"] != json!({ "libres": 0 }) {}
}

async fn until_error(mut next: impl AsyncFnMut() -> Value) -> Value {
    loop {
        let frame = next().await;
        if frame["type"] == "error" {
            return frame;
        }
    }
}

#[tokio::test]
async fn a_reload_in_the_middle_of_a_burst_loses_no_change() {
    let restaurants = Arc::new(Restaurants::with(&[("cocina.sql", KITCHEN)], |pulso| pulso).await);
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, CHANNEL).await;
    result(&mut screen, CHANNEL).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let (theirs, enough) = (Arc::clone(&restaurants), Arc::clone(&is_over));
    let burst = tokio::spawn(async move {
        let mut orders = 0;
        while !enough.load(Ordering::Relaxed) {
            theirs.order("r-1", "PENDING").await;
            orders += 1;
            // What is not known yet in its new form is read when it is.
            let status = theirs.announce(&json!({ "name": "cocina", "key": "r-1" })).await.status;
            assert!([200, 500].contains(&status), "{status}");
        }
        orders
    });
    for name in ["pedidos", "todos", "total"] {
        restaurants.folder.write("cocina.sql", &KITCHEN.replace("AS todos", &format!("AS {name}")));
        restaurants.reload().await;
        while result(&mut screen, CHANNEL).await.get(name).is_none() {}
    }
    is_over.store(true, Ordering::Relaxed);
    let orders = burst.await.unwrap() + 1;
    // The last of the burst may have been seen above.
    restaurants.order("r-1", "PENDING").await;
    assert_eq!(restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await.status, 200);
    result_is(&mut screen, CHANNEL, json!({ "pendientes": orders, "total": orders })).await;
}

/// A read that waits for a lock of the test's.
const LOCKED: &str = "-- access: claim restaurantId
SELECT count(*) AS todos, 'primera' AS edicion, pg_advisory_xact_lock_shared(7)::text AS cerrojo FROM pedidos WHERE restaurante = $1
";

#[tokio::test]
async fn a_read_that_is_under_way_when_access_is_narrowed_reaches_nobody_whom_that_shuts_out() {
    let restaurants = Restaurants::with(&[("cocina.sql", LOCKED)], |pulso| pulso.with("SENTINEL_INTERVAL", "0")).await;
    let chef = waiter("r-1").with("role", json!("chef"));
    let (mut stays, mut goes) = (restaurants.pulso.connect(&chef).await, restaurants.waiter("r-1").await);
    for screen in [&mut stays, &mut goes] {
        subscribe(screen, CHANNEL).await;
        assert_eq!(result(screen, CHANNEL).await["todos"], 0);
    }
    heard(&mut goes).await;
    let mut other = restaurants.database.connect().await;
    other.execute("SELECT pg_advisory_lock(7)").await.unwrap();
    restaurants.order("r-1", "PENDING").await;
    let narrowed = async {
        let waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        wait::until(async || !restaurants.database.rows(waits).await.is_empty(), "it is read").await;
        let narrow = LOCKED.replace("restaurantId", "restaurantId, claim role=chef").replace("primera", "segunda");
        restaurants.folder.write("cocina.sql", &narrow);
        restaurants.reload().await;
        other.execute("SELECT pg_advisory_unlock(7)").await.unwrap();
    };
    let call = json!({ "name": "cocina", "key": "r-1" });
    let (answer, ()) = tokio::join!(restaurants.announce(&call), narrowed);
    assert!([200, 500].contains(&answer.status), "{answer:?}");
    loop {
        let said = result(&mut stays, CHANNEL).await;
        assert!(said["edicion"] == "segunda" || said["todos"] == 0, "of a definition that is no more: {said}");
        if said["todos"] == 1 {
            break;
        }
    }
    // It is told by a task of its own, perhaps later than the other one.
    let told = until_refused(&mut goes).await;
    assert_eq!(told, [json!({ "type": "error", "channel": CHANNEL, "message": WITHDRAWN })]);
    assert_eq!(heard(&mut goes).await, Vec::<Value>::new());
}

#[tokio::test]
async fn access_that_is_narrowed_while_the_database_is_away_lets_nobody_hear_before_that_is_back_and_said_yes() {
    let (pulso, database) = configured().await;
    database.execute(TABLES).await;
    database.execute("INSERT INTO turnos VALUES ('r-1', 'ana')").await;
    let works = "SELECT restaurante, usuario FROM turnos WHERE restaurante = ANY ($1) AND usuario = ANY ($2)\n";
    let folder = Folder::new(&[("cocina.sql", KITCHEN), ("access/turnos.sql", works)]);
    let line = ChaosProxy::start(database.port()).await;
    let pulso = pulso.with("DATABASE_URL", &database.url_at(line.port())).with("QUERIES_DIR", &folder.path());
    let pulso = pulso.ready().await;
    let of = |user: &str| Claims::user(user).with("restaurantId", json!("r-1"));
    let (mut stays, mut goes) = (pulso.connect(&of("ana")).await, pulso.connect(&of("eva")).await);
    let mut second = pulso.open(&format!("/ws?v=2&token={}", of("eva").sign(SECRET))).await;
    for screen in [&mut stays, &mut goes, &mut second] {
        subscribe(screen, CHANNEL).await;
        while screen.next().await["type"] != "consulta" {}
    }
    line.refuse().await;
    wait::until(async || pulso.get("/ready").await.status == 503, "the database is away").await;
    let narrow =
        KITCHEN.replace("restaurantId", "restaurantId, sql access/turnos.sql").replace("AS todos", "AS pedidos");
    folder.write("cocina.sql", &narrow);
    pulso.signal(rustix::process::Signal::HUP);
    pulso.until_logged("the live queries are read again").await;
    for screen in [&mut stays, &mut goes] {
        let told = until_refused(screen).await;
        assert_eq!(told.last().unwrap()["message"], CANNOT_CHECK);
        assert!(heard(screen).await.is_empty());
    }
    database.execute("INSERT INTO pedidos (restaurante, estado) VALUES ('r-1', 'PENDING')").await;
    line.restore().await;
    result_is(&mut stays, CHANNEL, json!({ "pendientes": 1, "pedidos": 1 })).await;
    assert_eq!(refused(&mut goes, CHANNEL).await, WITHDRAWN);
    assert!(heard(&mut goes).await.is_empty());
    let mut told = Vec::new();
    while told.last() != Some(&json!({ "type": "unsubscribed", "channel": CHANNEL, "reason": "withdrawn" })) {
        told.push(second.next().await);
    }
    let codes: Vec<_> = told.iter().filter_map(|frame| frame["code"].as_str()).collect();
    assert_eq!(codes, ["unchecked", "withdrawn"], "{told:?}");
    assert!(told.iter().all(|frame| frame["data"].get("pedidos").is_none()), "{told:?}");
}
