//! `/sse?v=2`: many names on one stream, in the words of the second version.

use std::collections::BTreeMap;

use pulso_harness::{Answer, Claims, Database, EventStream, Running, SECRET};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::{assert_keys, cashier, id, nurse, waiter};
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OWNER, owner};
use crate::feeds::{configured, open};

const DEVICES: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES (1, 'ipad-1', true), (3, 'ipad-3', false);";

/// The address of a stream of these names, for who has a token with these claims.
pub fn path(names: &[&str], claims: &Claims) -> String {
    format!("{}&token={}", anonymous(names), claims.sign(SECRET))
}

fn anonymous(names: &[&str]) -> String {
    let names = json!(names).to_string();
    format!("/sse?v=2&channels={}", byte_serialize(names.as_bytes()).collect::<String>())
}

/// The next frame, which must be of this type.
pub async fn hear(stream: &mut EventStream, kind: &str) -> Value {
    let frame = stream.message().await;
    assert_eq!(frame["type"], kind, "{frame}");
    frame
}

/// A stream, its `hello`, and its answers about so many names, by these.
async fn opened(pulso: &Running, path: &str, names: usize) -> (EventStream, Value, BTreeMap<String, Value>) {
    let (stream, hello, answers, _) = opened_with_first(pulso, path, names).await;
    (stream, hello, answers)
}

/// The same, and what has come already of what was asked for: a name may be judged after another one's figures are read.
async fn opened_with_first(
    pulso: &Running,
    path: &str,
    names: usize,
) -> (EventStream, Value, BTreeMap<String, Value>, Vec<Value>) {
    let mut stream = pulso.events(path).await;
    let hello = hear(&mut stream, "hello").await;
    let (mut answers, mut first) = (BTreeMap::new(), Vec::new());
    while answers.len() < names {
        let frame = stream.message().await;
        if matches!(frame["type"].as_str(), Some("subscribed" | "error")) {
            answers.insert(frame["channel"].as_str().unwrap().to_owned(), frame);
        } else {
            first.push(frame);
        }
    }
    (stream, hello, answers, first)
}

async fn refused(pulso: &Running, path: &str) -> Answer {
    match EventStream::try_open(pulso.port(), path, &[]).await {
        Ok(granted) => panic!("{path} was granted: {:?}", granted.answer),
        Err(answer) => answer,
    }
}

async fn with_devices() -> (Running, Database) {
    let (pulso, database) = open().await;
    database.execute(DEVICES).await;
    (pulso, database)
}

fn table(negocio: &str, number: u64) -> String {
    json!({ "negocio_id": negocio, "tableId": number, "action": "x" }).to_string()
}

#[tokio::test]
async fn one_stream_has_every_kind_of_channel_each_named_in_what_comes_of_it() {
    let (pulso, _database) = with_devices().await;
    let (figures, shop, canal) =
        (format!("estadisticas:{NEGOCIO}"), format!("negocio:{NEGOCIO}"), format!("canal:{NEGOCIO}:caja"));
    let names = [
        &figures,
        &shop,
        &canal,
        "consulta:abiertas",
        &format!("consulta:cocina:{NEGOCIO}"),
        "staff_orders",
        "restaurante:r-1",
        "device",
    ];
    // Staff of the one clinic there is: its token names no business.
    let owner = owner().with("role", json!("STAFF")).with("restaurantId", json!("r-1"));
    let path = format!("{}&device_uid=ipad-1", path(&names, &owner));
    let (mut stream, hello, answers, mut frames) = opened_with_first(&pulso, &path, names.len()).await;
    assert_eq!((&hello["v"], &hello["user"]), (&json!(2), &json!(OWNER)));
    for name in names {
        let answer = &answers[name];
        if name == shop {
            assert_eq!(answer["code"], "forbidden", "her token does not name it");
            continue;
        }
        assert_keys(answer, &["type", "channel", "id"]);
        assert!(id(answer) >= id(&hello));
    }
    while frames.len() < 3 {
        frames.push(stream.message().await);
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let first: BTreeMap<String, String> =
        frames.iter().map(|frame| (text(&frame["channel"]), text(&frame["type"]))).collect();
    assert_eq!(first[&figures], "stats");
    assert_eq!(first["consulta:abiertas"], "consulta");
    for (hook, body, channel, kind) in [
        ("/api/publish", json!({ "channel": canal, "type": "x", "data": 1 }).to_string(), canal.as_str(), "x"),
        (
            "/notify/pedido",
            r#"{"order_id":1,"device_uid":"a","placed_at":"x"}"#.to_owned(),
            "staff_orders",
            "new_order",
        ),
        (
            "/notify/order/status",
            r#"{"orderId":1,"restaurantId":"r-1","newStatus":"READY"}"#.to_owned(),
            "restaurante:r-1",
            "order.status.changed",
        ),
        (
            "/notify/pedido/estado",
            r#"{"device_id":1,"order_id":1,"status":"READY","from_status":"PLACED","changed_at":"x"}"#.to_owned(),
            "device",
            "order_status_changed",
        ),
    ] {
        assert_eq!(pulso.post(hook, &body).await.json()["clients"], 1, "{hook}");
        let event = stream.next().await.unwrap();
        let frame = event.json();
        assert_eq!((&frame["channel"], &frame["type"]), (&json!(channel), &json!(kind)));
        assert_eq!(event.id, Some(id(&frame).to_string()), "a browser keeps it");
    }
}

#[tokio::test]
async fn one_name_that_is_refused_refuses_no_other_and_is_told_as_it_was_written() {
    let (pulso, _database) = with_devices().await;
    let own = format!("canal:{NEGOCIO}:caja");
    let upper = format!("estadisticas:{}", NEGOCIO.to_uppercase());
    let (foreign, nowhere) = (format!("estadisticas:{OTHER_NEGOCIO}"), "estadisticas:no-uuid");
    let names = [
        &foreign,
        &own,
        "ventas",
        "",
        nowhere,
        &upper,
        "restaurante:r-1",
        "staff_orders",
        "consulta:nada",
        &format!("canal:{OTHER_NEGOCIO}:caja"),
        "device",
    ];
    let (mut stream, _, answers) = opened(&pulso, &path(&names, &owner()), names.len()).await;
    for (name, code) in [
        (foreign.as_str(), "forbidden"),
        (nowhere, "forbidden"),
        ("restaurante:r-1", "forbidden"),
        ("staff_orders", "forbidden"),
        ("consulta:nada", "forbidden"),
        (&format!("canal:{OTHER_NEGOCIO}:caja"), "forbidden"),
        ("device", "forbidden"),
        ("ventas", "unknown_channel"),
        ("", "unknown_channel"),
    ] {
        assert_eq!((&answers[name]["type"], &answers[name]["code"]), (&json!("error"), &json!(code)), "{name}");
    }
    for name in [&own, &format!("estadisticas:{NEGOCIO}")] {
        assert_eq!(answers[name]["type"], "subscribed", "{name}");
    }
    pulso.post("/api/publish", &json!({ "channel": own, "type": "x", "data": 1 }).to_string()).await;
    while stream.message().await["type"] != "x" {}
}

#[tokio::test]
async fn doubles_and_other_spellings_are_one_channel() {
    let (pulso, _database) = open().await;
    let shop = format!("negocio:{NEGOCIO}");
    let upper = format!("negocio:{}", NEGOCIO.to_uppercase());
    let mut stream = pulso.events(&path(&[&shop, &shop, &upper], &cashier())).await;
    hear(&mut stream, "hello").await;
    for _ in 0..3 {
        assert_eq!(hear(&mut stream, "subscribed").await["channel"], shop);
    }
    for number in 0..3 {
        assert_eq!(pulso.post("/notify/mesa", &table(NEGOCIO, number)).await.json()["clients"], 1);
        assert_eq!(hear(&mut stream, "updateTable").await["data"]["tableId"], number);
    }
}

#[tokio::test]
async fn there_may_be_no_name_and_as_many_as_a_connection_may_have() {
    let (pulso, _database) = open().await;
    let mut none = pulso.events(&path(&[], &owner())).await;
    hear(&mut none, "hello").await;
    let names: Vec<String> = (0..101).map(|number| format!("canal:{NEGOCIO}:c{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for count in [1, 100, 101] {
        let (stream, _, answers) = opened(&pulso, &path(&names[..count], &owner()), count).await;
        for (place, name) in names[..count].iter().enumerate() {
            let answer = &answers[*name];
            if place < 100 {
                assert_eq!(answer["type"], "subscribed", "{name}");
            } else {
                assert_eq!(answer["code"], "too_many_channels", "{name}");
            }
        }
        assert_eq!(pulso.count("pulso_subscriptions").await, 100.min(count as u64));
        drop(stream);
        pulso.until_count("pulso_subscriptions", 0).await;
    }
}

#[tokio::test]
async fn what_is_no_list_of_names_is_refused_and_so_is_a_token_that_is_none() {
    let (pulso, _database) = with_devices().await;
    let token = owner().sign(SECRET);
    let channels = |text: &str| format!("&channels={}", byte_serialize(text.as_bytes()).collect::<String>());
    let lists = ["", "x", "{}", "[1]", "[null]", "[[]]", "\"a\"", "[\"a\"", "[\"a\"] x"].map(channels);
    let others =
        ["", "&channel=negocio", "&channels=[]&channels=[]", "&channels=[]&channel=negocio"].map(str::to_owned);
    for query in lists.into_iter().chain(others) {
        let answer = refused(&pulso, &format!("/sse?v=2{query}&token={token}")).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("bad_request")), "{query}");
    }
    for version in ["0", "2.0", "", "x", "2&v=2"] {
        assert_eq!(
            refused(&pulso, &format!("/sse?v={version}&channels=[]&token={token}")).await.status,
            400,
            "{version}"
        );
    }
    let shop = anonymous(&[&format!("negocio:{NEGOCIO}")]);
    let expired = cashier().expiring_in(-60).sign(SECRET);
    for token in ["", "&token=", "&token=x", &format!("&token={expired}")] {
        assert_eq!(refused(&pulso, &format!("{shop}{token}")).await.status, 401, "{token}");
    }
    for method in ["POST", "HEAD", "OPTIONS"] {
        let answer = pulso.exchange(&format!("{method} {shop} HTTP/1.1\ncontent-length: 0"), "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")), "{method}");
    }
    // The first version knows no `channels`, and is what it was.
    let mut first =
        pulso.events(&format!("/sse?v=1&channel=negocio:{NEGOCIO}&channels=x&token={}", cashier().sign(SECRET))).await;
    pulso.until_count("pulso_subscriptions", 1).await;
    pulso.post("/notify/mesa", &table(NEGOCIO, 1)).await;
    assert_keys(&first.message().await, &["type", "data", "timestamp"]);
    // And a version that is to come is the second.
    let mut next = pulso.events(&path(&[], &owner()).replace("v=2", "v=3")).await;
    assert_eq!(hear(&mut next, "hello").await["v"], 2);
}

#[tokio::test]
async fn a_device_needs_no_token_and_one_that_is_none_refuses_no_other_name() {
    let (pulso, database) = with_devices().await;
    let (mut kiosk, hello, answers) = opened(&pulso, &format!("{}&device_uid=ipad-1", anonymous(&["device"])), 1).await;
    assert_keys(&hello, &["type", "v", "server", "now", "ping", "silence", "id"]);
    assert_eq!(answers["device"]["type"], "subscribed");
    let body = r#"{"device_id":1,"order_id":7,"status":"READY","from_status":"PLACED","changed_at":"x"}"#;
    assert_eq!(pulso.post("/notify/pedido/estado", body).await.json()["clients"], 1);
    assert_eq!(hear(&mut kiosk, "order_status_changed").await["order_id"], 7);
    // Alone it has nothing else to say.
    assert_eq!(refused(&pulso, &format!("{}&device_uid=ipad-3", anonymous(&["device"]))).await.status, 403);
    let shop = format!("negocio:{NEGOCIO}");
    let both = format!("{}&device_uid=ipad-3", path(&["device", &shop], &cashier()));
    let (_stream, _, answers) = opened(&pulso, &both, 2).await;
    assert_eq!((&answers["device"]["code"], &answers[&shop]["type"]), (&json!("forbidden"), &json!("subscribed")));
    database.execute("UPDATE devices SET is_active = false").await;
    pulso.post("/api/disconnect", r#"{"device_uid":"ipad-1"}"#).await;
    let last = kiosk.last().await.unwrap();
    assert_eq!((last.name.as_str(), &last.json()["code"]), ("close", &json!(4001)));
}

#[tokio::test]
async fn a_token_without_a_user_has_what_its_feed_has() {
    let (pulso, _database) = open().await;
    for (claims, name, body, hook) in [
        (
            waiter(),
            "restaurante:r-1",
            r#"{"orderId":1,"restaurantId":"r-1","newStatus":"READY"}"#,
            "/notify/order/status",
        ),
        (nurse(), "staff_orders", r#"{"order_id":1,"device_uid":"a","placed_at":"x"}"#, "/notify/pedido"),
    ] {
        let (mut stream, hello, answers) = opened(&pulso, &path(&[name], &claims), 1).await;
        assert_eq!((&hello["user"], &answers[name]["type"]), (&Value::Null, &json!("subscribed")));
        assert_eq!(pulso.post(hook, body).await.json()["clients"], 1);
        assert_eq!(stream.message().await["channel"], name);
    }
}

#[tokio::test]
async fn a_right_that_ends_ends_its_channel_and_no_other() {
    let (pulso, database) = configured().await;
    let pulso = pulso.with("ACCESS_CACHE", "0").with("ACCESS_RECHECK", "100ms").ready().await;
    let (canal, figures) = (format!("canal:{NEGOCIO}:caja"), format!("estadisticas:{NEGOCIO}"));
    let names = [canal.as_str(), &figures, "consulta:abiertas"];
    let (mut stream, _, _) = opened(&pulso, &path(&names, &owner()), 3).await;
    database.execute(&format!("UPDATE negocios SET admin_negocio_id = gen_random_uuid() WHERE id = '{NEGOCIO}'")).await;
    let (mut errors, mut left) = (Vec::new(), Vec::new());
    while errors.len() + left.len() < 4 {
        let frame = stream.message().await;
        let channel = frame["channel"].as_str().unwrap().to_owned();
        match frame["type"].as_str() {
            Some("error") if frame["code"] == "withdrawn" => errors.push(channel),
            Some("unsubscribed") if frame["reason"] == "withdrawn" => left.push(channel),
            Some("stats" | "consulta") => {}
            _ => panic!("{frame}"),
        }
    }
    errors.sort();
    left.sort();
    assert_eq!((&errors, &left), (&vec![canal.clone(), figures.clone()], &vec![canal.clone(), figures]));
    let body = json!({ "channel": canal, "type": "x", "data": 1 }).to_string();
    assert_eq!(pulso.post("/api/publish", &body).await.json()["clients"], 0);
    assert_eq!(pulso.post("/notify/consulta", r#"{"name":"abiertas"}"#).await.status, 200);
    assert_eq!(hear(&mut stream, "consulta").await["channel"], "consulta:abiertas");
}
