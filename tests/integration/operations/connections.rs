//! A connection can be followed through the log by its id, from accept to close, whatever it carries.

use std::collections::{BTreeMap, BTreeSet};

use pulso_harness::{Claims, Dashboard, EventStream, Line, Packets, Poller, Running, SECRET, wait};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::business::{NEGOCIO, pulso};
use crate::feeds::signed;

/// What logs for a connection.
const PARTS: [&str; 7] = [
    "pulso::http::accept",
    "pulso::http::engine",
    "pulso::http::sse",
    "pulso::http::upgrade",
    "pulso::session",
    "pulso::transport",
    "pulso::access",
];

async fn server(level: &str) -> Running {
    // No database: nothing here needs one.
    let server = pulso("postgres://nobody@127.0.0.1:9/nowhere").with("LOG_LEVEL", level);
    server.with("TRUSTED_PROXIES", "").start().await
}

fn cashier() -> Claims {
    Claims::user("cajera").with("negocio_id", json!(NEGOCIO)).with("restaurantId", json!("r-1"))
}

/// A connection of which one line has been written already: it asked for a WebSocket without saying so.
async fn refused_once(pulso: &Running) -> TcpStream {
    let mut line = Line::open(pulso.port()).await;
    line.send("GET /ws HTTP/1.1\r\nhost: pulso\r\n\r\n").await;
    assert_eq!(line.answer().await.status, 426);
    line.into_stream()
}

async fn websocket(pulso: &Running) -> Dashboard {
    let stream = refused_once(pulso).await;
    let mut dashboard = Dashboard::handshake(stream, pulso.port(), &signed("/ws", &cashier()), &[]).await.unwrap();
    dashboard.send(&json!({ "type": "auth", "token": "none" })).await;
    dashboard.error().await;
    dashboard
}

async fn session(pulso: &Running) -> Packets {
    let stream = refused_once(pulso).await;
    let mut packets = Packets::over(stream, pulso.port(), "EIO=4&transport=websocket", &[]).await.unwrap();
    assert!(packets.connect(&json!({ "token": "none" })).await.starts_with("44"));
    assert!(packets.connect(&json!({ "token": cashier().sign(SECRET) })).await.starts_with("40{"));
    packets
}

/// The messages of the lines about each connection, by its id, once each of `last` has been written `times` times.
async fn told(pulso: &Running, last: &[&str], times: usize) -> BTreeMap<String, Vec<String>> {
    let written = |message: &&str| pulso.log().iter().filter(|line| line.contains(*message)).count();
    wait::until(async || last.iter().all(|message| written(message) >= times), "the last lines are written").await;
    let mut told = BTreeMap::<_, Vec<_>>::new();
    for line in pulso.log() {
        let line: Value = serde_json::from_str(&line).unwrap();
        if !PARTS.iter().any(|part| line["target"].as_str().unwrap().starts_with(part)) {
            continue;
        }
        let (span, message) = (&line["span"], line["message"].as_str().unwrap());
        let message = line["carrier"].as_str().map_or(message.to_owned(), |carrier| format!("{message}: {carrier}"));
        assert_eq!((&span["name"], &span["address"]), (&json!("connection"), &json!("127.0.0.1")), "{line}");
        assert_eq!(line["spans"].as_array().unwrap().len(), 1, "{line}");
        told.entry(span["id"].as_str().unwrap().to_owned()).or_default().push(message);
    }
    told
}

#[tokio::test]
async fn all_lines_about_a_websocket_a_stream_or_a_session_carry_the_one_id_of_its_connection() {
    let pulso = server("debug").await;
    drop(websocket(&pulso).await);
    let stream = refused_once(&pulso).await;
    let path = format!("{}&channel=negocio:{NEGOCIO}", signed("/sse", &cashier()));
    drop(EventStream::over(stream, pulso.port(), &path, &[]).await.unwrap());
    drop(session(&pulso).await);
    let told = told(&pulso, &["connection ends"], 3).await;
    assert_eq!(told.len(), 3, "{told:?}");
    for lines in [
        vec!["upgrade refused", "Invalid JWT token", "connection ends: websocket"],
        vec!["upgrade refused", "connection ends: stream"],
        vec!["upgrade refused", "Invalid token", "connection ends: socket.io"],
    ] {
        let said = |messages: &Vec<String>| lines.iter().all(|line| messages.iter().any(|said| said.starts_with(line)));
        assert_eq!(told.values().filter(|messages| said(messages)).count(), 1, "{lines:?} of {told:?}");
    }
}

#[tokio::test]
async fn two_connections_have_two_ids_on_one_node_and_on_another() {
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        let pulso = server("debug").await;
        let (one, other) = (websocket(&pulso).await, websocket(&pulso).await);
        drop((one, other));
        ids.extend(told(&pulso, &["connection ends"], 2).await.into_keys());
    }
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn a_session_that_polls_has_an_id_of_its_own_whatever_connections_carry_it() {
    let pulso = server("debug").await;
    let mut poller = Poller::open(pulso.port(), "").await;
    assert!(poller.connect(&json!({ "token": "none" })).await.starts_with("44"));
    assert!(poller.connect(&json!({ "token": cashier().sign(SECRET) })).await.starts_with("40{"));
    poller.post("1").await;
    let told = told(&pulso, &["connection ends"], 1).await;
    assert_eq!(told.into_values().collect::<Vec<_>>(), [["Invalid token", "connection ends: socket.io polling"]]);
}

#[tokio::test]
async fn no_filter_takes_the_id_from_a_line_that_is_written() {
    let pulso = server("off,pulso::session=info,pulso::server=info").await;
    drop(websocket(&pulso).await);
    assert_eq!(told(&pulso, &["Invalid JWT token"], 1).await.len(), 1);
}
