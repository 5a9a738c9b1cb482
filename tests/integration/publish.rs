//! `POST /api/publish` and the channels an application names itself; `POST /api/disconnect` for whoever is dismissed.

mod disconnect;
mod names;

use pulso::feeds::types;
use pulso::session::words::TYPES;
use pulso_harness::{Claims, Dashboard, Database, Running};
use serde_json::json;

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, owner};
use crate::feeds::{assert_reached, assert_refused, configured, open};

const NOT_ALLOWED: &str = "not allowed to subscribe to this channel";

fn message(channel: &str, kind: &str, data: &str) -> String {
    format!(r#"{{"channel":"{channel}","type":"{kind}","data":{data}}}"#)
}

fn canal(negocio: &str, name: &str) -> String {
    format!("canal:{negocio}:{name}")
}

/// A connection that has joined what its token gives it.
async fn settled(pulso: &Running, claims: &Claims) -> Dashboard {
    let mut dashboard = pulso.connect(claims).await;
    dashboard.ping().await;
    dashboard
}

/// Subscribes, which is answered with nothing, and waits until it is joined. All connections are [`settled`].
async fn join(pulso: &Running, dashboard: &mut Dashboard, channel: &str) {
    let before = pulso.count("pulso_subscriptions").await;
    dashboard.send(&json!({ "type": "subscribe", "channel": channel })).await;
    pulso.until_count("pulso_subscriptions", before + 1).await;
}

/// A server that asks about ownership as often as it may.
async fn attentive() -> (Running, Database) {
    let (pulso, database) = configured().await;
    (pulso.with("ACCESS_CACHE", "0").with("ACCESS_RECHECK", "100ms").ready().await, database)
}

async fn hears(dashboard: &mut Dashboard, channel: &str, kind: &str, data: &str) {
    let text = dashboard.text().await;
    let (rest, timestamp) = text.rsplit_once(",\"timestamp\":\"").unwrap_or_else(|| panic!("{text}"));
    assert!(timestamp.len() == 26 && timestamp.ends_with("Z\"}"), "{text}");
    assert_eq!(rest, format!(r#"{{"type":"{kind}","channel":"{channel}","data":{data}"#));
}

#[tokio::test]
async fn what_an_application_publishes_reaches_those_who_subscribed_to_the_letter() {
    let (pulso, _database) = open().await;
    let channel = canal(NEGOCIO, "caja-1");
    let mut one = settled(&pulso, &owner()).await;
    let mut named = settled(&pulso, &Claims::naming("cajera", &[&NEGOCIO.to_uppercase()])).await;
    let mut elsewhere = settled(&pulso, &owner()).await;
    let mut nowhere = settled(&pulso, &owner()).await;
    join(&pulso, &mut one, &channel).await;
    join(&pulso, &mut named, &canal(&NEGOCIO.to_uppercase(), "caja-1")).await;
    join(&pulso, &mut elsewhere, &canal(NEGOCIO, "caja-2")).await;
    for (kind, data) in [
        ("turno:abierto", r#"{ "total":45.50,"ñ":"\u00f1","big":12345678901234567890.10 }"#),
        ("x", "null"),
        ("X_9.-:z", "[1.0, -0]"),
        ("x", "\"\""),
        ("x", r#"{"channel":"otra","type":"stats","id":1}"#),
    ] {
        for negocio in [NEGOCIO, &NEGOCIO.to_uppercase()] {
            assert_reached(&pulso.post("/api/publish", &message(&canal(negocio, "caja-1"), kind, data)).await, 2);
            hears(&mut one, &channel, kind, data).await;
            hears(&mut named, &channel, kind, data).await;
        }
    }
    // Subscribed twice is once, and leaving is leaving.
    one.send(&json!({ "type": "subscribe", "data": { "channel": channel } })).await;
    one.ping().await;
    assert_reached(&pulso.post("/api/publish", &message(&channel, "x", "1")).await, 2);
    hears(&mut one, &channel, "x", "1").await;
    hears(&mut named, &channel, "x", "1").await;
    named.send(&json!({ "type": "unsubscribe", "channel": channel })).await;
    named.ping().await;
    assert_reached(&pulso.post("/api/publish", &message(&channel, "x", "2")).await, 1);
    hears(&mut one, &channel, "x", "2").await;
    for other in [&mut one, &mut named, &mut elsewhere, &mut nowhere] {
        other.ping().await;
    }
}

#[tokio::test]
async fn a_batch_is_published_in_its_order_or_not_at_all() {
    let (pulso, _database) = open().await;
    let (first, second) = (canal(NEGOCIO, "a"), canal(NEGOCIO, "b"));
    let mut both = settled(&pulso, &owner()).await;
    join(&pulso, &mut both, &first).await;
    join(&pulso, &mut both, &second).await;
    let messages: Vec<_> = (0..6).map(|n| message([&first, &second][n % 2], "x", &n.to_string())).collect();
    let list = messages.join(",");
    for body in [format!("[{list}]"), format!("{{\"messages\":[{list}]}}")] {
        assert_reached(&pulso.post("/api/publish", &body).await, 6);
        for n in 0..6 {
            hears(&mut both, [&first, &second][n % 2], "x", &n.to_string()).await;
        }
    }
    for (bad, field) in [
        (message("estadisticas:x", "x", "1"), "messages[6].channel "),
        (message(&first, "stats", "1"), "messages[6].type "),
        (message(&first, "x", "1").replace("\"data\"", "\"datos\""), "messages[6].data "),
        (message(&canal("no-uuid", "a"), "x", "1"), "channel names what cannot be the id of a business"),
        ("7".to_owned(), "messages[6] "),
    ] {
        assert_refused(&pulso.post("/api/publish", &format!("[{list},{bad}]")).await, 400, field);
    }
    both.ping().await;
}

#[tokio::test]
async fn pulsos_own_words_and_other_peoples_channels_cannot_be_published() {
    let (pulso, _database) = open().await;
    let mut screen = settled(&pulso, &Claims::naming("cajera", &[NEGOCIO]).with("role", json!("STAFF"))).await;
    let channel = canal(NEGOCIO, "a");
    join(&pulso, &mut screen, &channel).await;
    let own: Vec<&str> = TYPES.into_iter().chain(types()).chain([r"\u0073tats"]).collect();
    assert!(own.len() > 15, "{own:?}");
    for kind in own {
        assert_refused(&pulso.post("/api/publish", &message(&channel, kind, "1")).await, 400, "type is a reserved one");
    }
    for kind in ["", " ", "a b", "ñ", "a\\n", &"x".repeat(65)] {
        assert_refused(&pulso.post("/api/publish", &message(&channel, kind, "1")).await, 400, "type must be 1 to 64");
    }
    for other in [
        &format!("estadisticas:{NEGOCIO}"),
        &format!("negocio:{NEGOCIO}"),
        "staff_orders",
        "device_1",
        "restaurant:7",
        "sync",
        &format!("Canal:{NEGOCIO}:a"),
        &format!(" canal:{NEGOCIO}:a"),
        "",
    ] {
        assert_refused(&pulso.post("/api/publish", &message(other, "x", "1")).await, 400, "channel must be canal:");
    }
    for bad in [
        &format!("canal:{NEGOCIO}"),
        &format!("canal:{NEGOCIO}:"),
        &format!("canal:{NEGOCIO}:a b"),
        &format!("canal:{NEGOCIO}:{}", "x".repeat(65)),
        "canal::a",
    ] {
        assert_refused(&pulso.post("/api/publish", &message(bad, "x", "1")).await, 400, "channel ");
    }
    screen.ping().await;
    let longest = canal(NEGOCIO, &"x".repeat(64));
    assert_reached(&pulso.post("/api/publish", &message(&longest, &"x".repeat(64), "1")).await, 0);
}

#[tokio::test]
async fn a_batch_and_the_channels_of_a_connection_have_their_limits() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("MAX_PUBLISH_BATCH", "3").with("MAX_CHANNELS", "2").ready().await;
    let one = message(&canal(NEGOCIO, "a"), "x", "1");
    let list = |count: usize| format!("[{}]", vec![one.as_str(); count].join(","));
    assert_reached(&pulso.post("/api/publish", &list(3)).await, 0);
    assert_refused(&pulso.post("/api/publish", &list(4)).await, 400, "messages must be 3 messages at most");
    assert_refused(&pulso.post("/api/publish", "[]").await, 400, "messages must be at least one message");
    let mut screen = settled(&pulso, &owner()).await;
    join(&pulso, &mut screen, &canal(NEGOCIO, "a")).await;
    screen.watch(NEGOCIO).await;
    screen.send(&json!({ "type": "subscribe", "channel": canal(NEGOCIO, "b") })).await;
    assert_eq!(screen.error().await, "too many channels on this connection");
}

#[tokio::test]
async fn what_is_not_yours_is_refused_in_the_same_words_whether_it_exists_or_not() {
    let (pulso, _database) = open().await;
    let mut dashboard = settled(&pulso, &owner()).await;
    for channel in [
        canal(OTHER_NEGOCIO, "a"),
        canal("33333333-3333-4333-8333-333333333333", "a"),
        canal("no-uuid", "a"),
        canal("*", "a"),
        canal(&format!("{NEGOCIO}:x"), "a"),
        canal(&format!(" {NEGOCIO}"), "a"),
    ] {
        dashboard.send(&json!({ "type": "subscribe", "channel": channel })).await;
        let answer = dashboard.next().await;
        assert_eq!(answer, json!({ "type": "error", "message": NOT_ALLOWED }), "{channel}");
    }
    for channel in [format!("canal:{NEGOCIO}"), canal(NEGOCIO, ""), canal(NEGOCIO, "a b"), canal("", "a")] {
        dashboard.send(&json!({ "type": "subscribe", "channel": channel })).await;
        assert_eq!(dashboard.error().await, "unknown channel", "{channel}");
    }
    assert_reached(&pulso.post("/api/publish", &message(&canal(OTHER_NEGOCIO, "a"), "x", "1")).await, 0);
    let mut nobody = pulso.open("/ws").await;
    nobody.send(&json!({ "type": "subscribe", "channel": canal(NEGOCIO, "a") })).await;
    assert_eq!(nobody.error().await, "authenticate first");
}

#[tokio::test]
async fn a_right_that_is_withdrawn_ends_the_subscription_and_one_that_is_given_begins_it() {
    let (pulso, database) = attentive().await;
    let channel = canal(NEGOCIO, "a");
    let mut losing = settled(&pulso, &owner()).await;
    let mut named = settled(&pulso, &Claims::naming(OWNER, &[NEGOCIO])).await;
    join(&pulso, &mut losing, &channel).await;
    join(&pulso, &mut named, &channel).await;
    let give = async |user: &str| {
        database.execute(&format!("UPDATE negocios SET admin_negocio_id = '{user}' WHERE id = '{NEGOCIO}'")).await;
    };
    give(OTHER_OWNER).await;
    assert_eq!(losing.error().await, "access to this channel was withdrawn");
    let mut gaining = settled(&pulso, &Claims::user(OTHER_OWNER)).await;
    join(&pulso, &mut gaining, &channel).await;
    losing.send(&json!({ "type": "subscribe", "channel": channel })).await;
    assert_eq!(losing.error().await, NOT_ALLOWED);
    assert_reached(&pulso.post("/api/publish", &message(&channel, "x", "1")).await, 2);
    hears(&mut gaining, &channel, "x", "1").await;
    hears(&mut named, &channel, "x", "1").await;
    losing.ping().await;
    give(OWNER).await;
    assert_eq!(gaining.error().await, "access to this channel was withdrawn");
    join(&pulso, &mut losing, &channel).await;

    // A token that names it no more leaves it to the database, which does not know this user.
    let token = |claims: Claims| json!({ "type": "auth", "token": claims.sign(pulso_harness::SECRET) });
    let mut cashier = settled(&pulso, &Claims::naming("cajera", &[NEGOCIO])).await;
    join(&pulso, &mut cashier, &channel).await;
    cashier.send(&token(Claims::user("cajera"))).await;
    assert_eq!(cashier.error().await, "access to this channel was withdrawn");
    assert_reached(&pulso.post("/api/publish", &message(&channel, "x", "2")).await, 2);
    cashier.ping().await;
}
