//! The second version on `/ws`: whose connection it is, and an answer to every question, late ones too.

use pulso_harness::{Claims, Dashboard, Running, SECRET};
use serde_json::{Value, json};

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, owner};
use crate::feeds::{configured, open, signed};

/// Opens `path` in the second version and hears who it is.
pub async fn greeted(pulso: &Running, path: &str) -> (Dashboard, Value) {
    let sign = if path.contains('?') { '&' } else { '?' };
    let mut dashboard = pulso.open(&format!("{path}{sign}v=2")).await;
    let hello = dashboard.next().await;
    assert_eq!(hello["type"], "hello", "{hello}");
    (dashboard, hello)
}

pub async fn say(dashboard: &mut Dashboard, message: Value) {
    dashboard.send(&message).await;
}

/// Subscribes and gives what is answered.
pub async fn subscribe(dashboard: &mut Dashboard, channel: &str, reference: &str) -> Value {
    say(dashboard, json!({ "type": "subscribe", "channel": channel, "ref": reference })).await;
    dashboard.next().await
}

fn id(frame: &Value) -> String {
    frame["id"].as_str().unwrap_or_else(|| panic!("no id: {frame}")).to_owned()
}

fn cashier() -> Claims {
    Claims::user("cajera").with("negocio_id", json!(NEGOCIO)).with("role", json!("CAJA"))
}

fn table(number: u64) -> String {
    format!(r#"{{"tableId":{number},"action":"x","negocio_id":"{NEGOCIO}"}}"#)
}

#[tokio::test]
async fn a_client_is_told_first_who_it_is_until_when_and_what_it_hears() {
    let (pulso, _database) = open().await;
    let (mut shop, hello) = greeted(&pulso, &signed("/ws", &cashier())).await;
    assert_eq!((&hello["v"], &hello["server"]), (&json!(2), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!((&hello["user"], &hello["role"]), (&json!("cajera"), &json!("CAJA")));
    assert_eq!(hello["negocios"], json!([NEGOCIO]));
    assert_eq!((&hello["ping"], &hello["silence"]), (&json!(25_000), &json!(45_000)));
    let (now, expires) = (hello["now"].as_i64().unwrap(), hello["expires"].as_i64().unwrap());
    assert!(now < expires, "{hello}");
    assert_eq!(hello.get("restaurant"), None);
    let channel = format!("negocio:{NEGOCIO}");
    let joined = json!({ "type": "subscribed", "channel": channel, "id": id(&hello) });
    assert_eq!(shop.next().await, joined);
    assert_eq!(pulso.post("/notify/mesa", &table(1)).await.status, 200);
    let event = shop.next().await;
    assert_eq!((&event["type"], &event["channel"]), (&json!("updateTable"), &json!(channel)));
    assert_eq!(id(&event).parse::<u64>().unwrap(), id(&hello).parse::<u64>().unwrap() + 1);
    assert_eq!(event["data"], json!({ "tableId": 1, "action": "x" }));
}

#[tokio::test]
async fn every_subscribe_is_answered_before_anything_is_heard_and_by_its_own_name() {
    let (pulso, _database) = open().await;
    let (mut dashboard, _) = greeted(&pulso, &signed("/ws", &owner())).await;
    let channel = format!("estadisticas:{NEGOCIO}");
    let joined =
        subscribe(&mut dashboard, &channel.to_uppercase().replace("ESTADISTICAS", "estadisticas"), "uno").await;
    assert_eq!(
        (&joined["type"], &joined["channel"], &joined["ref"]),
        (&json!("subscribed"), &json!(channel), &json!("uno"))
    );
    let stats = dashboard.next().await;
    assert_eq!((&stats["type"], &stats["channel"]), (&json!("stats"), &json!(channel)));
    assert_eq!(stats["data"]["negocio_id"], NEGOCIO);
    let again = subscribe(&mut dashboard, &channel, "dos").await;
    assert_eq!((&again["type"], &again["ref"]), (&json!("subscribed"), &json!("dos")));
    assert_eq!(dashboard.next().await["type"], "stats");

    // Asked for together, answered late, each under its own name.
    let others = format!("estadisticas:{OTHER_NEGOCIO}");
    for (reference, wanted) in
        [("a", &others), ("b", &format!("canal:{NEGOCIO}:caja")), ("c", &format!("canal:{OTHER_NEGOCIO}:caja"))]
    {
        say(&mut dashboard, json!({ "type": "subscribe", "data": { "channel": wanted }, "ref": reference })).await;
    }
    let mut answers = [dashboard.next().await, dashboard.next().await, dashboard.next().await];
    answers.sort_by_key(|answer| answer["ref"].as_str().unwrap_or_default().to_owned());
    for (answer, reference, wanted) in
        [(&answers[0], "a", &others), (&answers[2], "c", &format!("canal:{OTHER_NEGOCIO}:caja"))]
    {
        let forbidden = json!({ "type": "error", "code": "forbidden", "channel": wanted, "ref": reference, "retry": false,
            "message": "not allowed to subscribe to this channel" });
        assert_eq!(*answer, forbidden);
    }
    assert_eq!((&answers[1]["type"], &answers[1]["ref"]), (&json!("subscribed"), &json!("b")));

    say(&mut dashboard, json!({ "type": "unsubscribe", "channel": channel, "ref": "adiós \u{1f44b}\"" })).await;
    let left = json!({ "type": "unsubscribed", "channel": channel, "reason": "asked", "ref": "adiós \u{1f44b}\"" });
    assert_eq!(dashboard.next().await, left);
}

#[tokio::test]
async fn what_is_wrong_has_a_code_and_names_what_it_answers() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("FEEDS", "appointments,pos,channels").ready().await;
    let (mut dashboard, _) = greeted(&pulso, &signed("/ws", &owner())).await;
    let (good, long) = ("\u{1f600}".repeat(64), "x".repeat(65));
    for (message, code, reference) in [
        (json!({ "type": "nothing", "ref": "r" }), "unknown_type", Some("r")),
        (json!({ "type": "subscribe", "channel": "ventas:a", "ref": "r" }), "unknown_channel", Some("r")),
        (json!({ "type": "subscribe", "ref": "r" }), "bad_message", Some("r")),
        (json!({ "type": "ping", "ref": 7 }), "bad_message", None),
        (json!({ "type": "ping", "ref": "" }), "bad_message", None),
        (json!({ "type": "ping", "ref": long }), "bad_message", None),
        (json!({ "type": "subscribe", "channel": "estadisticas:a", "since": 5, "ref": "r" }), "bad_message", Some("r")),
        (
            json!({ "type": "subscribe", "channel": "estadisticas:a", "data": { "channel": "estadisticas:b" }, "ref": "r" }),
            "given_twice",
            Some("r"),
        ),
        (json!({ "type": "subscribe", "channel": "consulta:abiertas", "ref": "r" }), "feed_off", Some("r")),
        (json!({ "type": "subscribe", "channel": "staff_orders", "ref": "r" }), "feed_off", Some("r")),
        (json!({ "type": "subscribe", "channel": "negocio:a", "ref": "r" }), "forbidden", Some("r")),
        (json!({ "type": "auth", "token": "a.b.c", "ref": "r" }), "bad_token", Some("r")),
    ] {
        say(&mut dashboard, message.clone()).await;
        let error = dashboard.next().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{message}: {error}");
        assert_eq!(error.get("ref").and_then(Value::as_str), reference, "{message}: {error}");
        assert!(error["message"].is_string() && error["retry"] == false, "{error}");
        if let Some(channel) = message.get("channel").filter(|_| code != "given_twice") {
            assert_eq!(&error["channel"], channel, "{error}");
        }
    }
    dashboard.send_text("[]").await;
    assert_eq!(dashboard.next().await["code"], "bad_message");
    say(&mut dashboard, json!({ "type": "ping", "ref": good })).await;
    assert_eq!(dashboard.next().await, json!({ "type": "pong", "ref": good }));
    say(&mut dashboard, json!({ "type": "ping" })).await;
    assert_eq!(dashboard.next().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn a_token_that_comes_later_is_answered_and_its_user_may_not_change() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.open("/ws?v=2").await;
    say(&mut dashboard, json!({ "type": "subscribe", "channel": "estadisticas:a", "ref": "1" })).await;
    let error = dashboard.next().await;
    assert_eq!(
        (&error["code"], &error["ref"], &error["channel"]),
        (&json!("not_authenticated"), &json!("1"), &json!("estadisticas:a"))
    );
    say(&mut dashboard, json!({ "type": "auth", "token": cashier().sign(SECRET), "ref": "2" })).await;
    let hello = dashboard.next().await;
    assert_eq!((&hello["type"], &hello["user"], &hello["ref"]), (&json!("hello"), &json!("cajera"), &json!("2")));
    assert_eq!(dashboard.next().await["channel"], format!("negocio:{NEGOCIO}"));

    // Another shop instead of the first: what is opened no more is left.
    let other = Claims::user("cajera").with("negocio_id", json!(OTHER_NEGOCIO));
    say(&mut dashboard, json!({ "type": "auth", "token": other.sign(SECRET), "ref": "3" })).await;
    let authenticated = dashboard.next().await;
    assert_eq!((&authenticated["type"], &authenticated["ref"]), (&json!("authenticated"), &json!("3")));
    assert!(authenticated["now"].is_i64() && authenticated["expires"].is_i64(), "{authenticated}");
    let left = json!({ "type": "unsubscribed", "channel": format!("negocio:{NEGOCIO}"), "reason": "user" });
    assert_eq!(dashboard.next().await, left);
    assert_eq!(dashboard.next().await["channel"], format!("negocio:{OTHER_NEGOCIO}"));

    say(&mut dashboard, json!({ "type": "auth", "token": Claims::user(OTHER_OWNER).sign(SECRET) })).await;
    let closing =
        json!({ "type": "closing", "code": 4001, "reason": "another user's token", "again": true, "after": 0 });
    assert_eq!(dashboard.next().await, closing);
    assert_eq!(dashboard.closed().await.code, 4001);
}

#[tokio::test]
async fn what_was_missed_comes_behind_the_hello_and_a_hole_is_named() {
    let (pulso, _database) = open().await;
    let (mut shop, hello) = greeted(&pulso, &signed("/ws", &cashier())).await;
    shop.next().await;
    drop(shop);
    for number in 1..=2 {
        assert_eq!(pulso.post("/notify/mesa", &table(number)).await.status, 200);
    }
    let (mut shop, back) = greeted(&pulso, &format!("{}&since={}", signed("/ws", &cashier()), id(&hello))).await;
    assert_eq!(id(&back), id(&hello), "what is replayed is not heard yet");
    assert_eq!(shop.next().await["type"], "subscribed");
    for number in 1..=2 {
        assert_eq!(shop.next().await["data"]["tableId"], number);
    }
    let (mut shop, lost) = greeted(&pulso, &format!("{}&since=1", signed("/ws", &cashier()))).await;
    assert_eq!(shop.next().await["type"], "subscribed");
    let channel = format!("negocio:{NEGOCIO}");
    assert_eq!(shop.next().await, json!({ "type": "resync", "channels": [channel], "id": id(&lost) }));
    // For one channel alone.
    say(&mut shop, json!({ "type": "unsubscribe", "channel": channel })).await;
    assert_eq!(shop.next().await["type"], "unsubscribed");
    say(&mut shop, json!({ "type": "subscribe", "channel": channel, "since": id(&hello), "ref": "r" })).await;
    let joined = shop.next().await;
    assert_eq!((&joined["type"], id(&joined), &joined["ref"]), (&json!("subscribed"), id(&hello), &json!("r")));
    for number in 1..=2 {
        assert_eq!(shop.next().await["data"]["tableId"], number);
    }
}

#[tokio::test]
async fn what_is_taken_away_is_said_of_its_channel() {
    let (pulso, database) = configured().await;
    let pulso = pulso.with("ACCESS_CACHE", "0").with("ACCESS_RECHECK", "200ms").ready().await;
    let (mut dashboard, _) = greeted(&pulso, &signed("/ws", &owner())).await;
    let channel = format!("canal:{NEGOCIO}:caja");
    assert_eq!(subscribe(&mut dashboard, &channel, "r").await["type"], "subscribed");
    database.execute(&format!("UPDATE negocios SET admin_negocio_id = NULL WHERE admin_negocio_id = '{OWNER}'")).await;
    let withdrawn = json!({ "type": "error", "code": "withdrawn", "channel": channel, "retry": false,
        "message": "access to this channel was withdrawn" });
    assert_eq!(dashboard.next().await, withdrawn);
    let left = json!({ "type": "unsubscribed", "channel": channel, "reason": "withdrawn" });
    assert_eq!(dashboard.next().await, left);
}

#[tokio::test]
async fn a_version_is_a_whole_number_and_a_greater_one_is_answered_with_the_greatest() {
    let (pulso, _database) = open().await;
    let path = signed("/ws", &owner());
    for bad in ["v=0", "v=2.0", "v=", "v=-1", "v=two", "v=2&v=2"] {
        let refused = Dashboard::try_connect(pulso.port(), &format!("{path}&{bad}"), &[]).await.expect_err(bad);
        assert_eq!(refused.status, 400, "{bad}");
    }
    let mut dashboard = pulso.open(&format!("{path}&v=9")).await;
    assert_eq!(dashboard.next().await["v"], 2);
    let mut dashboard = pulso.open(&format!("{path}&v=1")).await;
    dashboard.send_text(r#"{"type":"ping","ref":7}"#).await;
    assert_eq!(dashboard.next().await, json!({ "type": "pong" }));
}
