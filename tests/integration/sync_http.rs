//! Order synchronisation over HTTP: what was answered well is stored, is pulled until it is confirmed, and is nobody
//! else's. On PostgreSQL, on SQLite and through a transaction pooler.

mod crash;

use pulso_harness::{Answer, HOOK_KEY, Pulso, Running, SECRET};
use serde_json::{Value, json};

use crate::backend::Prepared;
use crate::business::pulso;
use crate::feeds::{assert_reached, assert_refused};

const KEY: &str = "llave-de-la-nube";
const PATHS: [&str; 2] = ["/sync/pull-changes", "/api/sync/pull-changes"];

/// As the store's contract: each promise on every database.
macro_rules! everywhere {
    ($($promise:ident),+ $(,)?) => {
        mod postgres {
            $(#[tokio::test] async fn $promise() { super::$promise(super::Prepared::postgres().await).await; })+
        }
        mod sqlite {
            $(#[tokio::test] async fn $promise() { super::$promise(super::Prepared::sqlite().await).await; })+
        }
        mod pooled {
            $(#[tokio::test] async fn $promise() { super::$promise(super::Prepared::pooled().await).await; })+
        }
    };
}
use everywhere;

everywhere!(
    what_is_stored_is_handed_out_to_the_letter_until_it_is_confirmed,
    a_newer_change_outlives_the_confirmation_of_an_older_one,
    tenants_never_meet,
    without_its_tables_the_feed_says_what_to_run_and_works_once_they_are_there,
);

/// Synchronisation alone, which needs no other table and no token.
fn alone(prepared: &Prepared) -> Pulso {
    pulso(&prepared.url()).with_hook_key().with("JWT_SECRET", "").with("FEEDS", "sync").with("CLOUD_API_KEY", KEY)
}

async fn migrated(prepared: &Prepared) -> Running {
    let pulso = alone(prepared);
    pulso.migrate().await;
    pulso.ready().await
}

fn order(id: &str, payload: &str) -> String {
    format!(r#"{{"entity":"order","id":"{id}","payload":{payload}}}"#)
}

async fn store(pulso: &Running, body: &str) {
    assert_reached(&pulso.post("/notify/sync", body).await, 0);
}

/// Pulls with a GET and the key in `Authorization`.
async fn get(pulso: &Running, path: &str, key: &str) -> Answer {
    pulso.exchange(&format!("GET {path} HTTP/1.1\nauthorization: Bearer {key}"), "").await
}

/// Confirms and pulls with a POST and the key in `X-API-Key`.
async fn confirm(pulso: &Running, path: &str, key: &str, body: &str) -> Answer {
    pulso.exchange(&format!("POST {path} HTTP/1.1\ncontent-type: application/json\nx-api-key: {key}"), body).await
}

async fn pulled(pulso: &Running, key: &str) -> Value {
    let answer = get(pulso, PATHS[0], key).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{answer:?}");
    answer.json()
}

fn nothing() -> Value {
    json!({ "pending_orders": [], "updated_customers": [] })
}

async fn what_is_stored_is_handed_out_to_the_letter_until_it_is_confirmed(prepared: Prepared) {
    let pulso = migrated(&prepared).await;
    assert_eq!(pulled(&pulso, KEY).await, nothing());
    let payload = r#"{ "orderNumber":"ORD-1","total":45.50, "items":[{"qty":1.0,"nota":"ñ\u00f1\u0000"}],"big":12345678901234567890.10 }"#;
    store(&pulso, &order("o-1", payload)).await;
    store(&pulso, r#"{"entity":"customer","id":7,"payload":{"id":7,"version":"la suya","name":"Ana"},"nota":1}"#).await;
    store(&pulso, &order("o-2", "{}")).await;

    let answer = get(&pulso, PATHS[0], KEY).await;
    let said = answer.json();
    let versions = [&said["pending_orders"][0], &said["updated_customers"][0], &said["pending_orders"][1]]
        .map(|entry| entry["version"].as_i64().unwrap_or_else(|| panic!("no version: {said}")));
    assert!(versions.is_sorted(), "oldest change first: {said}");
    let wanted = format!(
        r#"{{"pending_orders":[{{"orderNumber":"ORD-1","total":45.50,"items":[{{"qty":1.0,"nota":"ñ\u00f1\u0000"}}],"big":12345678901234567890.10,"id":"o-1","version":{}}},{{"id":"o-2","version":{}}}],"updated_customers":[{{"id":7,"version":{},"name":"Ana"}}]}}"#,
        versions[0], versions[2], versions[1]
    );
    assert_eq!(answer.body, wanted);

    // Whatever the method, the path and the header, it is the same, and asking confirms nothing.
    for path in PATHS {
        assert_eq!(get(&pulso, path, KEY).await.body, wanted);
        for body in ["{}", r#"{"confirmedOrders":[],"confirmedCustomerIds":null,"x":1}"#] {
            assert_eq!(confirm(&pulso, path, KEY, body).await.body, wanted, "{path} {body}");
        }
        for head in [
            format!("POST {path} HTTP/1.1\nx-api-key: {KEY}\ncontent-length: 0"),
            format!("POST {path} HTTP/1.1\nauthorization: bearer {KEY}\ncontent-length: 0"),
            format!("GET {path} HTTP/1.1\nx-api-key: {KEY}"),
        ] {
            assert_eq!(pulso.exchange(&head, "").await.body, wanted, "{head}");
        }
    }

    let left =
        confirm(&pulso, PATHS[1], KEY, r#"{"confirmedOrders":["o-1","unknown"],"confirmedCustomerIds":["o-2"]}"#)
            .await
            .json();
    assert_eq!(
        (left["pending_orders"].as_array().unwrap().len(), &left["pending_orders"][0]["id"]),
        (1, &json!("o-2"))
    );
    assert_eq!(left["updated_customers"].as_array().unwrap().len(), 1, "an order's id is no customer's");
    let rest = format!(
        r#"{{"confirmedOrders":[{{"orderId":"o-2","version":{}}}],"confirmedCustomerIds":[{{"customerId":7,"version":{}}}]}}"#,
        versions[2], versions[1]
    );
    assert_eq!(confirm(&pulso, PATHS[0], KEY, &rest).await.json(), nothing());
    drop(pulso);
    let pulso = alone(&prepared).ready().await;
    assert_eq!(pulled(&pulso, KEY).await, nothing(), "what is confirmed does not come back with a restart");
}

async fn a_newer_change_outlives_the_confirmation_of_an_older_one(prepared: Prepared) {
    let pulso = migrated(&prepared).await;
    let version = |said: &Value| said["pending_orders"][0]["version"].as_i64().unwrap();
    store(&pulso, &order("o", r#"{"n":1}"#)).await;
    // Nobody has been handed it: a confirmation without a version confirms nothing.
    let left = confirm(&pulso, PATHS[0], KEY, r#"{"confirmedOrders":["o"]}"#).await.json();
    let first = version(&left);
    store(&pulso, &order("o", r#"{"n":2}"#)).await;
    for old in [
        r#"["o"]"#.to_owned(),
        format!(r#"[{{"orderId":"o","version":{first}}}]"#),
        format!(r#"[{{"id":"o","version":{first}}}]"#),
    ] {
        let confirmed = store_between(&pulso, &old).await;
        assert_eq!(
            (confirmed["pending_orders"].as_array().unwrap().len(), version(&confirmed) > first),
            (1, true),
            "{old}"
        );
    }
    // Handed out now; of the one row that there is, the newest payload is left.
    let said = pulled(&pulso, KEY).await;
    assert_eq!((said["pending_orders"].as_array().unwrap().len(), &said["pending_orders"][0]["n"]), (1, &json!(3)));
    let later = version(&said) + 1;
    for foreign in [format!(r#"[{{"orderId":"o","version":{later}}}]"#), r#"[{"orderId":"o","version":-1}]"#.to_owned()]
    {
        let body = format!(r#"{{"confirmedOrders":{foreign}}}"#);
        assert_eq!(confirm(&pulso, PATHS[0], KEY, &body).await.json(), said, "{foreign}");
    }
    assert_eq!(confirm(&pulso, PATHS[0], KEY, r#"{"confirmedOrders":["o"]}"#).await.json(), nothing());
    // A version is never used twice.
    store(&pulso, &order("o", r#"{"n":4}"#)).await;
    assert!(version(&pulled(&pulso, KEY).await) >= later);
}

/// A newer change comes in between a pull and its confirmation.
async fn store_between(pulso: &Running, confirmed: &str) -> Value {
    pulled(pulso, KEY).await;
    store(pulso, &order("o", r#"{"n":3}"#)).await;
    confirm(pulso, PATHS[0], KEY, &format!(r#"{{"confirmedOrders":{confirmed}}}"#)).await.json()
}

async fn tenants_never_meet(prepared: Prepared) {
    let pulso = alone(&prepared).with("CLOUD_API_KEY", "").with("CLOUD_API_KEYS", "norte:llave-n, sur:llave-s");
    pulso.migrate().await;
    let pulso = pulso.ready().await;
    let of = |tenant: &str, n: u64| {
        order("o", &format!("{{\"n\":{n}}}")).replacen('{', &format!("{{\"tenant\":\"{tenant}\","), 1)
    };
    store(&pulso, &of("norte", 1)).await;
    assert_eq!(pulled(&pulso, "llave-s").await, nothing());
    store(&pulso, &of("sur", 2)).await;
    let (north, south) = (pulled(&pulso, "llave-n").await, pulled(&pulso, "llave-s").await);
    assert_eq!((&north["pending_orders"][0]["n"], &south["pending_orders"][0]["n"]), (&json!(1), &json!(2)));
    assert_eq!(north["pending_orders"].as_array().unwrap().len(), 1);
    let version = &north["pending_orders"][0]["version"];
    for foreign in [r#"["o"]"#.to_owned(), format!(r#"[{{"orderId":"o","version":{version}}}]"#)] {
        let body = format!(r#"{{"confirmedOrders":{foreign},"tenant":"norte"}}"#);
        confirm(&pulso, PATHS[0], "llave-s", &body).await;
        assert_eq!(pulled(&pulso, "llave-n").await, north, "{foreign}");
    }
    assert_eq!(pulled(&pulso, "llave-s").await, nothing(), "its own was confirmed");

    assert_refused(&pulso.post("/notify/sync", &order("o", "{}")).await, 400, "tenant is missing");
    assert_refused(&pulso.post("/notify/sync", &of("este", 3)).await, 404, "tenant: there is no such tenant");
    for tenant in ["NORTE", "", " ", "norte,sur"] {
        let answer = pulso.post("/notify/sync", &of(tenant, 3)).await;
        assert!([400, 404].contains(&answer.status), "{tenant}: {answer:?}");
    }
    for key in [KEY, "llave", "norte:llave-n", "norte", "LLAVE-N"] {
        assert_eq!(get(&pulso, PATHS[0], key).await.status, 401, "{key}");
    }
}

async fn without_its_tables_the_feed_says_what_to_run_and_works_once_they_are_there(prepared: Prepared) {
    let pulso = alone(&prepared);
    let running = pulso.ready().await;
    let missing = "the tables of this feed are missing: run pulso migrate";
    for _ in 0..2 {
        assert_refused(&running.post("/notify/sync", &order("o", "{}")).await, 503, missing);
        assert_refused(&get(&running, PATHS[0], KEY).await, 503, missing);
        assert_refused(&confirm(&running, PATHS[1], KEY, r#"{"confirmedOrders":["o"]}"#).await, 503, missing);
    }
    assert_eq!(running.get("/ready").await.status, 200);
    pulso.migrate().await;
    store(&running, &order("o", "{}")).await;
    assert_eq!(pulled(&running, KEY).await["pending_orders"][0]["id"], "o");
}

#[tokio::test]
async fn only_the_configured_key_pulls_and_only_the_hooks_key_stores() {
    let prepared = Prepared::sqlite().await;
    let pulso = migrated(&prepared).await;
    store(&pulso, &order("o", r#"{"secreto":true}"#)).await;
    let token = pulso_harness::Claims::user("u").sign(SECRET);
    for path in PATHS {
        for header in [
            "x-nothing: x".to_owned(),
            "authorization: Bearer".to_owned(),
            "authorization: Bearer ".to_owned(),
            format!("authorization: Basic {KEY}"),
            format!("authorization: {KEY}"),
            format!("authorization: Bearer {KEY}x"),
            format!("authorization: Bearer {HOOK_KEY}"),
            format!("authorization: Bearer {token}"),
            "x-api-key: ".to_owned(),
            format!("x-api-key: {}", &KEY[1..]),
            format!("x-api-key: {HOOK_KEY}"),
            format!("cookie: key={KEY}"),
        ] {
            for method in ["GET", "POST"] {
                let head = format!("{method} {path}?key={KEY} HTTP/1.1\n{header}\ncontent-length: 0");
                let answer = pulso.exchange(&head, "").await;
                assert_refused(&answer, 401, "send the key");
                assert!(!answer.body.contains("secreto"), "{answer:?}");
            }
        }
        for method in ["PUT", "DELETE", "PATCH"] {
            let answer =
                pulso.exchange(&format!("{method} {path} HTTP/1.1\nx-api-key: {KEY}\ncontent-length: 0"), "").await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST")), "{method}");
        }
    }
    let head = format!("POST /notify/sync HTTP/1.1\ncontent-type: application/json\nx-api-key: {KEY}");
    assert_refused(&pulso.exchange(&head, &order("o", "{}")).await, 401, "send the key");
}

#[tokio::test]
async fn a_call_that_is_not_right_is_a_400_that_names_the_field_and_stores_nothing() {
    let prepared = Prepared::sqlite().await;
    let pulso = migrated(&prepared).await;
    for (body, message) in [
        (r#"{"id":"o","payload":{}}"#, "entity is missing"),
        (r#"{"entity":"pedido","id":"o","payload":{}}"#, "entity must be one of order, customer"),
        (r#"{"entity":"order","payload":{}}"#, "id is missing"),
        (r#"{"entity":"order","id":"","payload":{}}"#, "id must be"),
        (r#"{"entity":"order","id":1.5,"payload":{}}"#, "id must be"),
        (r#"{"entity":"order","id":"a\u0000b","payload":{}}"#, "id must be"),
        (r#"{"entity":"order","id":"o"}"#, "payload is missing"),
        (r#"{"entity":"order","id":"o","payload":[]}"#, "payload must be an object"),
        (r#"{"entity":"order","id":"o","payload":null}"#, "payload must be an object"),
        (r#"{"entity":"order","id":"o","payload":"{}"}"#, "payload must be an object"),
        (r#"{"entity":"order","id":"o","payload":{"a":1,"a":2}}"#, "a is given twice"),
        (r#"{"entity":"order","id":"o","payload":{},"tenant":"norte"}"#, "tenant has no meaning here"),
    ] {
        assert_refused(&pulso.post("/notify/sync", body).await, 400, message);
    }
    for (body, message) in [
        (r#"{"confirmedOrders":{}}"#, "confirmedOrders must be an array"),
        (r#"{"confirmedOrders":"o"}"#, "confirmedOrders must be an array"),
        (r#"{"confirmedOrders":[null]}"#, "confirmedOrders[0] must be"),
        (r#"{"confirmedOrders":["o",{"version":1}]}"#, "confirmedOrders[1].orderId is missing"),
        (r#"{"confirmedCustomerIds":[{"customerId":"c","version":"1"}]}"#, "confirmedCustomerIds[0].version must be"),
        (r#"{"confirmedOrders":[{"orderId":"a","id":"b"}]}"#, "confirmedOrders[0].orderId"),
        ("[]", "the body must be an object"),
        ("{", "the body must be JSON"),
    ] {
        assert_refused(&confirm(&pulso, PATHS[0], KEY, body).await, 400, message);
    }
    let head = format!("POST {} HTTP/1.1\ncontent-type: text/plain\nx-api-key: {KEY}", PATHS[0]);
    assert_eq!(pulso.exchange(&head, "{}").await.status, 415);
    assert_eq!(pulled(&pulso, KEY).await, nothing());
}

#[tokio::test]
async fn a_pull_has_its_bounds_and_goes_on_where_it_stopped() {
    let prepared = Prepared::sqlite().await;
    let pulso = alone(&prepared).with("SYNC_PULL_LIMIT", "3").with("SYNC_MAX_BODY_BYTES", "256");
    pulso.migrate().await;
    let pulso = pulso.ready().await;
    for number in 0..7 {
        store(&pulso, &order(&format!("o-{number}"), "{}")).await;
    }
    let mut seen = Vec::new();
    loop {
        let orders = pulled(&pulso, KEY).await["pending_orders"].as_array().unwrap().clone();
        assert!(orders.len() <= 3);
        let ids: Vec<_> = orders.iter().map(|order| order["id"].clone()).collect();
        if ids.is_empty() {
            break;
        }
        assert_eq!(confirm(&pulso, PATHS[0], KEY, &json!({ "confirmedOrders": ids }).to_string()).await.status, 200);
        seen.extend(ids);
    }
    assert_eq!(seen, (0..7).map(|number| json!(format!("o-{number}"))).collect::<Vec<_>>());
    let long = json!({ "confirmedOrders": ["x".repeat(300)] }).to_string();
    assert_eq!(confirm(&pulso, PATHS[0], KEY, &long).await.status, 413);
}

#[tokio::test]
async fn without_a_key_nobody_stores_nor_pulls_and_the_variable_is_named() {
    let (pulso, _database) = crate::feeds::open().await;
    assert_refused(
        &pulso.post("/notify/sync", &order("o", "{}")).await,
        503,
        "this is not configured: set CLOUD_API_KEY",
    );
    for path in PATHS {
        for key in ["", KEY] {
            assert_refused(&get(&pulso, path, key).await, 503, "this is not configured: set CLOUD_API_KEY");
        }
    }
    assert_eq!(pulso.get("/ready").await.status, 200);
}
