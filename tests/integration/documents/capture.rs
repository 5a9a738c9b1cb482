//! What is captured on the wire, to be held against `docs/asyncapi.yaml`: clients whose frames are recorded, and what happens
//! for them to hear.
//!
//! Must not know the frames.

use pulso_harness::process::run;
use pulso_harness::script::{installed, python_tool};
use pulso_harness::wait::LIMIT;
use pulso_harness::{Claims, Closed, Dashboard, Pulso, Running, Scratch};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{KEY, document, on_sqlite};

pub(super) const DEVICE: &str = "ipad-room-101";

/// What went in and out, as `asyncapi_check.py` reads it.
#[derive(Default)]
pub(super) struct Record(Vec<Value>);

impl Record {
    fn add(&mut self, channel: &str, direction: &str, frame: &Value) {
        self.0.push(json!({ "channel": channel, "direction": direction, "frame": frame }));
    }

    pub(super) fn add_event(&mut self, channel: &str, direction: &str, event: &str, frame: &Value) {
        self.0.push(json!({ "channel": channel, "direction": direction, "event": event, "frame": frame }));
    }

    /// Fails unless each frame is described, and every message of the channels is among them.
    pub(super) fn check(&self, channels: &str) {
        let scratch = Scratch::new();
        let lines: Vec<String> = self.0.iter().map(Value::to_string).collect();
        let frames = scratch.write("frames.jsonl", &lines.join("\n"));
        installed("node_modules/@asyncapi/specs");
        let mut check = python_tool("python");
        check.arg(installed("asyncapi_check.py")).arg(document("asyncapi.yaml")).arg(frames);
        check.args(["--require", channels]);
        run(&mut check, "asyncapi_check.py");
    }
}

/// A plain WebSocket client whose frames are recorded.
pub(super) struct Client<'a> {
    channel: &'static str,
    socket: Dashboard,
    record: &'a mut Record,
}

impl<'a> Client<'a> {
    pub(super) async fn connect(running: &Running, channel: &'static str, path: &str, record: &'a mut Record) -> Self {
        Self { channel, socket: Dashboard::connect(running.port(), path, &[]).await, record }
    }

    /// Sends what the document describes and reads the answer, of the types given.
    pub(super) async fn say(&mut self, frame: Value, answered: &[&str]) {
        self.socket.send(&frame).await;
        self.record.add(self.channel, "in", &frame);
        self.hear(answered).await;
    }

    /// Sends what the document must not describe; the server says so as well.
    pub(super) async fn say_wrongly(&mut self, text: &str) {
        self.record.0.push(json!({ "channel": self.channel, "direction": "in", "frame": text, "bad": true }));
        self.socket.send_text(text).await;
        self.hear(&["error"]).await;
    }

    /// Hears frames of these types; the last of them.
    pub(super) async fn hear(&mut self, types: &[&str]) -> Value {
        let mut last = Value::Null;
        for wanted in types {
            last = self.socket.next().await;
            assert_eq!(last["type"], *wanted, "{last}");
            self.record.add(self.channel, "out", &last);
        }
        last
    }

    pub(super) async fn closed(&mut self) -> Closed {
        self.socket.closed().await
    }
}

/// A stream of server-sent events.
pub(super) struct Stream {
    channel: &'static str,
    lines: BufReader<TcpStream>,
}

impl Stream {
    pub(super) async fn open(running: &Running, query: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", running.port())).await.unwrap();
        let request = format!("GET /sse?{query} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let channel = if query.starts_with("v=2") { "stream2" } else { "stream" };
        let mut stream = Self { channel, lines: BufReader::new(stream) };
        assert_eq!(stream.line().await, "HTTP/1.1 200 OK");
        stream
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(LIMIT, self.lines.read_line(&mut line)).await.expect("a line in time").unwrap();
        assert!(read > 0, "the stream ended");
        line.trim_end().to_owned()
    }

    /// Records events of these names; what is not named is told by its type.
    pub(super) async fn hear(&mut self, record: &mut Record, wanted: &[&str]) {
        for wanted in wanted {
            let mut event = String::new();
            // The sizes of chunks and the ids are passed over.
            let data = loop {
                let line = self.line().await;
                if let Some(name) = line.strip_prefix("event: ") {
                    name.clone_into(&mut event);
                } else if let Some(data) = line.strip_prefix("data: ") {
                    break serde_json::from_str::<Value>(data).unwrap();
                }
            };
            if event.is_empty() {
                assert_eq!(data["type"], **wanted, "{data}");
                record.add(self.channel, "out", &data);
            } else {
                assert_eq!(event, *wanted, "{data}");
                record.add_event(self.channel, "out", &event, &data);
            }
        }
    }
}

/// With every feed configured, and rights that are looked at again quickly.
pub(super) async fn everything() -> (Running, Scratch) {
    let (pulso, scratch) = on_sqlite().await;
    let pulso = pulso.with("NOTIFY_API_KEY", KEY).with("CLOUD_API_KEY", KEY);
    (recheck(pulso).ready().await, scratch)
}

fn recheck(pulso: Pulso) -> Pulso {
    pulso.with("ACCESS_RECHECK", "100ms").with("ACCESS_CACHE", "0").with("NOTIFY_CITA_OPEN", "true")
}

pub(super) async fn call(running: &Running, path: &str, body: &Value) {
    let head = format!("POST {path} HTTP/1.1\nX-API-Key: {KEY}\nContent-Type: application/json");
    let answer = running.exchange(&head, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
}

pub(super) async fn sell(running: &Running) {
    let sale = json!({ "negocio_id": "n1", "saleId": 1, "tableId": null, "total": "4.50", "timestamp": "t", "tip": 1 });
    call(running, "/notify/venta", &sale).await;
    call(running, "/notify/producto", &json!({ "negocio_id": "n1", "productId": "p", "action": "a" })).await;
    call(running, "/notify/promocion", &json!({ "negocio_id": "n1", "promotionId": 2, "action": "a" })).await;
    call(running, "/notify/mesa", &json!({ "negocio_id": "n1", "tableId": 3, "action": "a", "status": "s" })).await;
}

pub(super) async fn publish(running: &Running) {
    let message = json!({ "channel": "canal:n1:caja", "type": "turno:abierto", "data": { "por": "Ana" } });
    call(running, "/api/publish", &message).await;
}

pub(super) async fn order(running: &Running) {
    let order = json!({ "order_id": 1, "device_uid": DEVICE, "placed_at": "t" });
    call(running, "/notify/pedido", &order).await;
    let change = json!({
        "order_id": 1, "device_id": 7, "status": "READY", "from_status": "PREPARING", "changed_at": "t",
    });
    call(running, "/notify/pedido/estado", &change).await;
}

/// Takes the first business away from its owner.
pub(super) async fn withdraw(scratch: &Scratch) {
    let file = scratch.path().join("citas.db");
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let withdrawn = "UPDATE negocios SET admin_negocio_id = 'luis' WHERE id = 'n1'";
    sqlx::raw_sql(withdrawn).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

pub(super) const SALES: [&str; 4] = ["newSale", "updateProduct", "updatePromotion", "updateTable"];

/// What is heard of [`cook`].
pub(super) const ORDERS: [&str; 4] =
    ["order.new", "order.status.changed", "order.status.changed", "order.item.status.changed"];

/// An order of a restaurant, and what becomes of it.
pub(super) async fn cook(running: &Running) {
    let change = json!({ "orderId": 1, "itemId": 2, "restaurantId": "r-1", "newStatus": "READY", "by": "Ana" });
    let order = json!({
        "orderId": 1, "restaurantId": "r-1", "tableSessionId": 3, "status": "CONFIRMED", "createdAt": "t", "items": [],
    });
    call(running, "/notify/order/new", &order).await;
    call(running, "/notify/order/status", &change).await;
    call(running, "/notify/order/item-status", &change).await;
}

/// What no client may say in either version.
pub(super) const WRONG: [&str; 10] = [
    "",
    "[]",
    "{\"type\":\"ping\"",
    "{}",
    r#"{"type":"stats"}"#,
    r#"{"type":"subscribe"}"#,
    r#"{"type":"subscribe","channel":"ventas:1"}"#,
    r#"{"type":"subscribe","channel":"canal:n1"}"#,
    r#"{"type":"subscribe","data":{"channel":7}}"#,
    r#"{"type":"auth"}"#,
];

pub(super) fn staff() -> Claims {
    Claims::empty().with("role", json!("STAFF")).expiring_in(3_600)
}
