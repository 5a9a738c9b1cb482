//! What the tests of the feeds share: servers that are set up for them, and devices in their databases.

use pulso_harness::{Answer, Claims, Database, Pulso, Running, SECRET, Scratch};
use serde_json::json;

use crate::business::{self, pulso};

/// Live queries of the appointments, for every database: `abiertas`, and `cocina` for a business.
pub const QUERIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/live_queries/folder");

/// On a database of its own with the two businesses; the hooks have their key.
pub async fn configured() -> (Pulso, Database) {
    let database = business::database().await;
    (pulso(&database.url()).with_hook_key().with("QUERIES_DIR", QUERIES), database)
}

/// As [`configured`], ready.
pub async fn open() -> (Running, Database) {
    let (pulso, database) = configured().await;
    (pulso.ready().await, database)
}

/// `path` with a token for `claims`.
pub fn signed(path: &str, claims: &Claims) -> String {
    format!("{path}?token={}", claims.sign(SECRET))
}

/// A file that holds a query, in a directory that goes with it.
pub fn query_file(sql: &str) -> (String, Scratch) {
    let scratch = Scratch::new();
    let path = scratch.write("query.sql", sql);
    (path.display().to_string(), scratch)
}

/// Fails unless a hook's call was handed to exactly so many.
pub fn assert_reached(answer: &Answer, clients: usize) {
    assert_eq!((answer.status, answer.json()), (200, json!({ "ok": true, "clients": clients })), "{answer:?}");
}

/// Fails unless a call was refused, in words that begin so.
pub fn assert_refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{message}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    let said = answer.json();
    assert!(said["error"].is_string(), "{answer:?}");
    assert!(said["message"].as_str().is_some_and(|said| said.starts_with(message)), "{message}: {answer:?}");
}
