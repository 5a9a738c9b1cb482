//! What who watches is sent, on a WebSocket and on a stream.

use pulso_harness::{ChaosProxy, EventStream, SECRET};
use serde_json::json;

use super::{CANNOT_CHECK, Folder, KITCHEN, NOT_ALLOWED, OPEN, Restaurants, TABLES, TOTAL};
use super::{heard, refused, result, result_is, subscribe, waiter};
use crate::feeds::configured;

#[tokio::test]
async fn a_result_comes_on_subscribing_and_after_each_announcement_changed_or_not() {
    let restaurants = Restaurants::open().await;
    restaurants.order("r-1", "PENDING").await;
    restaurants.order("r-2", "PENDING").await;
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, "consulta:cocina:r-1").await;
    let first = screen.next().await;
    let names: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 5, "{first}");
    assert_eq!(first["type"], "consulta");
    assert_eq!(first["channel"], "consulta:cocina:r-1");
    assert_eq!(first["data"], json!({ "pendientes": 1, "todos": 1 }));
    assert!(first["seq"].is_u64() && first["timestamp"].is_u64(), "{first}");

    restaurants.order("r-1", "READY").await;
    let answer = restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let second = loop {
        let frame = screen.next().await;
        if frame["seq"] == answer.json()["seq"] {
            break frame;
        }
        assert!(frame["seq"].as_u64() < answer.json()["seq"].as_u64(), "{frame}");
    };
    assert_eq!(second["data"], json!({ "pendientes": 1, "todos": 2 }));
    assert!(second["seq"].as_u64() > first["seq"].as_u64());
    assert_eq!(answer.json(), json!({ "ok": true, "subscribers": 1, "seq": second["seq"] }));

    restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await;
    assert_eq!(result(&mut screen, "consulta:cocina:r-1").await, second["data"], "changed or not");
    // Of another restaurant nobody here hears.
    let answer = restaurants.announce(&json!({ "name": "cocina", "key": "r-2" })).await;
    assert_eq!(answer.json(), json!({ "ok": true, "subscribers": 0, "seq": null }));
    assert!(heard(&mut screen).await.iter().all(|frame| frame["channel"] == "consulta:cocina:r-1"));
}

#[tokio::test]
async fn rows_are_an_array_in_the_order_of_the_query_and_keys_in_that_of_its_columns() {
    let restaurants = Restaurants::open().await;
    for state in ["READY", "PENDING", "DELIVERED"] {
        restaurants.order("r-1", state).await;
    }
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, "consulta:abiertos:r-1").await;
    let text = screen.text().await;
    let data = r#""data":[{"id":1,"estado":"READY"},{"id":2,"estado":"PENDING"},{"id":3,"estado":"DELIVERED"}]}"#;
    assert!(text.ends_with(data), "{text}");
    restaurants.database.execute("DELETE FROM pedidos").await;
    restaurants.announce(&json!({ "name": "abiertos", "key": "r-1" })).await;
    result_is(&mut screen, "consulta:abiertos:r-1", json!([])).await;
}

#[tokio::test]
async fn a_query_without_a_key_has_one_channel() {
    let restaurants = Restaurants::open().await;
    let mut screen = restaurants.waiter("r-9").await;
    subscribe(&mut screen, "consulta:total").await;
    assert_eq!(result(&mut screen, "consulta:total").await, json!({ "pedidos": 0 }));
    restaurants.order("r-1", "PENDING").await;
    assert_eq!(restaurants.announce(&json!({ "name": "total" })).await.json()["subscribers"], 1);
    result_is(&mut screen, "consulta:total", json!({ "pedidos": 1 })).await;
    subscribe(&mut screen, "consulta:total:r-9").await;
    let refusal = json!({ "type": "error", "channel": "consulta:total:r-9", "message": NOT_ALLOWED });
    assert!(heard(&mut screen).await.contains(&refusal));
}

#[tokio::test]
async fn who_leaves_hears_no_more_and_who_asks_again_is_told_again() {
    let restaurants = Restaurants::open().await;
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, "consulta:cocina:r-1").await;
    let first = result(&mut screen, "consulta:cocina:r-1").await;
    subscribe(&mut screen, "consulta:cocina:r-1").await;
    assert_eq!(result(&mut screen, "consulta:cocina:r-1").await, first);
    screen.send(&json!({ "type": "unsubscribe", "channel": "consulta:cocina:r-1" })).await;
    heard(&mut screen).await;
    assert_eq!(restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await.json()["subscribers"], 0);
    screen.ping().await;
}

#[tokio::test]
async fn a_stream_hears_what_a_websocket_hears() {
    let restaurants = Restaurants::open().await;
    let token = waiter("r-1").sign(SECRET);
    for (channel, body) in [
        ("consulta:cocina:r-1", json!({ "name": "cocina", "key": "r-1" })),
        ("consulta:total", json!({ "name": "total" })),
    ] {
        let mut stream = restaurants.pulso.events(&format!("/sse?channel={channel}&token={token}")).await;
        let first = stream.message().await;
        assert_eq!((&first["type"], &first["channel"]), (&json!("consulta"), &json!(channel)), "{first}");
        restaurants.order("r-1", "PENDING").await;
        assert_eq!(restaurants.announce(&body).await.json()["subscribers"], 1);
        let second = loop {
            let message = stream.message().await;
            if message["data"] != first["data"] {
                break message;
            }
        };
        assert!(second["seq"].as_u64() > first["seq"].as_u64(), "{second}");
    }
    for channel in
        ["consulta:cocina:r-2", "consulta:nada:r-1", "consulta:cocina", "consulta:COCINA:r-1", "consulta:total:x"]
    {
        let path = format!("/sse?channel={channel}&token={token}");
        let refused = EventStream::try_open(restaurants.pulso.port(), &path, &[]).await.err().unwrap();
        assert_eq!(refused.status, 403, "{channel}");
        assert!(refused.body.contains("not allowed to listen to this channel"), "{channel}: {}", refused.body);
    }
}

#[tokio::test]
async fn what_is_unknown_misspelt_or_foreign_is_refused_in_the_same_words() {
    let restaurants = Restaurants::with(
        &[
            ("cocina.sql", KITCHEN),
            ("total.sql", TOTAL),
            ("numeros.sql", "-- access: claim restaurantId\nSELECT count(*) AS n FROM pedidos WHERE id = $1\n"),
        ],
        |pulso| pulso,
    )
    .await;
    let mut screen = restaurants.waiter("r-1").await;
    let long = format!("consulta:cocina:{}", "x".repeat(5_000));
    for channel in [
        "consulta:cocina:r-2",
        "consulta:cocina: r-1",
        "consulta:cocina:R-1",
        "consulta:cocina:",
        "consulta:cocina",
        "consulta:nada:r-1",
        "consulta:nada",
        "consulta:Cocina:r-1",
        "consulta::r-1",
        "consulta:.oculta:r-1",
        "consulta:../cocina:r-1",
        "consulta:cocina:r-1\u{0}",
        "consulta:cocina:r'1\\\"",
        "consulta:numeros:r-1",
        "consulta:numeros:1",
        "consulta:numeros:99999999999999999999",
        &long,
    ] {
        subscribe(&mut screen, channel).await;
        assert_eq!(refused(&mut screen, channel).await, NOT_ALLOWED, "{channel}");
    }
    subscribe(&mut screen, "consulta:").await;
    assert_eq!(screen.error().await, "unknown channel");
    assert_eq!(restaurants.pulso.count("pulso_subscriptions").await, 0);
}

#[tokio::test]
async fn a_key_is_one_however_it_is_spelt() {
    let number = "-- access: claim restaurantId\nSELECT count(*) AS n FROM pedidos WHERE id = $1\n";
    let restaurants = Restaurants::with(&[("numeros.sql", number)], |pulso| pulso).await;
    let mut screen = restaurants.pulso.connect(&waiter("007")).await;
    subscribe(&mut screen, "consulta:numeros:0007").await;
    assert_eq!(result(&mut screen, "consulta:numeros:7").await, json!({ "n": 0 }));
    subscribe(&mut screen, "consulta:numeros:7").await;
    result(&mut screen, "consulta:numeros:7").await;
    assert_eq!(restaurants.pulso.count("pulso_subscriptions").await, 1);
    assert_eq!(restaurants.announce(&json!({ "name": "numeros", "key": 7 })).await.json()["subscribers"], 1);
    result(&mut screen, "consulta:numeros:7").await;
}

#[tokio::test]
async fn a_uuid_is_one_key_however_it_is_spelt() {
    let file = "-- access: claim restaurantId\nSELECT count(*) AS n FROM salas WHERE id = $1\n";
    let (pulso, database) = configured().await;
    let small = "9f1c2b3a-0000-4000-8000-00000000abcd";
    database.execute(&format!("CREATE TABLE salas (id uuid); INSERT INTO salas VALUES ('{small}')")).await;
    let folder = Folder::new(&[("salas.sql", file)]);
    let pulso = pulso.with("QUERIES_DIR", &folder.path()).ready().await;
    let (large, bare) = (small.to_uppercase(), small.replace('-', ""));
    for claim in [small, &large, &bare] {
        let mut screen = pulso.connect(&waiter(claim)).await;
        for key in [small, &large, &bare, &format!("{{{small}}}")] {
            subscribe(&mut screen, &format!("consulta:salas:{key}")).await;
            assert_eq!(result(&mut screen, &format!("consulta:salas:{small}")).await, json!({ "n": 1 }), "{key}");
        }
        for key in [&large, &bare] {
            let answer = pulso.post("/notify/consulta", &json!({ "name": "salas", "key": key }).to_string()).await;
            assert_eq!(answer.json()["subscribers"], 1, "{key}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_column_that_changes_its_type_while_it_is_watched_is_shown_as_it_is() {
    let restaurants = Restaurants::with(&[("abiertos.sql", OPEN)], |pulso| pulso.with("SENTINEL_INTERVAL", "0")).await;
    restaurants.order("r-1", "7").await;
    let mut screen = restaurants.waiter("r-1").await;
    let channel = "consulta:abiertos:r-1";
    subscribe(&mut screen, channel).await;
    result_is(&mut screen, channel, json!([{ "id": 1, "estado": "7" }])).await;
    for (kind, using, shown) in [
        ("integer", "estado::integer", json!(7)),
        ("numeric[]", "ARRAY[estado, 1.50]", json!([7, 1.50])),
        ("jsonb", r#"'{"a": null}'"#, json!({ "a": null })),
        ("text", "'7'", json!("7")),
    ] {
        let change = format!("ALTER TABLE pedidos ALTER COLUMN estado TYPE {kind} USING {using}");
        restaurants.database.execute(&change).await;
        let answer = restaurants.announce(&json!({ "name": "abiertos", "key": "r-1" })).await;
        assert_eq!(answer.status, 200, "{kind}: {answer:?}");
        result_is(&mut screen, channel, json!([{ "id": 1, "estado": shown }])).await;
    }
}

#[tokio::test]
async fn what_the_database_refuses_later_is_an_error_once_and_then_the_result() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN), ("abiertos.sql", OPEN)], |pulso| pulso).await;
    let channel = "consulta:cocina:r-1";
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, channel).await;
    result(&mut screen, channel).await;
    restaurants.database.execute("ALTER TABLE pedidos RENAME TO perdidos").await;
    let answer = restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await;
    assert_eq!((answer.status, &answer.json()["error"]), (500, &json!("result_unavailable")), "{answer:?}");
    assert_ne!(refused(&mut screen, channel).await, NOT_ALLOWED);
    let mut newcomer = restaurants.waiter("r-1").await;
    subscribe(&mut newcomer, channel).await;
    refused(&mut newcomer, channel).await;
    restaurants.database.execute("ALTER TABLE perdidos RENAME TO pedidos").await;
    restaurants.order("r-1", "PENDING").await;
    for screen in [&mut screen, &mut newcomer] {
        let mut errors = Vec::new();
        let result = loop {
            let frame = screen.next().await;
            assert_eq!(frame["channel"], channel);
            if frame["type"] == "consulta" {
                break frame;
            }
            errors.push(frame);
        };
        assert_eq!(result["data"]["todos"], 1);
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[tokio::test]
async fn who_subscribes_before_the_first_contact_gets_the_result_once_there_is_one() {
    let (pulso, database) = configured().await;
    database.execute(TABLES).await;
    let folder = Folder::new(&[("cocina.sql", KITCHEN), ("total.sql", TOTAL)]);
    let line = ChaosProxy::start(database.port()).await;
    line.refuse().await;
    let pulso = pulso.with("DATABASE_URL", &database.url_at(line.port())).with("QUERIES_DIR", &folder.path());
    let pulso = pulso.start().await;
    let (mut screen, mut stranger) = (pulso.connect(&waiter("r-1")).await, pulso.connect(&waiter("r-2")).await);
    for screen in [&mut screen, &mut stranger] {
        subscribe(screen, "consulta:cocina:r-1").await;
        assert_eq!(refused(screen, "consulta:cocina:r-1").await, CANNOT_CHECK);
    }
    // What says nothing of the database is said at once.
    subscribe(&mut stranger, "consulta:nada:r-1").await;
    assert_eq!(refused(&mut stranger, "consulta:nada:r-1").await, NOT_ALLOWED);
    let answer = pulso.post("/notify/consulta", r#"{"name":"cocina","key":"r-1"}"#).await;
    assert_eq!(answer.status, 500, "{answer:?}");
    line.restore().await;
    assert_eq!(result(&mut screen, "consulta:cocina:r-1").await["todos"], 0);
    assert_eq!(refused(&mut stranger, "consulta:cocina:r-1").await, NOT_ALLOWED);
}
