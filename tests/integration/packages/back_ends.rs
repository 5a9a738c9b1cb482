//! What every back end on one of our packages does, whatever framework it is written in: it sells in transactions, and
//! tells Pulso of each sale once and in its order, over a line that fails, with a client that is not ours as the witness.

use std::ops::RangeInclusive;
use std::process::Command;

use pulso_harness::process::steady_port;
use pulso_harness::{ChaosProxy, Claims, Database, HOOK_KEY, Running, SECRET, Script, Transcript, http, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::business::{self, NEGOCIO, OTHER_NEGOCIO, citas, owner, pulso};

/// The last sale, told by nobody's package.
const LAST: u64 = 99;

/// The app under test.
struct Shop {
    app: Transcript,
    port: u16,
    pid: Pid,
}

impl Shop {
    async fn open(mut command: Command, line: &ChaosProxy, database: &Database) -> Self {
        let url = format!("http://127.0.0.1:{}", line.port());
        command.env("PULSO_URL", url).env("PULSO_KEY", HOOK_KEY).env("DATABASE_URL", database.url());
        let app = Transcript::of(&command);
        app.until("\"listening\"").await;
        let said = app.objects().remove(0);
        let port = u16::try_from(said["port"].as_u64().unwrap()).unwrap();
        let pid = Pid::from_raw(i32::try_from(said["pid"].as_u64().unwrap()).unwrap()).unwrap();
        Self { app, port, pid }
    }

    async fn post(&self, path: &str, body: &Value) -> u16 {
        let head = format!("POST {path} HTTP/1.1\ncontent-type: application/json");
        http::exchange(self.port, &head, &body.to_string()).await.status
    }

    /// Is answered though nobody may have told Pulso yet.
    async fn sell(&self, numbers: RangeInclusive<u64>) {
        for number in numbers {
            for negocio in [NEGOCIO, OTHER_NEGOCIO] {
                let sale = json!({ "negocio": negocio, "saleId": number, "total": "45.50" });
                assert_eq!(self.post("/ventas", &sale).await, 201, "{number}: {}", self.app.text());
            }
        }
    }

    /// As the platform does that runs it.
    async fn end(mut self) {
        kill_process(self.pid, Signal::TERM).unwrap();
        let code = self.app.ended().await;
        // NestJS ends itself by the same signal, once its hooks are through.
        assert!(matches!(code, Some(0) | None), "{code:?}: {}", self.app.text());
    }
}

/// Of the witness: never the language of the app.
#[derive(Clone, Copy)]
pub enum Library {
    Ws,
    Websockets,
}

/// A screen of the business.
struct Witness {
    script: Script,
    heard: Vec<u64>,
}

impl Witness {
    async fn open(library: Library, port: u16) -> Self {
        let url = format!("ws://127.0.0.1:{port}/ws");
        let token = Claims::user("cajera").with("negocio_id", json!(NEGOCIO)).sign(SECRET);
        let ping = json!({ "type": "ping" }).to_string();
        let arguments = ["--url", &url, "--token", &token, "--send", &ping, "--reconnect", "--timeout-ms", "300000"];
        let more = ["--until", r#"{"saleId":-1}"#];
        let arguments = [&arguments[..], &more[..]].concat();
        let script = match library {
            Library::Ws => Script::node("ws_client.mjs", &arguments),
            Library::Websockets => Script::python("python_client.py", &arguments),
        };
        let mut witness = Self { script, heard: Vec::new() };
        witness.joined().await;
        witness
    }

    /// Waits until it is there: what it asked behind its joining is answered.
    async fn joined(&mut self) {
        while self.frame().await["type"] != "pong" {}
    }

    /// Waits until it has heard of the sale `number`.
    async fn hears(&mut self, number: u64) {
        while self.heard.last() != Some(&number) {
            self.frame().await;
        }
    }

    async fn frame(&mut self) -> Value {
        loop {
            let line = self.script.next().await;
            assert_ne!(line["event"], "failed", "{line}");
            let frame = &line["frame"];
            if frame["type"] == "newSale" {
                self.heard.push(frame["data"]["saleId"].as_u64().unwrap());
            }
            if line["event"] == "frame" {
                return frame.clone();
            }
        }
    }
}

/// Sells through a line that fails in every way, and a Pulso that is started again.
pub async fn tells_everything_once_and_in_order(app: Command, library: Library) {
    let database = business::database().await;
    database.execute("CREATE TABLE ventas (id int, negocio_id text, total numeric(10, 2) CHECK (total >= 0))").await;
    // With its tables Pulso knows after a restart which calls it has answered.
    let pulso = pulso(&database.url()).with_hook_key().with("CLOUD_API_KEY", "the-key-of-a-back-end");
    let pulso = pulso.with("PORT", &steady_port().to_string()).with("SHUTDOWN_GRACE", "3s");
    pulso.migrate().await;
    let running = pulso.ready().await;
    let port = running.port();
    let line = ChaosProxy::start(port).await;
    let shop = Shop::open(app, &line, &database).await;
    let mut witness = Witness::open(library, port).await;

    // What is rolled back is told to nobody.
    let refused = json!({ "negocio": NEGOCIO, "saleId": 0, "total": "-1.00" });
    assert!(shop.post("/ventas", &refused).await >= 400);
    shop.sell(1..=1).await;
    witness.hears(1).await;
    figures_are_read_of_what_is_committed(&shop, &running, &database).await;

    // Nobody answers; then nothing is said at all; then each line is cut under the calls.
    line.refuse().await;
    shop.sell(2..=6).await;
    line.restore().await;
    witness.hears(6).await;
    line.silence();
    shop.sell(7..=9).await;
    line.restore().await;
    witness.hears(9).await;
    for number in 10..=30 {
        shop.sell(number..=number).await;
        line.cut();
    }
    witness.hears(30).await;

    // Pulso is started again in the middle of it.
    shop.sell(31..=33).await;
    running.signal(Signal::TERM);
    shop.sell(34..=36).await;
    line.refuse().await;
    assert_eq!(running.ended().await, 0);
    let running = pulso.ready().await;
    witness.joined().await;
    line.restore().await;
    witness.hears(36).await;

    // The app is ended while Pulso is away.
    line.refuse().await;
    shop.sell(37..=40).await;
    tokio::join!(line.restore(), shop.end());
    witness.hears(40).await;

    let last = json!({ "negocio_id": NEGOCIO, "saleId": LAST, "tableId": null, "total": 1, "timestamp": "" });
    assert_eq!(running.post("/notify/venta", &last.to_string()).await.status, 200);
    witness.hears(LAST).await;
    assert_eq!(witness.heard, (1..=40).chain([LAST]).collect::<Vec<_>>());
}

/// An appointment is announced within its transaction, and shown once that is committed.
async fn figures_are_read_of_what_is_committed(shop: &Shop, running: &Running, database: &Database) {
    citas(database, NEGOCIO, 1, "atendida", "'2020-01-01'").await;
    let mut dashboard = running.connect(&owner()).await;
    assert_eq!(dashboard.watch(NEGOCIO).await.total, 1);
    assert_eq!(shop.post("/citas", &json!({ "negocio": NEGOCIO })).await, 201);
    dashboard.stats_until(|stats| stats.total == 2).await;
    wait::until(async || running.metric("pulso_notices_total").await >= 1.0, "the hint came by its hook").await;
}
