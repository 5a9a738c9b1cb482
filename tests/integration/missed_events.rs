//! `?since=`: who was away has what it missed, once and in order, or is told that it cannot.

mod chaos;

use std::collections::BTreeSet;

use pulso_harness::process::steady_port;
use pulso_harness::{Claims, Dashboard, Running, SECRET};
use serde_json::json;

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OWNER, owner};
use crate::feeds::{assert_reached, configured, open, signed};

const RESYNC: &str = r#"{"type":"resync"}"#;
/// Events of one channel that are kept, as the promise has it.
const KEPT: u64 = 256;
const DEVICES: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES (1, 'ipad-1', true), (2, 'ipad-2', true);";

fn cashier(negocio: &str) -> Claims {
    Claims::user("cajera").with("negocio_id", json!(negocio))
}

fn nurse() -> Claims {
    Claims::user("enfermera").with("role", json!("STAFF"))
}

/// A way to listen to events, and a call that makes one.
struct Way {
    path: String,
    subscribe: Option<String>,
    hook: &'static str,
    body: String,
}

/// Every plain feed, as one identity hears it.
fn ways() -> Vec<Way> {
    let way = |path: &str, hook, body: String| Way { path: path.to_owned(), subscribe: None, hook, body };
    vec![
        way(&signed("/ws", &cashier(NEGOCIO)), "/notify/mesa", table(NEGOCIO, 1)),
        way(
            &signed("/ws/staff/orders/", &nurse()),
            "/notify/pedido",
            r#"{"order_id":1,"device_uid":"ipad-1","placed_at":"x"}"#.to_owned(),
        ),
        way(
            "/ws/kiosk/orders/?device_uid=ipad-1",
            "/notify/pedido/estado",
            r#"{"device_uid":"ipad-1","order_id":1,"status":"READY","from_status":"PLACED","changed_at":"x"}"#
                .to_owned(),
        ),
        Way {
            subscribe: Some(json!({ "type": "subscribe", "channel": format!("canal:{NEGOCIO}:caja") }).to_string()),
            ..way(&signed("/ws", &owner()), "/api/publish", published(NEGOCIO, "caja", "1"))
        },
    ]
}

impl Way {
    async fn connect(&self, pulso: &Running, since: Option<&str>) -> Dashboard {
        let sign = if self.path.contains('?') { '&' } else { '?' };
        let path = since.map_or_else(|| self.path.clone(), |since| format!("{}{sign}since={since}", self.path));
        let mut dashboard = pulso.open(&path).await;
        if let Some(subscribe) = &self.subscribe {
            let before = pulso.count("pulso_subscriptions").await;
            dashboard.send_text(subscribe).await;
            // Granted by the database, without a word.
            pulso.until_count("pulso_subscriptions", before + 1).await;
        }
        dashboard
    }

    async fn happen(&self, pulso: &Running) {
        assert_eq!(pulso.post(self.hook, &self.body).await.status, 200);
    }
}

fn published(negocio: &str, name: &str, data: &str) -> String {
    format!(r#"{{"channel":"canal:{negocio}:{name}","type":"turno","data":{data}}}"#)
}

fn table(negocio: &str, number: u64) -> String {
    format!(r#"{{"tableId":{number},"action":"x","negocio_id":"{negocio}"}}"#)
}

async fn happens(pulso: &Running, negocio: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(pulso.post("/notify/mesa", &table(negocio, number)).await.status, 200);
    }
}

async fn since(pulso: &Running, negocio: &str, id: &str) -> Dashboard {
    pulso.open(&format!("{}&since={id}", signed("/ws", &cashier(negocio)))).await
}

/// A screen that has no position yet and listens.
async fn from_now(pulso: &Running, negocio: &str) -> Dashboard {
    let mut screen = since(pulso, negocio, "").await;
    screen.ping().await;
    screen
}

/// The id of a message, and the message without it.
fn split_id(text: &str) -> (String, String) {
    let rest = text.strip_prefix("{\"id\":\"").unwrap_or_else(|| panic!("no id in front: {text}"));
    let (id, rest) = rest.split_once("\",").unwrap();
    assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{text}");
    (id.to_owned(), format!("{{{rest}"))
}

/// The next event: its id and which table it is about.
async fn next_table(dashboard: &mut Dashboard) -> (String, u64) {
    let event = dashboard.next().await;
    let id = event["id"].as_str().unwrap_or_else(|| panic!("no id: {event}"));
    (id.to_owned(), event["data"]["tableId"].as_u64().unwrap())
}

#[tokio::test]
async fn who_asks_for_ids_gets_them_in_front_and_everybody_else_sees_nothing_of_it() {
    for way in ways() {
        let (pulso, database) = open().await;
        database.execute(DEVICES).await;
        let mut plain = way.connect(&pulso, None).await;
        let mut asking = way.connect(&pulso, Some("")).await;
        plain.ping().await;
        asking.ping().await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            way.happen(&pulso).await;
            let (text, with_id) = (plain.text().await, asking.text().await);
            let (id, without) = split_id(&with_id);
            assert_eq!(without, text, "{}", way.hook);
            assert!(!text.contains("\"id\""), "{text}");
            ids.push(id.parse::<u64>().unwrap());
        }
        assert!(ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == 3, "{ids:?}");
        // Answers and figures are no events.
        asking.send_text(r#"{"type":"ping"}"#).await;
        assert_eq!(asking.text().await, r#"{"type":"pong"}"#);
    }
}

#[tokio::test]
async fn figures_and_errors_have_no_id_whoever_asks() {
    let (pulso, _database) = open().await;
    let mut asking = pulso.open(&format!("{}&since=", signed("/ws", &owner()))).await;
    asking.subscribe(NEGOCIO).await;
    assert!(asking.next().await.get("id").is_none());
    asking.subscribe(OTHER_NEGOCIO).await;
    let refused = asking.next().await;
    assert_eq!((refused["type"].as_str(), refused.get("id")), (Some("error"), None));
}

#[tokio::test]
async fn who_comes_back_with_its_last_id_has_exactly_what_it_missed_in_order_and_then_what_comes() {
    for way in ways() {
        let (pulso, database) = open().await;
        database.execute(DEVICES).await;
        let mut steady = way.connect(&pulso, Some("")).await;
        steady.ping().await;
        let mut texts = Vec::new();
        for _ in 0..6 {
            way.happen(&pulso).await;
            texts.push(steady.text().await);
        }
        let (second, _) = split_id(&texts[1]);
        let mut back = way.connect(&pulso, Some(&second)).await;
        for text in &texts[2..] {
            assert_eq!(back.text().await, *text, "{}", way.hook);
        }
        back.ping().await;
        way.happen(&pulso).await;
        assert_eq!(back.text().await, steady.text().await);
        // The last one missed nothing.
        let (last, _) = split_id(&texts[5]);
        let mut late = way.connect(&pulso, Some(&last)).await;
        late.text().await;
        late.ping().await;
    }
}

#[tokio::test]
async fn as_many_as_are_kept_are_replayed_and_for_one_more_the_client_has_to_reload() {
    let (pulso, _database) = configured().await;
    // Replayed ones were asked for: they fill no buffer.
    let pulso = pulso.with("OUTBOUND_BUFFER", "3").ready().await;
    let mut first = from_now(&pulso, NEGOCIO).await;
    happens(&pulso, NEGOCIO, 0..1).await;
    let (id, _) = next_table(&mut first).await;
    drop(first);
    happens(&pulso, NEGOCIO, 1..KEPT + 1).await;
    let mut back = since(&pulso, NEGOCIO, &id).await;
    let mut last = String::new();
    for number in 1..=KEPT {
        let (id, table) = next_table(&mut back).await;
        assert_eq!(table, number);
        last = id;
    }
    back.ping().await;

    happens(&pulso, NEGOCIO, KEPT + 1..KEPT + 2).await;
    let mut late = since(&pulso, NEGOCIO, &id).await;
    assert_eq!(late.text().await, RESYNC);
    late.ping().await;
    happens(&pulso, NEGOCIO, KEPT + 2..KEPT + 3).await;
    assert_eq!(next_table(&mut late).await.1, KEPT + 2);
    // A business where much happens costs another nothing.
    let mut other = since(&pulso, OTHER_NEGOCIO, &id).await;
    other.ping().await;
    let mut back = since(&pulso, NEGOCIO, &last).await;
    assert_eq!((next_table(&mut back).await.1, next_table(&mut back).await.1), (KEPT + 1, KEPT + 2));
    assert_eq!(pulso.count("pulso_resyncs_total").await, 1);
    assert_eq!(pulso.count("pulso_replayed_total").await, KEPT + 2);
}

#[tokio::test]
async fn an_id_that_is_none_of_ours_is_answered_with_resync_before_anything_else() {
    let (pulso, _database) = open().await;
    let mut first = from_now(&pulso, NEGOCIO).await;
    happens(&pulso, NEGOCIO, 0..2).await;
    let id: u64 = next_table(&mut first).await.0.parse().unwrap();
    let (next, older) = ((id + 2).to_string(), (id - 2).to_string());
    for nonsense in [
        "x",
        "-1",
        "+1",
        "0",
        "1",
        "%20",
        "1.5",
        "1e3",
        "null",
        "18446744073709551615",
        "18446744073709551616",
        &next,
        &older,
        &format!("0{id}"),
        &format!("{id}%20"),
    ] {
        let mut back = since(&pulso, NEGOCIO, nonsense).await;
        assert_eq!(back.text().await, RESYNC, "{nonsense}");
        back.ping().await;
    }
    let path = format!("{}&since={id}&since={id}", signed("/ws", &cashier(NEGOCIO)));
    assert_eq!(Dashboard::try_connect(pulso.port(), &path, &[]).await.unwrap_err().status, 400);
}

#[tokio::test]
async fn after_a_restart_nobody_pretends_to_know_what_was_missed() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.with("PORT", &steady_port().to_string());
    let running = pulso.ready().await;
    let mut last = Vec::new();
    for way in ways() {
        let mut listening = way.connect(&running, Some("")).await;
        listening.ping().await;
        way.happen(&running).await;
        last.push(split_id(&listening.text().await).0);
    }
    drop(running);
    let running = pulso.ready().await;
    for (way, id) in ways().iter().zip(&last) {
        let mut back = way.connect(&running, Some(id)).await;
        assert_eq!(back.text().await, RESYNC, "{}", way.hook);
        if way.subscribe.is_some() {
            // Once more for what was joined later: what was loaded in between may be outdated.
            assert_eq!(back.text().await, RESYNC);
        }
        way.happen(&running).await;
        let (newer, _) = split_id(&back.text().await);
        assert!(newer.parse::<u64>().unwrap() > id.parse::<u64>().unwrap(), "ids grow across a restart");
        let mut again = way.connect(&running, Some(&newer)).await;
        again.ping().await;
    }
}

#[tokio::test]
async fn a_replay_has_what_the_identity_may_hear_and_nothing_of_anybody_elses() {
    let (pulso, database) = open().await;
    database.execute(DEVICES).await;
    // An id from before all of it.
    let mut witness = from_now(&pulso, NEGOCIO).await;
    happens(&pulso, NEGOCIO, 0..1).await;
    let (start, _) = next_table(&mut witness).await;
    for number in 1..4 {
        happens(&pulso, NEGOCIO, number..number + 1).await;
        happens(&pulso, OTHER_NEGOCIO, number + 100..number + 101).await;
        for (negocio, name) in [(NEGOCIO, "caja"), (NEGOCIO, "cocina"), (OTHER_NEGOCIO, "caja")] {
            pulso.post("/api/publish", &published(negocio, name, &number.to_string())).await;
        }
        for way in &ways()[1..3] {
            way.happen(&pulso).await;
        }
    }
    let back = |path: &str| {
        let sign = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{sign}since={start}");
        async { pulso.open(&{ path }).await }
    };
    let tables = async |mut screen: Dashboard, wanted: &[u64]| {
        for number in wanted {
            assert_eq!(next_table(&mut screen).await.1, *number);
        }
        screen.ping().await;
    };
    tables(back(&signed("/ws", &cashier(NEGOCIO))).await, &[1, 2, 3]).await;
    tables(back(&signed("/ws", &cashier(OTHER_NEGOCIO))).await, &[101, 102, 103]).await;
    let both = Claims::naming("cajera", &[OTHER_NEGOCIO, NEGOCIO]);
    tables(back(&signed("/ws", &both)).await, &[1, 101, 2, 102, 3, 103]).await;
    tables(back(&signed("/ws", &Claims::user("nadie"))).await, &[]).await;
    tables(back(&signed("/ws", &nurse().with("negocio_id", json!(NEGOCIO)))).await, &[1, 2, 3]).await;
    for (path, orders) in [
        (signed("/ws/staff/orders/", &nurse()), 3),
        (signed("/ws/staff/orders/", &nurse().with("negocio_id", json!(NEGOCIO))), 0),
        ("/ws/kiosk/orders/?device_uid=ipad-1".to_owned(), 3),
        ("/ws/kiosk/orders/?device_uid=ipad-2".to_owned(), 0),
    ] {
        let mut listening = back(&path).await;
        for _ in 0..orders {
            assert_eq!(listening.next().await["order_id"], 1, "{path}");
        }
        listening.ping().await;
    }

    // Channels of an application, each with its own right and its own past, which is told once in a connection.
    let mut owners = back(&signed("/ws", &owner())).await;
    let subscribe = |what: &str, name: &str| json!({ "type": what, "channel": format!("canal:{name}") });
    for _ in 0..2 {
        owners.send(&subscribe("subscribe", &format!("{OTHER_NEGOCIO}:caja"))).await;
        assert_eq!(owners.error().await, "not allowed to subscribe to this channel");
    }
    owners.send(&subscribe("subscribe", &format!("{}:caja", NEGOCIO.to_uppercase()))).await;
    for number in 1..4 {
        let event = owners.next().await;
        assert_eq!((&event["data"], &event["channel"]), (&json!(number), &json!(format!("canal:{NEGOCIO}:caja"))));
    }
    owners.send(&subscribe("unsubscribe", &format!("{NEGOCIO}:caja"))).await;
    owners.send(&subscribe("subscribe", &format!("{NEGOCIO}:caja"))).await;
    owners.send(&subscribe("subscribe", &format!("{NEGOCIO}:vacío"))).await;
    assert_eq!(owners.error().await, "unknown channel");
    owners.expect_silence().await;
    assert_reached(&pulso.post("/api/publish", &published(NEGOCIO, "caja", "9")).await, 1);
    assert_eq!(owners.next().await["data"], 9);
}

#[tokio::test]
async fn who_signs_in_by_message_has_what_it_missed_then_and_not_before() {
    let (pulso, _database) = open().await;
    let mut first = from_now(&pulso, NEGOCIO).await;
    happens(&pulso, NEGOCIO, 0..3).await;
    let (id, _) = next_table(&mut first).await;
    let mut unknown = pulso.open(&format!("/ws?since={id}")).await;
    unknown.send_text(r#"{"type":"ping"}"#).await;
    assert_eq!(unknown.error().await, "authenticate first");
    let auth = |claims: Claims| json!({ "type": "auth", "token": claims.sign(SECRET) });
    unknown.send(&auth(cashier(NEGOCIO))).await;
    assert_eq!((next_table(&mut unknown).await.1, next_table(&mut unknown).await.1), (1, 2));
    unknown.ping().await;
    // A renewal replays nothing, neither of the old business nor of a new one.
    happens(&pulso, OTHER_NEGOCIO, 7..8).await;
    unknown.send(&auth(Claims::naming("cajera", &[NEGOCIO, OTHER_NEGOCIO]))).await;
    unknown.ping().await;
    happens(&pulso, OTHER_NEGOCIO, 8..9).await;
    assert_eq!(next_table(&mut unknown).await.1, 8);
    // Signed in with a token that names none, it has a position all the same.
    let mut nobody = pulso.open(&format!("/ws?since=x&token={}", Claims::user(OWNER).sign(SECRET))).await;
    assert_eq!(nobody.text().await, RESYNC);
}
