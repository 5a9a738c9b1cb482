//! What a client is answered: `subscribed`, `unsubscribed`, `error`, `pong`, each with the `ref` of what it answers.

use serde_json::{Value, json};

use super::{Foreign, assert_keys, cashier, id, nurse, signed, subscribe, waiter};
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OWNER, owner};
use crate::feeds::{configured, open};
use pulso_harness::{Running, SECRET};

async fn dashboard(pulso: &Running) -> Foreign {
    let mut client = Foreign::connect(pulso, &signed("/ws", &owner())).await;
    client.hear("hello").await;
    client
}

#[tokio::test]
async fn every_answer_has_the_ref_of_what_it_answers() {
    let (pulso, _database) = open().await;
    let mut client = dashboard(&pulso).await;
    let long = "ñ".repeat(64);
    for word in ["p", &long, "with \"quotes\" and \\", "👩‍🍳🧾", "a\nb\u{7f}", " "] {
        let pong = client.ask(&json!({ "type": "ping", "ref": word }), "pong").await;
        assert_eq!(pong, json!({ "type": "pong", "ref": word }));
        let channel = format!("canal:{NEGOCIO}:caja");
        let joined = client.ask(&json!({ "type": "subscribe", "channel": channel, "ref": word }), "subscribed").await;
        assert_keys(&joined, &["type", "channel", "id", "ref"]);
        assert_eq!((&joined["channel"], &joined["ref"]), (&json!(channel), &json!(word)));
        let left = client.ask(&json!({ "type": "unsubscribe", "channel": channel, "ref": word }), "unsubscribed").await;
        assert_eq!(left, json!({ "type": "unsubscribed", "channel": channel, "reason": "asked", "ref": word }));
        // Known late, by the database.
        let foreign = format!("estadisticas:{OTHER_NEGOCIO}");
        let denied = client.ask(&json!({ "type": "subscribe", "channel": foreign, "ref": word }), "error").await;
        assert_eq!(
            (&denied["code"], &denied["channel"], &denied["ref"]),
            (&json!("forbidden"), &json!(foreign), &json!(word))
        );
        let bad = client.ask(&json!({ "type": "auth", "token": "x", "ref": word }), "error").await;
        assert_eq!((&bad["code"], &bad["ref"]), (&json!("bad_token"), &json!(word)));
    }
    let wrong = [json!("x".repeat(65)), json!(""), json!(7), json!(["a"]), json!({}), json!(true)];
    for word in wrong {
        for message in [
            json!({ "type": "ping", "ref": word }),
            json!({ "type": "subscribe", "channel": format!("canal:{NEGOCIO}:caja"), "ref": word }),
            json!({ "type": "unsubscribe", "channel": format!("canal:{NEGOCIO}:caja"), "ref": word }),
            json!({ "type": "auth", "token": owner().sign(SECRET), "ref": word }),
        ] {
            assert_eq!(client.ask(&message, "error").await["code"], "bad_message", "{message}");
        }
    }
    client.ping().await;
}

#[tokio::test]
async fn which_of_several_was_refused_is_told_by_channel_and_ref() {
    let (pulso, _database) = open().await;
    let mut client = dashboard(&pulso).await;
    let nowhere = "estadisticas:no-uuid";
    let (own, foreign) = (format!("estadisticas:{NEGOCIO}"), format!("estadisticas:{OTHER_NEGOCIO}"));
    for (channel, word) in [(own.as_str(), "1"), (&foreign, "2"), (nowhere, "3")] {
        client.say(&json!({ "type": "subscribe", "channel": channel, "ref": word }));
    }
    let mut answers = Vec::new();
    while answers.len() < 3 {
        let frame = client.frame().await;
        if frame["type"] != "stats" {
            answers.push(frame);
        }
    }
    answers.sort_by_key(|frame| frame["ref"].to_string());
    assert_eq!((&answers[0]["type"], &answers[0]["channel"]), (&json!("subscribed"), &json!(own)));
    for (answer, channel) in answers[1..].iter().zip([foreign.as_str(), nowhere]) {
        let ref_of = &answer["ref"];
        // As little is said of what there is as of what there is not.
        let wanted = json!({
            "type": "error", "code": "forbidden", "message": "not allowed to subscribe to this channel",
            "channel": channel, "ref": ref_of, "retry": false,
        });
        assert_eq!(answer, &wanted);
    }
}

#[tokio::test]
async fn a_channel_is_named_in_the_servers_spelling_before_anything_comes_of_it() {
    let (pulso, _database) = open().await;
    let mut client = dashboard(&pulso).await;
    let channel = format!("estadisticas:{NEGOCIO}");
    for spelling in
        [channel.to_uppercase().replace("ESTADISTICAS", "estadisticas"), channel.replace('-', ""), channel.clone()]
    {
        let joined = client.ask(&subscribe(&spelling), "subscribed").await;
        assert_keys(&joined, &["type", "channel", "id"]);
        assert_eq!(joined["channel"], channel, "{spelling}");
        let stats = client.hear("stats").await;
        assert_keys(&stats, &["channel", "type", "data", "seq"]);
        assert_eq!(stats["channel"], channel);
    }
    let left = client.ask(&json!({ "type": "unsubscribe", "data": { "channel": channel } }), "unsubscribed").await;
    assert_eq!(left, json!({ "type": "unsubscribed", "channel": channel, "reason": "asked" }));
    client.ping().await;
}

#[tokio::test]
async fn every_event_says_its_id_and_its_channel() {
    let (pulso, database) = open().await;
    let devices =
        "CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
        INSERT INTO devices VALUES (1, 'ipad-1', true)";
    database.execute(devices).await;
    let canal = format!("canal:{NEGOCIO}:caja");
    let shop = format!("negocio:{NEGOCIO}");
    let clinic = format!("staff_orders:{NEGOCIO}");
    let order = r#"{"order_id":1,"device_uid":"ipad-1","placed_at":"x"}"#;
    let of_clinic = order.replacen('{', &format!(r#"{{"negocio_id":"{NEGOCIO}","#), 1);
    let status = r#"{"device_id":1,"order_id":1,"status":"READY","from_status":"PLACED","changed_at":"x"}"#;
    let room = r#"{"orderId":1,"restaurantId":"r-1","newStatus":"READY","total": 45.50}"#;
    let staff_of_clinic = nurse().with("negocio_id", json!(NEGOCIO));
    for (path, channel, hook, body, kind) in [
        (
            signed("/ws", &cashier()),
            shop.as_str(),
            "/notify/mesa",
            format!(r#"{{"negocio_id":"{NEGOCIO}","tableId":1,"action":"x"}}"#),
            "updateTable",
        ),
        (
            signed("/ws", &cashier()),
            &canal,
            "/api/publish",
            format!(r#"{{"channel":"{canal}","type":"hello","data":45.50}}"#),
            "hello",
        ),
        (signed("/ws", &nurse()), "staff_orders", "/notify/pedido", order.to_owned(), "new_order"),
        (signed("/ws/staff/orders/", &nurse()), "staff_orders", "/notify/pedido", order.to_owned(), "new_order"),
        (signed("/ws", &staff_of_clinic), &clinic, "/notify/pedido", of_clinic, "new_order"),
        (
            "/ws/kiosk/orders/?v=2&device_uid=ipad-1".into(),
            "device",
            "/notify/pedido/estado",
            status.to_owned(),
            "order_status_changed",
        ),
        (signed("/ws", &waiter()), "restaurante:r-1", "/notify/order/status", room.to_owned(), "order.status.changed"),
    ] {
        let mut client = Foreign::connect(&pulso, &path).await;
        let hello = client.hear("hello").await;
        if path.starts_with("/ws?") {
            client.say(&json!({ "type": "subscribe", "channel": channel, "ref": "mine" }));
        }
        loop {
            let joined = client.hear("subscribed").await;
            if joined["channel"] == channel && (joined["ref"] == "mine" || !path.starts_with("/ws?")) {
                break;
            }
        }
        assert_eq!(pulso.post(hook, &body).await.status, 200);
        let text = client.text().await;
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&event["type"], &event["channel"]), (&json!(kind), &json!(channel)), "{text}");
        assert!(id(&event) > id(&hello), "{text}");
        if body.contains("45.50") {
            assert!(text.contains("45.50"), "to the letter: {text}");
        }
        if kind == "order.status.changed" {
            assert_keys(&event, &["type", "id", "channel", "data", "timestamp"]);
            assert!(text.contains(room), "{text}");
        }
        drop(client);
        pulso.until_count("pulso_connections", 0).await;
    }
}

#[tokio::test]
async fn every_mistake_of_a_client_has_its_code() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("MAX_CHANNELS", "2").with("FEEDS", "stats,pos,channels,queries").ready().await;
    let mut client = dashboard(&pulso).await;
    let expired = owner().expiring_in(-60).sign(SECRET);
    for (text, code) in [
        ("x".to_owned(), "bad_message"),
        ("[]".into(), "bad_message"),
        (r#"{"type":"subscribe"}"#.into(), "bad_message"),
        (r#"{"type":"subscribe","channel":7}"#.into(), "bad_message"),
        (r#"{"type":"auth"}"#.into(), "bad_message"),
        ("{}".into(), "unknown_type"),
        (r#"{"type":"x"}"#.into(), "unknown_type"),
        (r#"{"type":"subscribe","channel":"ventas:1"}"#.into(), "unknown_channel"),
        (r#"{"type":"subscribe","channel":"negocio:"}"#.into(), "unknown_channel"),
        (
            r#"{"type":"subscribe","channel":"estadisticas:a","data":{"channel":"estadisticas:b"}}"#.into(),
            "given_twice",
        ),
        (r#"{"type":"auth","token":"a","data":{"token":"b"}}"#.into(), "given_twice"),
        (r#"{"type":"auth","token":"a.b.c"}"#.into(), "bad_token"),
        (json!({ "type": "auth", "token": expired }).to_string(), "expired_token"),
        (r#"{"type":"subscribe","channel":"restaurante:r-1"}"#.into(), "feed_off"),
        (r#"{"type":"subscribe","channel":"staff_orders"}"#.into(), "feed_off"),
        (r#"{"type":"subscribe","channel":"consulta:nada"}"#.into(), "forbidden"),
        (format!(r#"{{"type":"subscribe","channel":"negocio:{NEGOCIO}"}}"#), "forbidden"),
    ] {
        client.say_text(&text);
        let error = client.hear("error").await;
        assert_eq!((&error["code"], &error["retry"]), (&json!(code), &json!(false)), "{text}: {error}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
    }
    client.0.say(&json!({ "bytes": "{}" }));
    assert_eq!(client.hear("error").await["code"], "binary");
    for name in ["a", "b"] {
        client.ask(&subscribe(&format!("canal:{NEGOCIO}:{name}")), "subscribed").await;
    }
    let third = format!("canal:{NEGOCIO}:c");
    let error = client.ask(&subscribe(&third), "error").await;
    assert_eq!((&error["code"], &error["channel"]), (&json!("too_many_channels"), &json!(third)));
    client.ping().await;
}

#[tokio::test]
async fn what_cannot_be_asked_now_goes_on_by_itself_and_says_so() {
    let (pulso, database) = configured().await;
    let pulso = pulso.with("ACCESS_CACHE", "0").with("ACCESS_RECHECK", "100ms").ready().await;
    let mut client = dashboard(&pulso).await;
    let channel = format!("estadisticas:{NEGOCIO}");
    database.execute("ALTER TABLE negocios RENAME TO lejos").await;
    let error = client.ask(&json!({ "type": "subscribe", "channel": channel, "ref": "s" }), "error").await;
    assert_eq!((&error["code"], &error["retry"], &error["ref"]), (&json!("unchecked"), &json!(true), &json!("s")));
    database.execute("ALTER TABLE lejos RENAME TO negocios").await;
    assert_eq!(client.hear("subscribed").await["channel"], channel);
    client.hear("stats").await;
    client.ask(&json!({ "type": "unsubscribe", "channel": channel }), "unsubscribed").await;
    database.execute("ALTER TABLE citas RENAME TO lejos").await;
    client.ask(&subscribe("consulta:abiertas"), "subscribed").await;
    let error = client.hear("error").await;
    assert_eq!(
        (&error["code"], &error["retry"], &error["channel"]),
        (&json!("unavailable"), &json!(true), &json!("consulta:abiertas"))
    );
    database.execute("ALTER TABLE lejos RENAME TO citas").await;
    client.hear("consulta").await;
}

#[tokio::test]
async fn a_right_that_ends_is_told_and_what_is_left_is_named() {
    let (pulso, database) = configured().await;
    let pulso = pulso.with("ACCESS_CACHE", "0").with("ACCESS_RECHECK", "100ms").ready().await;
    let mut client = dashboard(&pulso).await;
    let channel = format!("canal:{NEGOCIO}:caja");
    client.ask(&subscribe(&channel), "subscribed").await;
    database.execute(&format!("UPDATE negocios SET admin_negocio_id = gen_random_uuid() WHERE id = '{NEGOCIO}'")).await;
    let mut told = [client.frame().await, client.frame().await];
    told.sort_by_key(|frame| frame["type"].to_string());
    assert_eq!(
        (&told[0]["type"], &told[0]["code"], &told[0]["channel"]),
        (&json!("error"), &json!("withdrawn"), &json!(channel))
    );
    assert_eq!(told[1], json!({ "type": "unsubscribed", "channel": channel, "reason": "withdrawn" }));
    database.execute(&format!("UPDATE negocios SET admin_negocio_id = '{OWNER}' WHERE id = '{NEGOCIO}'")).await;
    client.ask(&subscribe(&channel), "subscribed").await;
}
