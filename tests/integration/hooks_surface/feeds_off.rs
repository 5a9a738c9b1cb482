//! An installation that does not have every feed: what is off is a 404, what lacks a secret a 503 that names it, both
//! are said at the start, and neither makes it unready.

use pulso::feeds::Feed;
use pulso::feeds::definition::{DASHBOARDS, Definition, Need};
use pulso_harness::{Claims, Dashboard, EventStream, HOOK_KEY, Running};
use serde_json::json;

use super::{CLOUD_KEY, HOOKS, NEGOCIO, calls, owner};
use crate::feeds::{assert_refused, configured, signed};

fn cashier() -> Claims {
    Claims::naming("cajera", &[NEGOCIO]).with("role", json!("STAFF"))
}

/// Every way to listen but Socket.IO, with the feeds any of which keeps it open.
fn endpoints() -> Vec<(String, Vec<Feed>)> {
    let listened = |feed: Feed| {
        let Definition { is_on_dashboards, sockets, streams, .. } = feed.definition();
        let shared = is_on_dashboards.then_some(DASHBOARDS).into_iter();
        let sockets = shared.chain(sockets.iter().map(|own| own.path)).map(socket);
        sockets.chain(streams.iter().filter_map(|own| stream(own.form)))
    };
    let mut endpoints: Vec<(String, Vec<Feed>)> = Vec::new();
    for feed in Feed::ALL {
        for path in listened(feed) {
            match endpoints.iter_mut().find(|(known, _)| *known == path) {
                Some((_, feeds)) => feeds.push(feed),
                None => endpoints.push((path, vec![feed])),
            }
        }
    }
    assert!(endpoints.len() >= 8, "{endpoints:?}");
    endpoints
}

/// A WebSocket, by somebody who may listen there.
fn socket(path: &str) -> String {
    if path.contains("kiosk") { format!("{path}?device_uid=d") } else { signed(path, &cashier()) }
}

/// A stream of a channel of this form, by somebody who may listen to it; `None` for what only a shop alone has.
fn stream(form: &str) -> Option<String> {
    let channel = form.replace("<negocio>", NEGOCIO).replace("<name>", "c");
    match form {
        "negocio" => None,
        "consulta:<name>" => Some(format!("{}&channel=consulta:abiertas", signed("/sse", &cashier()))),
        "consulta:<name>:<key>" => Some(format!("{}&channel=consulta:cocina:{NEGOCIO}", signed("/sse", &cashier()))),
        "device" => Some(format!("/sse?channel={channel}&device_uid=d")),
        _ => Some(format!("{}&channel={channel}", signed("/sse", &cashier()))),
    }
}

/// The status with which a way to listen is refused; `None` where it is open.
async fn refusal(pulso: &Running, path: &str) -> Option<(u16, String)> {
    if path.starts_with("/sse") {
        let refused = EventStream::try_open(pulso.port(), path, &[]).await.err()?;
        return Some((refused.status, refused.body));
    }
    let refused = Dashboard::try_connect(pulso.port(), path, &[]).await.err()?;
    Some((refused.status, refused.body))
}

/// What the log said of a feed at the start.
fn announced(pulso: &Running, feed: &str) -> Vec<String> {
    let lines = pulso.log().into_iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok());
    lines.filter(|line| line["feed"] == feed).map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_feed_that_is_switched_off_is_a_404_for_callers_and_listeners() {
    for on in
        [&[Feed::Sync][..], &[Feed::Pos], &[Feed::Appointments, Feed::Clinic], &[Feed::Channels, Feed::Restaurant]]
    {
        let words: Vec<_> = on.iter().map(|feed| feed.word()).collect();
        let (pulso, database) = configured().await;
        database.execute("CREATE TABLE devices (id int PRIMARY KEY, device_uid text, is_active boolean); INSERT INTO devices VALUES (1, 'd', true)").await;
        let pulso = pulso.with("FEEDS", &words.join(",")).with("CLOUD_API_KEY", CLOUD_KEY);
        pulso.migrate().await;
        let pulso = pulso.ready().await;
        for (path, body, _) in HOOKS {
            let answer = pulso.post(path, &body.replace('%', NEGOCIO)).await;
            if owner(path).is_none_or(|(feed, _)| on.contains(&feed)) {
                assert_eq!(answer.status, 200, "{path} with {on:?}: {answer:?}");
            } else {
                assert_refused(&answer, 404, "this feed is switched off; see FEEDS");
                let get = pulso.exchange(&format!("GET {path} HTTP/1.1"), "").await;
                assert_eq!((get.status, get.json()["error"].as_str()), (404, Some("switched_off")), "{path}");
            }
        }
        for (path, feeds) in endpoints() {
            let refused = refusal(&pulso, &path).await;
            if feeds.iter().any(|feed| on.contains(feed)) {
                assert!(refused.is_none(), "{path} with {on:?}: {refused:?}");
            } else {
                let (status, body) = refused.unwrap_or_else(|| panic!("{path} is open with {on:?}"));
                assert!(status == 404 && body.contains("switched_off"), "{path}: {status} {body}");
            }
        }
        let pull = pulso.exchange(&format!("GET /sync/pull-changes HTTP/1.1\nx-api-key: {CLOUD_KEY}"), "").await;
        assert_eq!(pull.status, if on.contains(&Feed::Sync) { 200 } else { 404 });
        for feed in Feed::ALL {
            let off = announced(&pulso, feed.word()).iter().any(|said| said.contains("switched off"));
            assert_eq!(off, !on.contains(&feed), "{feed:?} with {on:?}");
        }
        assert_eq!(pulso.get("/ready").await.status, 200);
    }
}

#[tokio::test]
async fn the_word_that_the_appointments_had_before_still_switches_them_on_and_the_log_says_the_new_one_once() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("FEEDS", "stats").ready().await;
    let notice = format!(r#"{{"negocio_id":"{NEGOCIO}"}}"#);
    assert_eq!(pulso.post("/notify/cita", &notice).await.status, 200);
    assert!(announced(&pulso, "appointments").is_empty());
    let said = "is called appointments now";
    pulso.until_logged(said).await;
    assert_eq!(pulso.log().iter().filter(|line| line.contains(said)).count(), 1);
}

#[tokio::test]
async fn on_a_connection_that_is_open_for_one_feed_another_that_is_off_is_not_heard_of() {
    let (pulso, _database) = configured().await;
    let sales_alone = pulso.clone().with("FEEDS", "pos").ready().await;
    let mut screen = sales_alone.connect(&cashier()).await;
    for channel in ["estadisticas", "canal"] {
        screen.send(&json!({ "type": "subscribe", "channel": format!("{channel}:{NEGOCIO}:c") })).await;
        assert_eq!(screen.error().await, "unknown channel", "{channel}");
    }
    screen.ping().await;
}

#[tokio::test]
async fn without_a_secret_for_tokens_their_feeds_are_a_503_that_names_it_and_the_others_work() {
    let (pulso, database) = configured().await;
    database.execute("CREATE TABLE devices (id int PRIMARY KEY, device_uid text, is_active boolean); INSERT INTO devices VALUES (1, 'd', true)").await;
    let pulso = pulso.with("JWT_SECRET", "").with("CLOUD_API_KEY", CLOUD_KEY);
    pulso.migrate().await;
    let pulso = pulso.ready().await;
    let missing = "this is not configured: set JWT_SECRET";
    for (path, body, _) in HOOKS {
        let answer = pulso.post(path, &body.replace('%', NEGOCIO)).await;
        if owner(path).is_some_and(|(_, hook)| hook.reaches_tokens) {
            assert_refused(&answer, 503, missing);
        } else {
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
    }
    for (path, _) in endpoints() {
        let refused = refusal(&pulso, &path).await;
        if path.contains("device_uid") {
            assert!(refused.is_none(), "{path}: {refused:?}");
        } else {
            let (status, body) = refused.unwrap_or_else(|| panic!("{path} is open"));
            assert!(status == 503 && body.contains(missing), "{path}: {status} {body}");
        }
    }
    for feed in Feed::ALL {
        let needs_it = feed.definition().needs.contains(&Need::Tokens);
        let is_told = announced(&pulso, feed.word()).iter().any(|said| said.contains("JWT_SECRET"));
        assert_eq!(is_told, needs_it, "{feed:?}");
    }
    assert!(announced(&pulso, "sync").is_empty());
    assert_eq!(pulso.get("/ready").await.status, 200);
}

#[tokio::test]
async fn what_lacks_a_secret_or_its_tables_is_said_at_the_start() {
    let (pulso, _database) = configured().await;
    let bare = pulso.clone().with("NOTIFY_API_KEY", "").ready().await;
    let said = |pulso: &Running, feed: &str, what: &str| announced(pulso, feed).iter().any(|line| line.contains(what));
    for feed in ["pos", "restaurant", "channels"] {
        assert!(said(&bare, feed, "NOTIFY_API_KEY"), "{feed}: {:?}", announced(&bare, feed));
    }
    assert!(said(&bare, "sync", "CLOUD_API_KEY"), "{:?}", announced(&bare, "sync"));
    assert!(announced(&bare, "appointments").is_empty());
    assert_eq!(bare.get("/ready").await.status, 200);

    let unmigrated = pulso.with("CLOUD_API_KEY", CLOUD_KEY).ready().await;
    let told = async || said(&unmigrated, "sync", "pulso migrate");
    pulso_harness::wait::until(told, "the log says what to run").await;
    assert!(unmigrated.log().iter().all(|line| !line.contains(CLOUD_KEY) && !line.contains(HOOK_KEY)));
    for (path, body) in calls().filter(|(path, _)| path.contains("venta") || path.contains("cita")) {
        assert_eq!(unmigrated.post(path, &body).await.status, 200, "{path}");
    }
}
