//! `GET /api/nodes` of a node that is alone.

use pulso_harness::HOOK_KEY;
use serde_json::{Value, json};

use crate::business;

#[tokio::test]
async fn a_node_that_is_alone_lists_itself_to_who_has_the_key_and_to_nobody_else() {
    let database = business::database().await;
    let alone = business::pulso(&database.url()).with_hook_key().with("NODE_NAME", "caja").ready().await;
    let head = format!("GET /api/nodes HTTP/1.1\nx-api-key: {HOOK_KEY}");
    let answer = alone.exchange(&head, "").await;
    let said: Value = serde_json::from_str(&answer.body).unwrap();
    let node = &said["nodes"][0];
    assert_eq!((answer.status, &said["log"], &said["nodes"][1]), (200, &Value::Null, &Value::Null));
    assert_eq!((&node["name"], &node["clients"], &node["lag_ms"]), (&json!("caja"), &json!(0), &Value::Null));
    assert!(node["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{node}");
    for (head, status) in [("GET /api/nodes HTTP/1.1", 401), ("POST /api/nodes HTTP/1.1", 405)] {
        assert_eq!(alone.exchange(head, "").await.status, status, "{head}");
    }
}
