//! Every frame that is captured on the wire is one that `docs/asyncapi.yaml` describes, and every message there occurs.

use pulso::model::CloseReason;
use pulso_harness::process::run;
use pulso_harness::script::{installed, python_tool};
use pulso_harness::wait::LIMIT;
use pulso_harness::{Claims, Dashboard, Pulso, Running, SECRET, Scratch, Script};
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

    fn add_event(&mut self, channel: &str, direction: &str, event: &str, frame: &Value) {
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

    pub(super) async fn hear(&mut self, types: &[&str]) {
        for wanted in types {
            let frame = self.socket.next().await;
            assert_eq!(frame["type"], *wanted, "{frame}");
            self.record.add(self.channel, "out", &frame);
        }
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

fn owner() -> String {
    Claims::user("ana").sign(SECRET)
}

fn staff() -> String {
    Claims::empty().with("role", json!("STAFF")).expiring_in(3_600).sign(SECRET)
}

#[tokio::test]
async fn every_frame_is_one_that_asyncapi_describes_and_every_message_occurs() {
    let (running, _scratch) = everything().await;
    let mut record = Record::default();
    let mut client = Client::connect(&running, "ws", "/ws", &mut record).await;
    let channel = "estadisticas:n1";
    client.say(json!({ "type": "ping" }), &["error"]).await;
    client.say(json!({ "type": "auth", "token": "not.a.token" }), &["error"]).await;
    client.say(json!({ "type": "auth", "token": owner() }), &[]).await;
    client.say(json!({ "type": "auth", "data": { "token": owner() } }), &[]).await;
    client.say(json!({ "type": "ping" }), &["pong"]).await;
    client.say(json!({ "type": "subscribe", "data": { "channel": channel } }), &["stats"]).await;
    client.say(json!({ "type": "subscribe", "channel": channel }), &["stats"]).await;
    assert_eq!(running.notify("n1").await.status, 200);
    client.hear(&["stats"]).await;
    client.say(json!({ "type": "subscribe", "data": { "channel": "estadisticas:n2" } }), &["error"]).await;
    for live in ["consulta:abiertas", "consulta:cocina:n1"] {
        client.say(json!({ "type": "subscribe", "channel": live }), &["consulta"]).await;
    }
    client.say(json!({ "type": "subscribe", "channel": "consulta:nada" }), &["error"]).await;
    client.say(json!({ "type": "unsubscribe", "data": { "channel": channel } }), &[]).await;
    client.say(json!({ "type": "unsubscribe", "channel": channel }), &[]).await;
    for wrong in [
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
    ] {
        client.say_wrongly(wrong).await;
    }
    client.say(json!({ "type": "auth", "token": Claims::user("luis").sign(SECRET) }), &[]).await;
    let closed = client.socket.closed().await;
    assert_eq!((closed.code, closed.reason.as_str()), (4001, CloseReason::AnotherUser.text()));

    let token = Claims::naming("ana", &["n1"]).sign(SECRET);
    for since in ["", "&since="] {
        let mut shop = Client::connect(&running, "ws", &format!("/ws?token={token}{since}"), &mut record).await;
        shop.say(json!({ "type": "subscribe", "channel": "canal:n1:caja" }), &[]).await;
        shop.say(json!({ "type": "ping" }), &["pong"]).await;
        sell(&running).await;
        publish(&running).await;
        shop.hear(&SALES).await;
        shop.hear(&["turno:abierto"]).await;
        let with_ids = shop.record.0.last().unwrap()["frame"]["id"].is_string();
        assert_eq!(with_ids, !since.is_empty());
    }
    let mut late = Client::connect(&running, "ws", &format!("/ws?token={token}&since=1"), &mut record).await;
    late.hear(&["resync"]).await;
    record.check("ws");
}

#[tokio::test]
async fn every_frame_of_the_clinic_is_one_that_asyncapi_describes() {
    let (running, _scratch) = everything().await;
    let mut record = Record::default();
    for since in ["", "&since="] {
        let mut client =
            Client::connect(&running, "staff", &format!("/ws/staff/orders/?token={}{since}", staff()), &mut record)
                .await;
        client.say(json!({ "type": "ping" }), &["pong"]).await;
        order(&running).await;
        client.hear(&["new_order"]).await;
        let path = format!("/ws/kiosk/orders/?device_uid={DEVICE}{since}");
        let mut client = Client::connect(&running, "kiosk", &path, &mut record).await;
        client.say(json!({ "type": "ping" }), &["pong"]).await;
        order(&running).await;
        client.hear(&["order_status_changed"]).await;
    }
    let path = format!("/ws/staff/orders/?token={}&since=1", staff());
    Client::connect(&running, "staff", &path, &mut record).await.hear(&["resync"]).await;
    let path = format!("/ws/kiosk/orders/?device_uid={DEVICE}&since=1");
    Client::connect(&running, "kiosk", &path, &mut record).await.hear(&["resync"]).await;
    record.check("staff,kiosk");
}

#[tokio::test]
async fn every_event_of_a_stream_is_one_that_asyncapi_describes() {
    let (running, scratch) = everything().await;
    let mut record = Record::default();
    let (token, shop) = (owner(), Claims::naming("ana", &["n1"]).sign(SECRET));
    let mut stats = Stream::open(&running, &format!("channel=estadisticas:n1&token={token}")).await;
    stats.hear(&mut record, &["stats"]).await;
    let mut live = Stream::open(&running, &format!("channel=consulta:cocina:n1&token={token}")).await;
    live.hear(&mut record, &["consulta"]).await;
    let mut sales = Stream::open(&running, &format!("channel=negocio:n1&token={shop}")).await;
    let mut own = Stream::open(&running, &format!("channel=canal:n1:caja&token={shop}")).await;
    let mut orders = Stream::open(&running, &format!("channel=staff_orders&token={}", staff())).await;
    let mut kiosk = Stream::open(&running, &format!("channel=device&device_uid={DEVICE}")).await;
    for stream in [&mut sales, &mut own, &mut orders, &mut kiosk] {
        stream.hear(&mut record, &["resync"]).await;
    }
    sell(&running).await;
    sales.hear(&mut record, &SALES).await;
    publish(&running).await;
    own.hear(&mut record, &["turno:abierto"]).await;
    order(&running).await;
    orders.hear(&mut record, &["new_order"]).await;
    kiosk.hear(&mut record, &["order_status_changed"]).await;
    call(&running, "/api/disconnect", &json!({ "device_uid": DEVICE })).await;
    kiosk.hear(&mut record, &["close"]).await;

    withdraw(&scratch).await;
    stats.hear(&mut record, &["error"]).await;
    record.check("stream");
}

/// Records the next events of a Socket.IO client, by their names.
async fn hear(script: &mut Script, record: &mut Record, channel: &str, names: &[&str]) {
    for wanted in names {
        let mut said = script.until("message").await;
        // What is stored while a back end connects may be announced twice.
        while said["name"] == "changes:pending" && *wanted != "changes:pending" {
            said = script.until("message").await;
        }
        assert_eq!(said["name"], *wanted, "{said}");
        record.add_event(channel, "out", wanted, &said["args"]);
    }
}

#[tokio::test]
async fn every_event_of_socket_io_is_one_that_asyncapi_describes() {
    let (running, _scratch) = everything().await;
    let mut record = Record::default();
    let url = format!("http://127.0.0.1:{}/", running.port());
    let token = Claims::user("w1").with("restaurantId", json!("r-1")).sign(SECRET);
    let auth = json!({ "token": token }).to_string();
    let change = json!({ "orderId": 1, "itemId": 2, "restaurantId": "r-1", "newStatus": "READY", "by": "Ana" });
    let order = json!({
        "orderId": 1, "restaurantId": "r-1", "tableSessionId": 3, "status": "CONFIRMED", "createdAt": "t", "items": [],
    });
    for since in [None, Some("1")] {
        let mut arguments = vec!["--url", &url, "--auth", &auth];
        arguments.extend(since.iter().flat_map(|since| ["--since", since]));
        let mut kitchen = Script::node("socketio_client.mjs", &arguments);
        kitchen.until("connect").await;
        if since.is_some() {
            hear(&mut kitchen, &mut record, "restaurant", &["resync"]).await;
        }
        call(&running, "/notify/order/new", &order).await;
        call(&running, "/notify/order/status", &change).await;
        call(&running, "/notify/order/item-status", &change).await;
        let names = ["order.new", "order.status.changed", "order.status.changed", "order.item.status.changed"];
        hear(&mut kitchen, &mut record, "restaurant", &names).await;
    }

    let (url, auth) = (format!("{url}sync"), json!({ "apiKey": KEY }).to_string());
    let mut back_end = Script::node("socketio_client.mjs", &["--url", &url, "--auth", &auth]);
    back_end.until("connect").await;
    call(&running, "/notify/sync", &json!({ "entity": "order", "id": 7, "payload": { "total": 1.50 } })).await;
    hear(&mut back_end, &mut record, "sync", &["changes:pending"]).await;
    record.add_event("sync", "in", "sync:orders", &json!([]));
    back_end.ask(&json!({ "emit": "sync:orders" })).await;
    hear(&mut back_end, &mut record, "sync", &["orders:pending"]).await;
    record.check("restaurant,sync");
}
