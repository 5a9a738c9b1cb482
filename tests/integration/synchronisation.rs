//! Order synchronisation over Socket.IO: whose key it is, what is announced and how often, and the pending orders.

use std::time::Duration;

use pulso_harness::{Claims, Packets, Pulso, Running, SECRET, Scratch, Script};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::business::pulso;
use crate::restaurant::{KEY, call};

const ONE: &str = "a-cloud-key-of-the-first";
const TWO: &str = "a-cloud-key-of-the-second";
const PENDING: &str = r#"42/sync,["changes:pending"]"#;

/// The server on a database of its own, which has the tables once they are migrated.
struct Cloud {
    _files: Scratch,
    pulso: Pulso,
}

impl Cloud {
    fn bare(keys: &str) -> Self {
        let files = Scratch::new();
        let database = files.write("pulso.db", "");
        let pulso = pulso(&format!("sqlite://{}", database.display()));
        let pulso = pulso.with("NOTIFY_API_KEY", KEY).with("FEEDS", "restaurant,sync");
        let variable = if keys.contains(':') { "CLOUD_API_KEYS" } else { "CLOUD_API_KEY" };
        Self { _files: files, pulso: pulso.with(variable, keys) }
    }

    fn new(keys: &str) -> Self {
        let cloud = Self::bare(keys);
        cloud.migrate();
        cloud
    }

    fn migrate(&self) {
        let migrated = self.pulso.command(&["migrate"]).output().unwrap();
        assert!(migrated.status.success(), "{migrated:?}");
    }
}

async fn change(running: &Running, tenant: Option<&str>, entity: &str, id: &str) {
    let tenant = tenant.map(|tenant| format!(r#","tenant":"{tenant}""#)).unwrap_or_default();
    let body = format!(r#"{{"entity":"{entity}","id":"{id}","payload":{{"id":"{id}","total":45.50}}{tenant}}}"#);
    let answer = call(running, "/notify/sync", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn connect(packets: &mut Packets, auth: &Value) -> String {
    packets.say(&format!("40/sync,{auth}")).await;
    packets.expect().await
}

async fn back_end(running: &Running, key: &str) -> Packets {
    let mut packets = Packets::open(running.port(), &[]).await;
    let answer = connect(&mut packets, &json!({ "apiKey": key })).await;
    assert!(answer.starts_with("40/sync,{"), "{answer}");
    packets
}

async fn pull(running: &Running, key: &str, confirmed: &str) -> Value {
    let head = format!("POST /sync/pull-changes HTTP/1.1\ncontent-type: application/json\nauthorization: Bearer {key}");
    let answer = running.exchange(&head, confirmed).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn who_has_no_key_is_told_so_in_the_words_of_the_contract() {
    let cloud = Cloud::new(ONE);
    let running = cloud.pulso.start().await;
    let token = Claims::empty().with("restaurantId", json!("r-1")).expiring_in(60).sign(SECRET);
    for (auth, message) in [
        (json!({}), "API key required"),
        (json!({ "apiKey": "" }), "API key required"),
        (json!({ "apiKey": null }), "API key required"),
        (json!({ "token": token }), "API key required"),
        (json!({ "apiKey": "wrong" }), "Invalid API key"),
        (json!({ "apiKey": ONE[1..] }), "Invalid API key"),
        (json!({ "apiKey": format!("{ONE} ") }), "Invalid API key"),
        (json!({ "apiKey": [ONE] }), "Invalid API key"),
        (json!({ "apiKey": KEY }), "Invalid API key"),
    ] {
        let mut packets = Packets::open(running.port(), &[]).await;
        assert_eq!(connect(&mut packets, &auth).await, format!(r#"44/sync,{{"message":"{message}"}}"#), "{auth}");
    }
    let unconfigured = cloud.pulso.with("CLOUD_API_KEY", "").start().await;
    let mut packets = Packets::open(unconfigured.port(), &[]).await;
    assert_eq!(connect(&mut packets, &json!({ "apiKey": ONE })).await, r#"44/sync,{"message":"Invalid API key"}"#);
}

#[tokio::test]
async fn what_is_pending_is_announced_on_connecting_and_when_it_changes() {
    let cloud = Cloud::new(ONE);
    let running = cloud.pulso.start().await;
    let mut first = back_end(&running, ONE).await;
    first.expect_silence().await;
    change(&running, None, "order", "o-1").await;
    assert_eq!(first.expect().await, PENDING);
    drop(first);

    let mut second = back_end(&running, ONE).await;
    assert_eq!(second.expect().await, PENDING);
    // Not again, for having been asked.
    second.expect_silence().await;
    assert_eq!(pull(&running, ONE, "").await["pending_orders"][0]["id"], "o-1");
    let pulled = pull(&running, ONE, r#"{"confirmedOrders":["o-1"]}"#).await;
    assert_eq!(pulled["pending_orders"], json!([]), "{pulled}");
    let mut third = back_end(&running, ONE).await;
    third.expect_silence().await;
}

#[tokio::test]
async fn a_burst_is_announced_ten_times_a_second_at_most_and_never_without_its_last() {
    let cloud = Cloud::new(ONE);
    let running = cloud.pulso.start().await;
    let mut back_end = back_end(&running, ONE).await;
    let from = Instant::now();
    let counting = tokio::spawn(async move {
        let mut count = 0;
        // Until nothing has come for a while.
        while let Ok(Some(packet)) = tokio::time::timeout(Duration::from_secs(1), back_end.next()).await {
            assert_eq!(packet, PENDING);
            count += 1;
        }
        (count, back_end)
    });
    for number in 0..40 {
        change(&running, None, "order", &format!("o-{number}")).await;
    }
    let took = from.elapsed();
    let (count, mut back_end) = counting.await.unwrap();
    // One at the beginning, one for every 100 ms, one for what came in the last of them.
    assert!((1..=took.as_millis() / 100 + 2).contains(&count), "{count} in {took:?}");
    // Two in a row, faster than they may be announced: the second is announced when it may be.
    change(&running, None, "customer", "c-1").await;
    assert_eq!(back_end.expect().await, PENDING);
    change(&running, None, "customer", "c-2").await;
    assert_eq!(back_end.expect().await, PENDING);
}

#[tokio::test]
async fn pending_orders_are_told_when_asked_for_and_whatever_else_is_said_is_ignored() {
    let cloud = Cloud::new(ONE);
    let running = cloud.pulso.start().await;
    let mut back_end = back_end(&running, ONE).await;
    back_end.say(r#"42/sync,["sync:orders"]"#).await;
    assert_eq!(back_end.expect().await, r#"42/sync,["orders:pending",{"count":0,"orders":[]}]"#);
    change(&running, None, "order", "o-1").await;
    change(&running, None, "customer", "c-1").await;
    assert_eq!(back_end.expect().await, PENDING);
    for packet in
        [r#"["ping"]"#, r#"["heartbeat",{"at":1}]"#, r#"["orders:pending",{}]"#, r#"["sync:orders",{"tenant":"x"}]"#]
    {
        back_end.say(&format!("42/sync,{packet}")).await;
    }
    let mut answer = back_end.expect().await;
    if answer == PENDING {
        answer = back_end.expect().await;
    }
    let version = answer.rsplit_once(r#""version":"#).unwrap().1.trim_end_matches("}]}]");
    assert_eq!(
        answer,
        format!(
            r#"42/sync,["orders:pending",{{"count":1,"orders":[{{"id":"o-1","total":45.50,"version":{version}}}]}}]"#
        )
    );
}

#[tokio::test]
async fn tenants_hear_of_their_own_changes_only() {
    let cloud = Cloud::new(&format!("uno:{ONE},dos:{TWO}"));
    let running = cloud.pulso.start().await;
    let (mut one, mut two) = (back_end(&running, ONE).await, back_end(&running, TWO).await);
    // Saying whose it is does not make it so.
    let mut liar = Packets::open(running.port(), &[("authorization", &format!("Bearer {ONE}"))]).await;
    connect(&mut liar, &json!({ "apiKey": TWO, "tenant": "uno" })).await;
    change(&running, Some("uno"), "order", "o-1").await;
    assert_eq!(one.expect().await, PENDING);
    two.expect_silence().await;
    for other in [&mut two, &mut liar] {
        other.say(r#"42/sync,["sync:orders",{"tenant":"uno"}]"#).await;
        assert_eq!(other.expect().await, r#"42/sync,["orders:pending",{"count":0,"orders":[]}]"#);
    }
    change(&running, Some("dos"), "order", "o-2").await;
    assert_eq!(two.expect().await, PENDING);
    assert_eq!(liar.expect().await, PENDING);
    one.expect_silence().await;
    let mut back = back_end(&running, TWO).await;
    assert_eq!(back.expect().await, PENDING);
    assert_eq!(pull(&running, ONE, "").await["pending_orders"][0]["id"], "o-1");
}

#[tokio::test]
async fn a_question_is_answered_as_soon_as_it_can_be() {
    let cloud = Cloud::bare(ONE);
    let running = cloud.pulso.start().await;
    let mut back_end = back_end(&running, ONE).await;
    back_end.say(r#"42/sync,["sync:orders"]"#).await;
    back_end.expect_silence().await;
    cloud.migrate();
    assert_eq!(back_end.expect().await, r#"42/sync,["orders:pending",{"count":0,"orders":[]}]"#);
}

#[tokio::test]
async fn one_session_may_hold_both_namespaces_and_lose_one() {
    let cloud = Cloud::new(ONE);
    let running = cloud.pulso.start().await;
    let mut both = back_end(&running, ONE).await;
    let token = Claims::empty().with("restaurantId", json!("r-1")).expiring_in(3_600).sign(SECRET);
    assert!(both.connect(&json!({ "token": token })).await.starts_with("40{"));
    change(&running, None, "order", "o-1").await;
    assert_eq!(both.expect().await, PENDING);
    both.say("41/sync,").await;
    running.until_count("pulso_subscriptions", 1).await;
    let status = r#"{"orderId":"o-1","restaurantId":"r-1","newStatus":"READY"}"#;
    assert_eq!(call(&running, "/notify/order/status", status).await.status, 200);
    assert_eq!(both.expect().await, format!(r#"42["order.status.changed",{status}]"#));
    both.say("41").await;
    both.ended().await;
    running.until_count("pulso_connections", 0).await;
}

#[tokio::test]
async fn real_back_ends_synchronise() {
    let cloud = Cloud::new(ONE);
    let running = cloud.pulso.start().await;
    let (url, auth) = (format!("http://127.0.0.1:{}/sync", running.port()), json!({ "apiKey": ONE }).to_string());
    let mut clients = Vec::new();
    for transports in ["websocket,polling", "polling"] {
        let arguments = ["--url", &url, "--auth", &auth, "--transports", transports];
        clients.push(Script::node("socketio_client.mjs", &arguments));
        clients.push(Script::python("socketio_client.py", &arguments));
    }
    for client in &mut clients {
        client.until("connect").await;
    }
    change(&running, None, "order", "o-1").await;
    for client in &mut clients {
        let message = client.until("message").await;
        assert_eq!((&message["name"], &message["args"]), (&json!("changes:pending"), &json!([])), "{message}");
        client.ask(&json!({ "emit": "sync:orders" })).await;
        let orders = client.until("message").await;
        assert_eq!((&orders["name"], &orders["args"][0]["count"]), (&json!("orders:pending"), &json!(1)), "{orders}");
    }
    for (auth, message) in [("{}", "API key required"), (r#"{"apiKey":"x"}"#, "Invalid API key")] {
        let mut client = Script::node("socketio_client.mjs", &["--url", &url, "--auth", auth]);
        assert_eq!(client.until("connect_error").await["message"], message);
    }
}
