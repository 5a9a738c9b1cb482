//! What arrived is carried out: a call has its effect whatever its caller does next, and is answered in its time.

mod bodies;
mod late;

use pulso_harness::{Claims, Packets, Running};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::business::{NEGOCIO, owner};
use crate::feeds::configured;

const CLOUD_KEY: &str = "llave-de-la-nube";
const PENDING: &str = r#"42/sync,["changes:pending"]"#;
/// Calls of each kind: one that is carried out may be chance.
const TIMES: u64 = 20;

/// What a caller does once its call is sent.
#[derive(Clone, Copy, Debug)]
enum Then {
    Close,
    Reset,
    HalfClose,
}

const EACH: [Then; 3] = [Then::Close, Then::Reset, Then::HalfClose];

/// Everything configured, a device `d` and the tables.
async fn everything() -> (Running, pulso_harness::Database) {
    let (pulso, database) = configured().await;
    database
        .execute(
            "CREATE TABLE devices (id int PRIMARY KEY, device_uid text, is_active boolean);
             INSERT INTO devices VALUES (1, 'd', true)",
        )
        .await;
    let pulso = pulso.with("CLOUD_API_KEY", CLOUD_KEY);
    pulso.migrate().await;
    (pulso.ready().await, database)
}

fn request(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-api-key: {}\r\n{headers}content-length: {}\r\n\r\n{body}",
        pulso_harness::HOOK_KEY,
        body.len()
    )
}

/// Sends a call and waits for nothing.
async fn fire(pulso: &Running, request: &str, then: Then) -> TcpStream {
    let mut caller = TcpStream::connect(("127.0.0.1", pulso.port())).await.unwrap();
    caller.write_all(request.as_bytes()).await.unwrap();
    match then {
        Then::Close => {}
        Then::Reset => caller.set_zero_linger().unwrap(),
        Then::HalfClose => caller.shutdown().await.unwrap(),
    }
    caller
}

fn table(number: u64) -> String {
    format!(r#"{{"tableId":{number},"action":"x","negocio_id":"{NEGOCIO}"}}"#)
}

/// A back end that hears of changes.
async fn back_end(pulso: &Running) -> Packets {
    let mut packets = Packets::open(pulso.port(), &[]).await;
    packets.say(&format!("40/sync,{}", json!({ "apiKey": CLOUD_KEY }))).await;
    assert!(packets.expect().await.starts_with("40/sync,{"));
    packets
}

async fn pull(pulso: &Running, confirmed: &str) -> serde_json::Value {
    let head = format!("POST /sync/pull-changes HTTP/1.1\ncontent-type: application/json\nx-api-key: {CLOUD_KEY}");
    let answer = pulso.exchange(&head, confirmed).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn an_event_reaches_its_screens_whatever_its_caller_does() {
    let (pulso, _database) = everything().await;
    let mut screen = pulso.connect(&Claims::user("cajera").with("negocio_id", json!(NEGOCIO))).await;
    screen.ping().await;
    for (kind, then) in EACH.into_iter().enumerate() {
        for is_keyed in [false, true] {
            for number in 0..TIMES {
                let key = if is_keyed { format!("idempotency-key: {kind}-{number}\r\n") } else { String::new() };
                drop(fire(&pulso, &request("/notify/mesa", &key, &table(number)), then).await);
            }
            let mut heard = Vec::new();
            for _ in 0..TIMES {
                heard.push(screen.next().await["data"]["tableId"].as_u64().unwrap());
            }
            heard.sort_unstable();
            assert_eq!(heard, (0..TIMES).collect::<Vec<_>>(), "{then:?}, keyed: {is_keyed}");
        }
    }
}

#[tokio::test]
async fn of_many_calls_on_one_connection_the_last_is_carried_out_too() {
    let (pulso, _database) = everything().await;
    let mut screen = pulso.connect(&Claims::user("cajera").with("negocio_id", json!(NEGOCIO))).await;
    screen.ping().await;
    for then in EACH {
        let calls: String = (0..TIMES).map(|number| request("/notify/mesa", "", &table(number))).collect();
        drop(fire(&pulso, &calls, then).await);
        for number in 0..TIMES {
            assert_eq!(screen.next().await["data"]["tableId"], number, "{then:?}");
        }
    }
}

#[tokio::test]
async fn a_change_is_stored_and_announced_whatever_its_caller_does() {
    let (pulso, _database) = everything().await;
    let mut back_end = back_end(&pulso).await;
    for (kind, then) in EACH.into_iter().enumerate() {
        for is_keyed in [false, true] {
            let key = if is_keyed { format!("idempotency-key: {kind}\r\n") } else { String::new() };
            let change = format!(r#"{{"entity":"order","id":"{kind}-{is_keyed}","payload":{{}}}}"#);
            drop(fire(&pulso, &request("/notify/sync", &key, &change), then).await);
            assert_eq!(back_end.expect().await, PENDING, "{then:?}, keyed: {is_keyed}");
            let pending = pull(&pulso, "{}").await;
            assert_eq!(pending["pending_orders"].as_array().unwrap().len(), 1, "{pending}");
            // What is confirmed is forgotten, though nobody waits for what is left.
            let version = &pending["pending_orders"][0]["version"];
            let confirmed = format!(r#"{{"confirmedOrders":[{{"orderId":"{kind}-{is_keyed}","version":{version}}}]}}"#);
            let confirm = request("/sync/pull-changes", "", &confirmed).replace(pulso_harness::HOOK_KEY, CLOUD_KEY);
            drop(fire(&pulso, &confirm, then).await);
            let is_gone = async || pull(&pulso, "{}").await["pending_orders"] == json!([]);
            pulso_harness::wait::until(is_gone, "the change is confirmed").await;
        }
    }
}

#[tokio::test]
async fn a_notice_and_a_dismissal_are_carried_out_whatever_their_caller_does() {
    let (pulso, _database) = everything().await;
    for then in EACH {
        let mut dashboard = pulso.connect(&owner()).await;
        let first = dashboard.watch(NEGOCIO).await;
        drop(fire(&pulso, &request("/notify/cita", "", &format!(r#"{{"negocio_id":"{NEGOCIO}"}}"#)), then).await);
        assert!(dashboard.stats().await.seq > first.seq, "{then:?}");
        let user = format!("ana-{then:?}");
        let mut dismissed = pulso.connect(&Claims::user(&user)).await;
        dismissed.ping().await;
        drop(fire(&pulso, &request("/api/disconnect", "", &format!(r#"{{"user":"{user}"}}"#)), then).await);
        dismissed.closed().await;
    }
}

#[tokio::test]
async fn who_closes_the_sending_side_is_answered() {
    let (pulso, _database) = everything().await;
    let pull = request("/sync/pull-changes", "", "{}").replace(pulso_harness::HOOK_KEY, CLOUD_KEY);
    let mut requests: Vec<String> =
        crate::hooks_surface::calls().map(|(path, body)| request(path, "", &body)).collect();
    requests.push(pull);
    requests
        .extend(["/health", "/ready", "/metrics", "/"].map(|path| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")));
    for request in requests {
        let mut caller = fire(&pulso, &request, Then::HalfClose).await;
        let mut answer = String::new();
        // To its end: the line is closed behind the answer.
        caller.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{request}: {answer}");
    }
    // A body that ends too early is no call.
    let short = request("/notify/mesa", "", &table(1)).replace("\"action\":\"x\",", "");
    let mut caller = fire(&pulso, &short, Then::HalfClose).await;
    let mut answer = String::new();
    caller.read_to_string(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
}
