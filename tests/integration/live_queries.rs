//! Live queries on a real database, as their contract says them: who may watch which, what is sent, what is announced and
//! how, what a reload does.

mod announcing;
mod database;
mod hints;
mod neighbours;
mod newcomers;
mod own_commit;
mod reloading;
mod rights;
mod strange;
mod transactions;
mod triggered;
mod watching;

use std::path::PathBuf;

use pulso_harness::{Claims, Dashboard, Database, Pulso, Running, Scratch};
use serde_json::{Value, json};

use crate::feeds::configured;

const NOT_ALLOWED: &str = "not allowed to subscribe to this channel";
const CANNOT_CHECK: &str = "access cannot be checked right now; it will be tried again";
pub(super) const WITHDRAWN: &str = "access to this channel was withdrawn";

/// The orders of some restaurants, and who works where.
pub(super) const TABLES: &str = "
    CREATE TABLE pedidos (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, restaurante text NOT NULL, estado text NOT NULL);
    CREATE INDEX ON pedidos (restaurante);
    CREATE TABLE turnos (restaurante text NOT NULL, usuario text NOT NULL);";
pub(super) const KITCHEN: &str = "-- access: claim restaurantId
-- hints: order/new listen/pedidos
SELECT count(*) FILTER (WHERE estado = 'PENDING') AS pendientes, count(*) AS todos FROM pedidos WHERE restaurante = $1
";
const TOTAL: &str = "-- access: authenticated
-- key: none
-- hints: order/new pedido/estado
SELECT count(*) AS pedidos FROM pedidos
";
pub(super) const OPEN: &str = "-- access: claim restaurantId
-- result: rows
SELECT id, estado FROM pedidos WHERE restaurante = $1 ORDER BY id
";

/// Files of live queries, in a folder that goes with it.
pub(super) struct Folder(Scratch);

impl Folder {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(Scratch::new());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        if let Some((inner, _)) = name.split_once('/') {
            std::fs::create_dir_all(self.0.path().join(inner)).unwrap();
        }
        self.0.write(name, text)
    }

    pub(super) fn remove(&self, name: &str) {
        std::fs::remove_file(self.0.path().join(name)).unwrap();
    }

    pub(super) fn path(&self) -> String {
        self.0.path().display().to_string()
    }
}

/// A server with live queries over the orders.
pub(super) struct Restaurants {
    pub(super) pulso: Running,
    pub(super) database: Database,
    pub(super) folder: Folder,
}

impl Restaurants {
    /// Of the usual queries.
    async fn open() -> Self {
        Self::with(&[("cocina.sql", KITCHEN), ("total.sql", TOTAL), ("abiertos.sql", OPEN)], |pulso| pulso).await
    }

    pub(super) async fn with(files: &[(&str, &str)], set: impl FnOnce(Pulso) -> Pulso) -> Self {
        let (pulso, database) = configured().await;
        database.execute(TABLES).await;
        let folder = Folder::new(files);
        let pulso = set(pulso.with("QUERIES_DIR", &folder.path())).ready().await;
        if files.iter().any(|(_, text)| text.contains("listen/")) {
            // What is watched when that begins is read again.
            let listens = || pulso.log().iter().any(|line| line.contains("listening for changes in the database"));
            pulso_harness::wait::until(async || listens(), "triggers are heard").await;
        }
        Self { pulso, database, folder }
    }

    /// Adds an order.
    pub(super) async fn order(&self, restaurant: &str, state: &str) {
        let sql = format!("INSERT INTO pedidos (restaurante, estado) VALUES ('{restaurant}', '{state}')");
        self.database.execute(&sql).await;
    }

    /// Who works in a restaurant.
    async fn waiter(&self, restaurant: &str) -> Dashboard {
        self.pulso.connect(&waiter(restaurant)).await
    }

    pub(super) async fn announce(&self, body: &Value) -> pulso_harness::Answer {
        self.pulso.post("/notify/consulta", &body.to_string()).await
    }

    /// How often a query has been read, for whatever reason.
    async fn reads(&self, query: &str) -> u64 {
        let (metrics, label) = (self.pulso.get("/metrics").await.body, format!("query=\"{query}\""));
        let reads = metrics.lines().filter(|line| line.starts_with("pulso_live_reads_total{") && line.contains(&label));
        reads.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    pub(super) async fn reload(&self) {
        reload(&self.pulso).await;
    }
}

/// Reads the folder again, and waits until that is done.
pub(super) async fn reload(pulso: &Running) {
    let times = || pulso.log().iter().filter(|line| line.contains("live queries are read again")).count();
    let before = times();
    pulso.signal(rustix::process::Signal::HUP);
    pulso_harness::wait::until(async || times() > before, "the folder is read again").await;
}

pub(super) fn waiter(restaurant: &str) -> Claims {
    Claims::user("mesera").with("restaurantId", json!(restaurant))
}

pub(super) async fn subscribe(dashboard: &mut Dashboard, channel: &str) {
    dashboard.send(&json!({ "type": "subscribe", "channel": channel })).await;
}

/// What a channel says next; others may have something to say before.
pub(super) async fn result(dashboard: &mut Dashboard, channel: &str) -> Value {
    loop {
        let frame = dashboard.next().await;
        assert_eq!(frame["type"], "consulta", "{frame}");
        if frame["channel"] == channel {
            return frame["data"].clone();
        }
    }
}

/// Waits until a channel says this; what it said before may be said once more.
pub(super) async fn result_is(dashboard: &mut Dashboard, channel: &str, wanted: Value) {
    while result(dashboard, channel).await != wanted {}
}

/// All that is said until now.
async fn heard(dashboard: &mut Dashboard) -> Vec<Value> {
    dashboard.send(&json!({ "type": "ping" })).await;
    let mut heard = Vec::new();
    loop {
        let frame = dashboard.next().await;
        if frame["type"] == "pong" {
            return heard;
        }
        heard.push(frame);
    }
}

/// All that is said up to an error, and with it.
pub(super) async fn until_refused(dashboard: &mut Dashboard) -> Vec<Value> {
    let mut said = Vec::new();
    loop {
        said.push(dashboard.next().await);
        if said.last().is_some_and(|frame| frame["type"] == "error") {
            return said;
        }
    }
}

/// The error that a channel says next.
async fn refused(dashboard: &mut Dashboard, channel: &str) -> String {
    let frame = dashboard.next().await;
    assert_eq!((&frame["type"], &frame["channel"]), (&json!("error"), &json!(channel)), "{frame}");
    frame["message"].as_str().unwrap().to_owned()
}
