//! `GET /sse`: what a WebSocket would have carried, for those whose network breaks WebSockets. The same rights, the same
//! words, the same ids.

mod endings;
mod positions;

use pulso_harness::{Answer, Claims, EventStream, Running, SECRET};
use serde_json::json;

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, owner};
use crate::feeds::{assert_reached, configured, open, signed};

const DEVICES: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES (1, 'ipad-1', true), (2, 'ipad-2', true), (3, 'ipad-3', false);";
const KIOSK: &str = "/sse?channel=device&device_uid=ipad-1";

fn cashier() -> Claims {
    Claims::user("cajera").with("negocio_id", json!(NEGOCIO))
}

fn nurse() -> Claims {
    Claims::user("enfermera").with("role", json!("STAFF"))
}

fn path(channel: &str, claims: &Claims) -> String {
    format!("{}&channel={channel}", signed("/sse", claims))
}

fn sales() -> String {
    path(&format!("negocio:{NEGOCIO}"), &cashier())
}

/// A stream whose first bytes have come: it listens.
async fn listening(pulso: &Running, path: &str) -> EventStream {
    let mut stream = pulso.events(path).await;
    assert_eq!(stream.next_block().await.unwrap().data, "");
    stream
}

async fn refused(pulso: &Running, path: &str, headers: &[(&str, &str)]) -> Answer {
    match EventStream::try_open(pulso.port(), path, headers).await {
        Ok(granted) => panic!("{path} was granted: {:?}", granted.answer),
        Err(answer) => answer,
    }
}

fn table(negocio: &str, number: u64) -> String {
    format!(r#"{{"tableId":{number},"action":"x","negocio_id":"{negocio}"}}"#)
}

async fn happens(pulso: &Running, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(pulso.post("/notify/mesa", &table(NEGOCIO, number)).await.status, 200);
    }
}

/// The id of the next event and the table that it is about.
async fn next_table(stream: &mut EventStream) -> (String, u64) {
    let event = stream.next().await.expect("the stream goes on");
    (event.id.clone().unwrap_or_else(|| panic!("no id: {event:?}")), event.json()["data"]["tableId"].as_u64().unwrap())
}

#[tokio::test]
async fn every_plain_feed_is_heard_in_the_words_of_its_websocket_with_an_id() {
    let (pulso, database) = open().await;
    database.execute(DEVICES).await;
    let canal = format!("canal:{NEGOCIO}:caja");
    for (stream, socket, subscribe, hook, body) in [
        (sales(), signed("/ws", &cashier()), None, "/notify/mesa", table(NEGOCIO, 7)),
        (
            path(&canal, &owner()),
            signed("/ws", &owner()),
            Some(&canal),
            "/api/publish",
            format!(r#"{{"channel":"{canal}","type":"x","data":{{"total":45.50}}}}"#),
        ),
        (
            path("staff_orders", &nurse()),
            signed("/ws/staff/orders/", &nurse()),
            None,
            "/notify/pedido",
            r#"{"order_id":1,"device_uid":"ipad-1","placed_at":"x"}"#.to_owned(),
        ),
        (
            KIOSK.to_owned(),
            "/ws/kiosk/orders/?device_uid=ipad-1".to_owned(),
            None,
            "/notify/pedido/estado",
            r#"{"device_id":1,"order_id":1,"status":"READY","from_status":"PLACED","changed_at":"x"}"#.to_owned(),
        ),
    ] {
        let mut socket = pulso.open(&socket).await;
        if let Some(canal) = subscribe {
            socket.send(&json!({ "type": "subscribe", "channel": canal })).await;
            pulso.until_count("pulso_subscriptions", 1).await;
        }
        socket.ping().await;
        let mut stream = listening(&pulso, &stream).await;
        assert_eq!(stream.answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(stream.answer.header("cache-control"), Some("no-store"));
        assert_eq!(stream.answer.header("x-accel-buffering"), Some("no"));
        for _ in 0..2 {
            assert_reached(&pulso.post(hook, &body).await, 2);
            let event = stream.next().await.unwrap();
            assert_eq!((event.name.as_str(), event.data), ("message", socket.text().await), "{hook}");
            assert!(event.id.is_some_and(|id| id.parse::<u64>().is_ok()), "{hook}");
        }
        drop((socket, stream));
        pulso.until_count("pulso_subscriptions", 0).await;
        pulso.until_count("pulso_connections", 0).await;
    }
}

#[tokio::test]
async fn figures_come_at_once_and_whenever_they_change_and_have_no_id() {
    let (pulso, database) = open().await;
    let header = format!("Bearer {}", owner().sign(SECRET));
    let channel = format!("/sse?channel=estadisticas:{}", NEGOCIO.to_uppercase());
    let mut stream = EventStream::open(pulso.port(), &channel, &[("authorization", &header)]).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.id.clone(), first.json()["data"]["total_citas"].as_i64()), (None, Some(0)), "{first:?}");
    crate::business::citas(&database, NEGOCIO, 2, "atendida", "'2020-01-01'").await;
    let answer = pulso.post("/notify/cita", &json!({ "negocio_id": NEGOCIO }).to_string()).await;
    assert_eq!(answer.json()["subscribers"], 1);
    let moved = stream.message().await;
    assert_eq!((&moved["type"], &moved["data"]["citas_completadas"]), (&json!("stats"), &json!(2)));
    assert_eq!(moved["data"].as_object().unwrap().len(), 6);
    // It has nothing but what it asked for.
    let own = path(&format!("estadisticas:{NEGOCIO}"), &cashier());
    let mut narrow = pulso.events(&own).await;
    assert_eq!(narrow.message().await["type"], "stats");
    assert_reached(&pulso.post("/notify/mesa", &table(NEGOCIO, 1)).await, 0);
}

#[tokio::test]
async fn a_browser_that_comes_back_has_what_it_missed_or_is_told_to_reload() {
    let (pulso, _database) = open().await;
    let mut first = listening(&pulso, &sales()).await;
    happens(&pulso, 0..5).await;
    let (id, _) = next_table(&mut first).await;
    drop(first);
    for (path, headers) in [
        (sales(), vec![("last-event-id", id.as_str())]),
        (format!("{}&since={id}", sales()), vec![]),
        // What the browser adds is newer than what the page once wrote into its address.
        (format!("{}&since=1", sales()), vec![("last-event-id", id.as_str())]),
    ] {
        let mut back = EventStream::open(pulso.port(), &path, &headers).await;
        for number in 1..5 {
            assert_eq!(next_table(&mut back).await.1, number, "{path} {headers:?}");
        }
    }
    let mut late = listening(&pulso, &sales()).await;
    happens(&pulso, 9..10).await;
    assert_eq!(next_table(&mut late).await.1, 9);
    let future = (id.parse::<u64>().unwrap() + 1_000_000).to_string();
    for nonsense in ["x", "1", &future, "18446744073709551616"] {
        let mut back = EventStream::open(pulso.port(), &sales(), &[("last-event-id", nonsense)]).await;
        let told = back.next().await.unwrap();
        assert_eq!((told.id, told.data.as_str()), (None, r#"{"type":"resync"}"#), "{nonsense}");
    }
}

#[tokio::test]
async fn whoever_may_not_listen_is_refused_by_a_status_that_ends_a_browsers_attempts() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso =
        pulso.with("WS_ALLOWED_ORIGINS", "https://panel.example.com").with("BAD_DEVICES_PER_MINUTE", "4").ready().await;
    for channel in ["", "&channel=", "&channel=ventas", "&channel=negocio:", "&channel=canal:x", "&channel=user:ana"] {
        assert_eq!(
            refused(&pulso, &format!("{}{channel}", signed("/sse", &owner())), &[]).await.status,
            400,
            "{channel}"
        );
    }
    let twice = format!("{}&channel=staff_orders", path("staff_orders", &nurse()));
    assert_eq!(refused(&pulso, &twice, &[]).await.status, 400);
    let channels = [
        format!("negocio:{NEGOCIO}"),
        format!("estadisticas:{NEGOCIO}"),
        format!("canal:{NEGOCIO}:a"),
        "staff_orders".to_owned(),
    ];
    for channel in &channels {
        for token in [
            "",
            "&token=",
            "&token=x",
            &format!("&token={}", owner().sign("another secret, also longer than 32 bytes")),
            &format!("&token={}", owner().expiring_in(-60).sign(SECRET)),
        ] {
            let answer = refused(&pulso, &format!("/sse?channel={channel}{token}"), &[]).await;
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{channel}{token}");
        }
        for foreigner in [Claims::user("nadie"), Claims::user(OTHER_OWNER), Claims::naming("cajera", &[OTHER_NEGOCIO])]
        {
            let answer = refused(&pulso, &path(channel, &foreigner), &[]).await;
            assert_eq!((answer.status, answer.json()["error"].as_str()), (403, Some("forbidden")), "{channel}");
        }
    }
    // As little is said of a business that does not exist.
    let there = refused(&pulso, &path(&format!("estadisticas:{OTHER_NEGOCIO}"), &owner()), &[]).await.body;
    for nowhere in ["33333333-3333-4333-8333-333333333333", "no-uuid"] {
        assert_eq!(refused(&pulso, &path(&format!("estadisticas:{nowhere}"), &owner()), &[]).await.body, there);
    }
    assert_eq!(refused(&pulso, &path("negocio", &cashier()), &[]).await.status, 403, "there are several businesses");

    for origin in ["https://evil.example", "null"] {
        assert_eq!(refused(&pulso, KIOSK, &[("origin", origin)]).await.status, 403, "{origin}");
    }
    let granted = EventStream::open(pulso.port(), KIOSK, &[("origin", "https://panel.example.com")]).await.answer;
    assert_eq!(granted.header("access-control-allow-origin"), Some("https://panel.example.com"));

    for uid in ["", "&device_uid=", "&device_uid=ipad-3", "&device_uid=ipad-9"] {
        assert_eq!(refused(&pulso, &format!("/sse?channel=device{uid}"), &[]).await.status, 403, "{uid}");
    }
    assert_eq!(refused(&pulso, KIOSK, &[]).await.status, 429);
    for method in ["POST", "HEAD", "OPTIONS"] {
        let answer = pulso.exchange(&format!("{method} {KIOSK} HTTP/1.1\ncontent-length: 0"), "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")), "{method}");
    }
}
