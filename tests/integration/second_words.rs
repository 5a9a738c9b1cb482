//! The second version of the words, asked for by `v=2`: what each frame says, of what, and when.

mod answers;
mod breaches;
mod expiring;
mod hello;
mod model;
mod page;
mod queries;
mod slow_readers;
mod socket;
mod socket_cuts;
mod socket_endings;
mod socket_feeds;
mod stream;
mod stream_cuts;
mod stream_ends;
mod tables;

use pulso_harness::{Claims, Running, SECRET, Script};
use serde_json::{Value, json};

use crate::business::NEGOCIO;

/// A client that is not ours: Python's `websockets`.
struct Foreign(Script);

impl Foreign {
    /// Connects to `path`, the query included.
    fn dial(pulso: &Running, path: &str) -> Self {
        Self(Script::python("words_client.py", &[&format!("ws://127.0.0.1:{}{path}", pulso.port())]))
    }

    /// As [`Self::dial`]; panics when refused.
    async fn connect(pulso: &Running, path: &str) -> Self {
        let mut client = Self::dial(pulso, path);
        let line = client.0.next().await;
        assert_eq!(line["event"], "open", "{path}: {line}");
        client
    }

    /// The status of a refusal before the upgrade.
    async fn refused(pulso: &Running, path: &str) -> u64 {
        let line = Self::dial(pulso, path).0.next().await;
        assert_eq!(line["event"], "refused", "{path}: {line}");
        line["status"].as_u64().unwrap()
    }

    fn say(&mut self, message: &Value) {
        self.say_text(&message.to_string());
    }

    fn say_text(&mut self, text: &str) {
        self.0.say(&json!({ "say": text }));
    }

    /// The next frame, to the letter.
    async fn text(&mut self) -> String {
        let line = self.0.next().await;
        assert_eq!(line["event"], "frame", "{line}");
        line["text"].as_str().unwrap().to_owned()
    }

    async fn frame(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The next frame, which must be of this type.
    async fn hear(&mut self, kind: &str) -> Value {
        let frame = self.frame().await;
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// Says something and hears the answer, which must be of this type.
    async fn ask(&mut self, message: &Value, kind: &str) -> Value {
        self.say(message);
        self.hear(kind).await
    }

    /// The code and the reason by which it is closed; nothing comes before.
    async fn closed(&mut self) -> (u64, String) {
        let line = self.0.next().await;
        assert_eq!(line["event"], "close", "{line}");
        (line["code"].as_u64().unwrap(), line["reason"].as_str().unwrap().to_owned())
    }

    /// Proves that nothing has come in between.
    async fn ping(&mut self) {
        assert_eq!(self.ask(&json!({ "type": "ping" }), "pong").await, json!({ "type": "pong" }));
    }
}

/// The second version at `path`, with a token for `claims`.
fn signed(path: &str, claims: &Claims) -> String {
    format!("{path}?v=2&token={}", claims.sign(SECRET))
}

fn cashier() -> Claims {
    Claims::user("cajera").with("negocio_id", json!(NEGOCIO))
}

fn nurse() -> Claims {
    Claims::empty().with("role", json!("STAFF")).expiring_in(3_600)
}

fn waiter() -> Claims {
    Claims::empty().with("restaurantId", json!("r-1")).expiring_in(3_600)
}

fn subscribe(channel: &str) -> Value {
    json!({ "type": "subscribe", "channel": channel })
}

/// An id of what was published, or a position.
fn id(frame: &Value) -> u64 {
    frame["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no id: {frame}"))
}

/// Fails unless a frame has these keys and no others.
fn assert_keys(frame: &Value, keys: &[&str]) {
    let mut has: Vec<&str> = frame.as_object().unwrap().keys().map(String::as_str).collect();
    let mut wanted = keys.to_vec();
    has.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(has, wanted, "{frame}");
}
