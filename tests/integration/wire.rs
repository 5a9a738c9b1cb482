//! Every byte that clients are given, on each feed and transport: a fixed script is played to the real server, and all
//! that comes back is what it was when the transcripts in `wire/` were written.
//!
//! Bytes that change on purpose are written anew with `RENEW_TRANSCRIPTS=1`, which fails, and are then to be looked at.
//! Left out are pings of Engine.IO, whose moment nobody knows, and the empty Close that some of its sessions end with.

mod clinic;
mod endings;
mod hooks;
mod peer;
mod placeholders;
mod plain;
mod record;
mod restaurant;
mod streams;
mod sync;
mod troubles;

use std::time::Duration;

use pulso_harness::{Claims, HOOK_KEY, Pulso, Running};
use serde_json::json;

use crate::backend::Prepared;
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OWNER, pulso};
use crate::feeds::QUERIES;
use peer::Peer;
use record::Record;

/// Moments are told to the millisecond: no two calls are of the same one.
const A_MOMENT: Duration = Duration::from_millis(2);
/// The key of the one back end that synchronises.
const CLOUD_KEY: &str = "a-cloud-key-for-transcripts";
const IPAD: &str = "d-101";
const OTHER_IPAD: &str = "d-102";

/// A server, and the record of what is said with it.
struct Scene {
    record: Record,
    pulso: Running,
    database: Prepared,
}

/// A server with everything that feeds need, on a database whose own ids and versions are the same in every run.
async fn server() -> (Pulso, Prepared) {
    let database = Prepared::sqlite().await.with_schema().await;
    let tables = format!(
        "CREATE TABLE devices (id integer PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active integer NOT NULL);
         INSERT INTO devices VALUES (101, '{IPAD}', 1), (102, '{OTHER_IPAD}', 1), (103, 'd-103', 0);
         INSERT INTO negocios (id, admin_negocio_id, nombre)
         VALUES ('{NEGOCIO}', '{OWNER}', 'Barbería'), ('{OTHER_NEGOCIO}', 'otra', 'Clínica')"
    );
    database.execute(&tables).await;
    let pulso = pulso(&database.url()).with_hook_key().with("CLOUD_API_KEY", CLOUD_KEY).with("QUERIES_DIR", QUERIES);
    pulso.migrate().await;
    (pulso, database)
}

impl Scene {
    /// `transcript`: its name. `settings`: beside the defaults.
    async fn new(transcript: &'static str, settings: &[(&str, &str)]) -> Self {
        let (pulso, database) = server().await;
        let pulso = settings.iter().fold(pulso, |pulso, (name, value)| pulso.with(name, value));
        Self { record: Record::of(transcript), pulso: pulso.ready().await, database }
    }

    /// Another server with the same record.
    async fn beside(&self, settings: &[(&str, &str)]) -> Self {
        let (pulso, database) = server().await;
        let pulso = settings.iter().fold(pulso, |pulso, (name, value)| pulso.with(name, value));
        self.record.of_another_server();
        Self { record: self.record.clone(), pulso: pulso.ready().await, database }
    }

    fn title(&self, text: &str) {
        self.record.title(text);
    }

    /// `path` with a token, which the record calls `name`.
    fn signed(&self, path: &str, name: &str, claims: &Claims) -> String {
        format!("{path}?token={}", self.record.token(name, claims))
    }

    /// A WebSocket, or the answer that refuses it.
    async fn socket(&self, name: &str, path: &str) -> Peer {
        Peer::upgrade(&self.record, name, self.pulso.port(), path, &[]).await
    }

    /// A stream of server-sent events, or the answer that refuses it.
    async fn stream(&self, name: &str, path: &str, headers: &[&str]) -> Peer {
        Peer::stream(&self.record, name, self.pulso.port(), path, headers).await
    }

    /// A hook's call by who has the key; the answer's body.
    async fn call(&self, path: &str, body: &str) -> String {
        self.call_with(path, &[], body).await
    }

    async fn call_with(&self, path: &str, headers: &[&str], body: &str) -> String {
        tokio::time::sleep(A_MOMENT).await;
        let key = format!("x-api-key: {HOOK_KEY}");
        let headers = [&["content-type: application/json", &key], headers].concat();
        Peer::new(&self.record, "api", self.pulso.port()).await.ask("POST", path, &headers, body).await
    }

    /// Waits until so many subscriptions are held: some are granted without a word.
    async fn until_subscribed(&self, count: u64) {
        self.pulso.until_count("pulso_subscriptions", count).await;
    }
}

fn owner() -> Claims {
    Claims::user(OWNER)
}

fn cashier() -> Claims {
    Claims::user("cajera").with("negocio_id", json!(NEGOCIO))
}

fn nurse() -> Claims {
    Claims::user("enfermera").with("role", json!("STAFF"))
}

fn table(number: u64) -> String {
    format!(r#"{{"negocio_id":"{NEGOCIO}","tableId":{number},"action":"status_changed","status": "occupied"}}"#)
}

fn published(name: &str, data: &str) -> String {
    format!(r#"{{"channel":"canal:{NEGOCIO}:{name}","type":"turno:abierto","data":{data}}}"#)
}

fn new_order(number: u64) -> String {
    format!(
        r#"{{"order_id":{number},"room_code":"101","device_uid":"{IPAD}","placed_at":"2025-01-15T14:30:00.000Z","nota":"x"}}"#
    )
}

fn order_status(number: u64) -> String {
    format!(
        r#"{{"device_uid":"{IPAD}","order_id":{number},"status":"READY","from_status":"PREPARING","changed_at":"2025-01-15T14:35:00.000Z"}}"#
    )
}
