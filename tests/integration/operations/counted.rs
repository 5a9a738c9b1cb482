//! What is counted of clients, calls and what waits, where each has happened.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use pulso::clock::Clock;
use pulso_harness::{Claims, HOOK_KEY, Packets, Pulso, SECRET};
use serde_json::json;

use crate::boards::{RESTAURANT, Stage, new_order, staff, waiter};
use crate::business::{NEGOCIO, OTHER_OWNER, OWNER, citas, database, open, owner, pulso};
use crate::feeds::signed;

/// Now and so many seconds later, as callers write it.
pub fn at(seconds: i64) -> String {
    (Clock::system(TimeZone::UTC).now() + SignedDuration::from_secs(seconds)).to_string()
}

#[tokio::test]
async fn clients_are_told_apart_by_what_carries_them_and_by_whose_endpoint_they_came_to() {
    let stage = Stage::open().await;
    let pulso = &stage.running;
    let dashboard = pulso.connect(&owner()).await;
    let nurse = pulso.open(&signed("/ws/staff/orders/", &staff())).await;
    let path = format!("{}&channel=estadisticas:{NEGOCIO}", signed("/sse", &owner()));
    let mut stream = pulso.events(&path).await;
    stream.message().await;
    let socket = Packets::connected(pulso.port(), &json!({ "token": crate::boards::signed(&waiter()) })).await;
    for (transport, feed) in
        [("websocket", "several"), ("websocket", "clinic"), ("sse", "appointments"), ("socketio", "several")]
    {
        pulso.until_count(&format!("pulso_clients{{transport=\"{transport}\",feed=\"{feed}\"}}"), 1).await;
    }
    assert_eq!(pulso.count("pulso_connections").await, 4);
    for endpoint in ["/ws", "/ws/staff/orders/", "/sse", "/socket.io/"] {
        let accepted = format!("pulso_handshakes_total{{endpoint=\"{endpoint}\",result=\"Accepted\"}}");
        assert_eq!(pulso.count(&accepted).await, 1, "{endpoint}");
    }
    assert!(pulso.get("/ws?token=no").await.status >= 400);
    let refused = "pulso_handshakes_total{endpoint=\"/ws\",result=\"Handshake\"}";
    assert_eq!(pulso.count(refused).await, 1);
    drop((dashboard, nurse, stream, socket));
    pulso.until_count("pulso_connections", 0).await;
    pulso.until_count("pulso_clients{transport=\"websocket\",feed=\"clinic\"}", 0).await;
}

#[tokio::test]
async fn a_token_that_follows_another_is_counted_by_what_became_of_it() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    let count = async |result: &str| pulso.count(&format!("pulso_token_renewals_total{{result=\"{result}\"}}")).await;
    let bring = |token: String| json!({ "type": "auth", "token": token });
    dashboard.send(&bring(owner().sign(SECRET))).await;
    dashboard.watch(NEGOCIO).await;
    dashboard.send(&bring("none".to_owned())).await;
    dashboard.error().await;
    dashboard.send(&bring(Claims::user(OTHER_OWNER).sign(SECRET))).await;
    dashboard.closed().await;
    assert_eq!((count("Renewed").await, count("Refused").await, count("AnotherUser").await), (1, 1, 1));
    let mut newcomer = pulso.open("/ws").await;
    newcomer.send(&bring(Claims::user(OWNER).sign(SECRET))).await;
    newcomer.watch(NEGOCIO).await;
    assert_eq!(count("Renewed").await, 1, "a first token follows none");
}

/// With the key of the hooks.
async fn keyed() -> (Pulso, pulso_harness::Database) {
    let database = database().await;
    (pulso(&database.url()).with_hook_key(), database)
}

#[tokio::test]
async fn from_a_commit_to_the_first_socket_is_measured_where_a_caller_with_the_key_says_when_it_was() {
    let (pulso, database) = keyed().await;
    let pulso = pulso.with("NOTIFY_CITA_OPEN", "true").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let counted = "pulso_commit_to_socket_seconds_count";
    let body = json!({ "negocio_id": NEGOCIO }).to_string();
    let mut said = 0;
    let mut announce = async |headers: &[(&str, &str)]| {
        citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
        said += 1;
        let mut head = "POST /notify/cita HTTP/1.1\ncontent-type: application/json".to_owned();
        for (name, value) in headers {
            head = format!("{head}\n{name}: {value}");
        }
        assert_eq!(pulso.exchange(&head, &body).await.status, 200);
        while dashboard.stats().await.total < said {}
    };
    let key = ("x-api-key", HOOK_KEY);
    let long_ago = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", &at(-90_000)];
    for nothing in ["", "yesterday", "2026-13-01T00:00:00Z", &at(3_600)].into_iter().chain(long_ago) {
        announce(&[key, ("x-committed-at", nothing)]).await;
    }
    announce(&[("x-committed-at", &at(-2))]).await;
    announce(&[key]).await;
    assert_eq!(pulso.count(counted).await, 0, "rubbish, the future, long ago, a stranger and who says nothing");
    announce(&[key, ("x-committed-at", &at(-2))]).await;
    // Behind the write, which she may see first.
    pulso.until_count(counted, 1).await;
    let took = pulso.metric("pulso_commit_to_socket_seconds_sum").await;
    assert!(took >= 1.9, "{took}");
}

#[tokio::test]
async fn from_a_commit_to_the_first_socket_is_measured_of_events_too() {
    let (pulso, _database) = keyed().await;
    let pulso = pulso.ready().await;
    let mut dashboard = pulso.connect(&Claims::naming(OWNER, &[NEGOCIO])).await;
    dashboard.watch(NEGOCIO).await;
    let sale = json!({ "negocio_id": NEGOCIO, "saleId": 1, "tableId": null, "total": 1, "timestamp": "t" }).to_string();
    let answer = pulso.post_with("/notify/venta", &[("x-committed-at", &at(-1))], &sale).await;
    assert_eq!(answer.json()["clients"], 1, "{answer:?}");
    dashboard.next().await;
    pulso.until_count("pulso_commit_to_socket_seconds_count", 1).await;
    assert_eq!(pulso.count("pulso_notice_to_socket_seconds_count").await, 0, "an event is no notice");
    assert_eq!(pulso.count("pulso_hook_seconds_count{hook=\"/notify/venta\"}").await, 1);
}

#[tokio::test]
async fn what_waits_is_counted_where_it_waits() {
    let (pulso, _database) = keyed().await;
    let pulso = pulso.with("CLOUD_API_KEY", "llave-de-la-nube");
    pulso.migrate().await;
    let pulso = pulso.ready().await;
    let order = json!({ "entity": "order", "id": "1", "payload": { "total": 1 } }).to_string();
    assert_eq!(pulso.post("/notify/sync", &order).await.status, 200);
    pulso.until_count("pulso_outbox_pending", 1).await;
    assert!(pulso.metric("pulso_outbox_oldest_seconds").await < 60.0);

    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let before = pulso.count("pulso_queued_messages_count").await;
    pulso_harness::wait::until(
        async || pulso.count("pulso_queued_messages_count").await > before,
        "a client is looked at once more with a scrape",
    )
    .await;
    let all = pulso.get("/metrics").await.body;
    let nothing_waits = all.lines().find(|line| line.starts_with("pulso_queued_messages_bucket{le=\"0.0\"}")).unwrap();
    let counted = all.lines().find(|line| line.starts_with("pulso_queued_messages_count")).unwrap();
    assert_eq!(nothing_waits.rsplit(' ').next(), counted.rsplit(' ').next(), "nobody has to wait");
    assert_eq!(pulso.count("pulso_fanout_waiting").await, 0);
    let sale = json!({ "negocio_id": NEGOCIO, "saleId": 1, "tableId": null, "total": 1, "timestamp": "t" }).to_string();
    assert_eq!(pulso.post("/notify/venta", &sale).await.status, 200);
    pulso_harness::wait::until(async || pulso.count("pulso_history_bytes").await > 0, "an event is kept").await;
}

#[tokio::test]
async fn the_process_is_counted_as_the_system_counts_it() {
    let (pulso, _database) = open().await;
    let cpu = pulso.metric("process_cpu_seconds_total").await;
    let system = pulso.cpu_time().as_secs_f64();
    assert!(cpu > 0.0 && cpu <= system + 0.5, "{cpu} of {system}");
    assert!(pulso.metric("process_resident_memory_bytes").await > 1e6);
    let open = pulso.metric("process_open_fds").await;
    assert!(open > 5.0 && open <= pulso.metric("process_max_fds").await, "{open}");
    let started = pulso.metric("process_start_time_seconds").await;
    #[expect(clippy::cast_precision_loss, reason = "some seconds are enough")]
    let age = pulso_harness::token::now() as f64 - started;
    assert!((-2.0..120.0).contains(&age), "{age}");
    let build = format!("pulso_build_info{{version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(pulso.get("/metrics").await.body.contains(&build));
}

#[tokio::test]
async fn nothing_that_a_peer_sent_is_a_label_and_no_secret_is_told_to_anybody() {
    let stage = Stage::open().await;
    let pulso = &stage.running;
    let token = owner().sign(SECRET);
    let _dashboard = pulso.connect(&owner()).await;
    assert_eq!(pulso.get(&format!("/{token}")).await.status, 404);
    assert_eq!(pulso.get(&format!("/ws/{token}?token={token}")).await.status, 404);
    stage.call("/notify/order/new", &new_order(RESTAURANT, "o-1").to_string()).await;
    let said = pulso.get("/metrics").await.body;
    for named in [OWNER, NEGOCIO, RESTAURANT] {
        assert!(!said.contains(named), "{named}");
    }
    let url = stage.database.url();
    for secret in [&token, "a-key-for-the-hooks", SECRET, &url, "FROM citas", "FROM negocios"] {
        assert!(!said.contains(secret) && !pulso.has_logged(secret), "{secret}");
    }
}
