//! Socket.IO, namespace `/sync`, and `/sync/pull-changes`: what a restaurant's own back end is told, and what it pulls.

use serde_json::{Value, json};

use super::peer::Peer;
use super::{CLOUD_KEY, Scene};

impl Scene {
    async fn back_end(&self, name: &str, auth: &Value) -> Peer {
        let mut peer = self.session(name).await;
        peer.say(&format!("40/sync,{auth}")).await;
        peer.packet().await;
        peer
    }

    async fn pull(&self, method: &str, path: &str, headers: &[&str], body: &str) {
        Peer::new(&self.record, "back end", self.pulso.port()).await.ask(method, path, headers, body).await;
    }
}

fn change(entity: &str, id: &str, payload: &str) -> String {
    format!(r#"{{"entity":"{entity}","id":{id},"payload":{payload}}}"#)
}

#[tokio::test]
async fn a_back_end_synchronises_as_it_always_did() {
    let scene = Scene::new("synchronisation", &[]).await;
    let key = format!("authorization: Bearer {CLOUD_KEY}");
    let by_other_header = format!("x-api-key: {CLOUD_KEY}");
    let json_body = "content-type: application/json";
    scene.title("Nothing is pending");
    let mut back_end = scene.back_end("socket", &json!({ "apiKey": CLOUD_KEY })).await;
    back_end.say(r#"42/sync,["sync:orders"]"#).await;
    back_end.packet().await;
    scene.pull("GET", "/sync/pull-changes", &[&key], "").await;
    scene.title("Changes are announced");
    scene.call("/notify/sync", &change("order", "\"o-1\"", r#"{"id":"o-1","total": 45.50}"#)).await;
    back_end.packet().await;
    scene.call("/notify/sync", &change("customer", "7", r#"{"name":"ñ","id":7,"version":0}"#)).await;
    back_end.packet().await;
    scene.call("/notify/sync", &change("order", "\"o-1\"", r#"{"total": 46}"#)).await;
    back_end.packet().await;
    back_end.say(r#"42/sync,["sync:orders"]"#).await;
    back_end.packet().await;
    scene.title("They are pulled");
    scene.pull("GET", "/sync/pull-changes", &[&by_other_header], "").await;
    scene
        .pull(
            "POST",
            "/api/sync/pull-changes",
            &[&key, json_body],
            r#"{"confirmedOrders":[{"orderId":"o-1","version":2}]}"#,
        )
        .await;
    scene.title("Who comes while something is pending");
    let mut second = scene.back_end("second", &json!({ "apiKey": CLOUD_KEY })).await;
    second.packet().await;
    scene.title("They are confirmed");
    scene
        .pull(
            "POST",
            "/sync/pull-changes/",
            &[&key, json_body],
            r#"{"confirmedOrders":["o-1"],"confirmedCustomerIds":[{"id":"7","version":2}]}"#,
        )
        .await;
    scene.title("Refusals of pulls");
    for (method, headers, body) in [
        ("GET", vec![], ""),
        ("GET", vec!["x-api-key: wrong"], ""),
        ("PUT", vec![key.as_str()], ""),
        ("POST", vec![key.as_str()], "{}"),
        ("POST", vec![key.as_str(), json_body], "[]"),
        ("POST", vec![key.as_str(), json_body], r#"{"confirmedOrders":{}}"#),
        ("POST", vec![key.as_str(), json_body], r#"{"confirmedOrders":[{"id":"a","orderId":"b"}]}"#),
        ("POST", vec![key.as_str(), json_body], r#"{"confirmedOrders":[{"version":1}]}"#),
        ("POST", vec![key.as_str(), json_body], r#"{"confirmedCustomerIds":[{"id":1,"version":1.0}]}"#),
    ] {
        scene.pull(method, "/sync/pull-changes", &headers, body).await;
    }
    scene.title("Refusals of sockets");
    for auth in [json!({}), json!({ "apiKey": "" }), json!({ "apiKey": 7 }), json!({ "apiKey": "wrong" })] {
        scene.back_end("refused", &auth).await;
    }
    scene.title("A server without a key, and one without the feed");
    let scene = scene.beside(&[("CLOUD_API_KEY", "")]).await;
    scene.pull("GET", "/sync/pull-changes", &[&key], "").await;
    scene.back_end("refused", &json!({ "apiKey": CLOUD_KEY })).await;
    scene.call("/notify/sync", &change("order", "1", "{}")).await;
    let scene = scene.beside(&[("FEEDS", "restaurant")]).await;
    scene.pull("GET", "/sync/pull-changes", &[&key], "").await;
    scene.back_end("refused", &json!({ "apiKey": CLOUD_KEY })).await;
    scene.call("/notify/sync", &change("order", "1", "{}")).await;
    scene.record.compare();
}
