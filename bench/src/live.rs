//! Live queries: what one costs beside the figures, how many keys may be watched, and whether what each promises holds under
//! load, on a PostgreSQL of its own; and what others do who keep results live.

mod beside;
mod clock;
mod commit;
mod cost;
mod crowd;
mod keys;
mod slow;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use pulso_harness::{Claims, Database, HOOK_KEY, Postgres, Running, SECRET, Scratch};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::report::Report;
use crate::swarm::{Framing, Script, Seat, Swarm};
use crate::{runtime, town};

const NAME: &str = "live";
/// Businesses, 200 appointments each.
const NEGOCIOS: u32 = 100;
/// Of the table that keyed queries read: a row a key.
const KEYS: u32 = 20_000;
/// As [`KEYS`], for a look.
const FEWER_KEYS: u32 = 2_000;
/// Handshakes under way at once while nobody is in a hurry.
const CALMLY: usize = 64;
/// For what goes on behind an answer: the trailing re-read.
const SETTLED: Duration = Duration::from_millis(700);

/// The statement of the figures.
const SAME: &str = concat!("-- access: negocio\n", include_str!("../../sql/stats.sql"));
/// Some 200 bytes of result.
const KEYED: &str = "-- access: authenticated
-- hints: venta
SELECT n, repeat('x', 160) AS relleno, clave FROM claves WHERE clave = $1";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// A notice beside one of the figures.
    Cost,
    /// Many queries and keys: a notice, rest, memory.
    Keys,
    /// Newcomers at once, and hints that change nothing.
    Crowd,
    /// Results that change by the clock.
    Clock,
    /// Hints that come before their commit.
    Commit,
    /// A query that is slow.
    Slow,
    /// Other programs that keep results live.
    Beside,
}

/// The database, and what is served from it.
struct Stage<'a> {
    runtime: Runtime,
    binary: &'a str,
    database: Database,
    postgres: Postgres,
    keys: u32,
    is_quick: bool,
}

pub fn measure(binary: &str, parts: &[Part], rounds: u32, is_quick: bool, report: &mut Report) -> Result<(), String> {
    let keys = if is_quick { FEWER_KEYS } else { KEYS };
    println!("-- {NAME}: {NEGOCIOS} businesses, {keys} keys");
    let runtime = runtime()?;
    let postgres = Postgres::own();
    let database = runtime.block_on(furnish(&postgres, keys));
    let stage = Stage { runtime, binary, database, postgres, keys, is_quick };
    for part in if parts.is_empty() { Part::value_variants() } else { parts } {
        println!("   {part:?}");
        match part {
            Part::Cost => cost::measure(&stage, rounds, report),
            Part::Keys => keys::measure(&stage, rounds, report),
            Part::Crowd => crowd::measure(&stage, report),
            Part::Clock => clock::measure(&stage, report),
            Part::Commit => commit::measure(&stage, report),
            Part::Slow => slow::measure(&stage, report),
            Part::Beside => beside::measure(&stage, report),
        }
    }
    Ok(())
}

async fn furnish(postgres: &Postgres, keys: u32) -> Database {
    let database = postgres.database().await;
    town::found(&database, NEGOCIOS).await;
    town::book(&database, NEGOCIOS * 200, NEGOCIOS, NEGOCIOS - 1).await;
    let table = format!(
        "CREATE TABLE claves (clave text PRIMARY KEY, n integer NOT NULL DEFAULT 0);
         INSERT INTO claves SELECT 'k-' || i FROM generate_series(0, {keys} - 1) AS i"
    );
    database.execute(&table).await;
    database.execute("VACUUM (ANALYZE)").await;
    database
}

impl Stage<'_> {
    /// So many, or for a look fewer.
    fn scaled(&self, full: u32, few: u32) -> u32 {
        if self.is_quick { few } else { full }
    }

    /// A server with these live queries, and their folder.
    fn serve(&self, queries: &[(&str, &str)], settings: &[(&str, &str)]) -> (Running, Scratch) {
        self.serve_at(&self.database.url(), queries, settings)
    }

    /// As [`Self::serve`], by another way to the database.
    fn serve_at(&self, url: &str, queries: &[(&str, &str)], settings: &[(&str, &str)]) -> (Running, Scratch) {
        let folder = Scratch::new();
        for (name, text) in queries {
            folder.write(&format!("{name}.sql"), text);
        }
        let path = folder.path().to_string_lossy().into_owned();
        let mut pulso = town::pulso(self.binary, url).with_hook_key().with("QUERIES_DIR", &path);
        for (name, value) in settings {
            pulso = pulso.with(name, value);
        }
        let running = self.runtime.block_on(async {
            let running = pulso.ready().await;
            // Each is asked about before it can be watched.
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(30) && !all_stand(&running).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            running
        });
        (running, folder)
    }

    fn execute(&self, sql: &str) {
        self.runtime.block_on(self.database.execute(sql));
    }

    /// The sum of a metric over its labels; of those lines alone that hold `label`.
    fn metric(&self, running: &Running, name: &str, label: &str) -> f64 {
        let text = self.runtime.block_on(running.get("/metrics")).body;
        let is_of = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines = text.lines().filter(is_of).filter(|line| line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Reads of a live query so far.
    fn reads(&self, running: &Running, query: &str) -> f64 {
        self.metric(running, "pulso_live_reads_total", &format!("query=\"{query}\""))
    }
}

/// Whether no query is off: `/ready` names those that are.
async fn all_stand(running: &Running) -> bool {
    let ready: Value = serde_json::from_str(&running.get("/ready").await.body).unwrap_or_default();
    ready.get("queries_off").is_none()
}

/// A connection for each `each` of `keys`, in order; `name` makes what is watched of a key's number.
fn seats(keys: Range<u32>, each: u32, name: impl Fn(u32) -> String) -> Vec<Seat> {
    let result = "{\"type\":\"consulta\"";
    let until = vec![result; each as usize];
    let script = Arc::new(Script { framing: Framing::WebSocket, until, message: result, number: "\"seq\":" });
    let says = |first: u32| (first..first + each).map(|key| subscribe(&name(key))).collect::<Vec<_>>();
    keys.step_by(each as usize)
        .map(|first| {
            let token = Claims::naming(&town::user(first), &[&town::negocio(0)]).sign(SECRET);
            let says = says(first);
            let says: Vec<&str> = says.iter().map(String::as_str).collect();
            Seat::web_socket(&script, &format!("/ws?token={token}"), &says, first)
        })
        .collect()
}

/// Connects all, a tenth after the other: each tenth has the time that anything has.
fn gather(swarm: &mut Swarm) {
    for tenth in 1..=10 {
        swarm.connect_some(swarm.len() * tenth / 10, CALMLY);
    }
}

fn subscribe(name: &str) -> String {
    json!({ "type": "subscribe", "data": { "channel": format!("consulta:{name}") } }).to_string()
}

/// A whole HTTP request on a kept connection.
fn call(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-API-Key: {HOOK_KEY}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A call that announces one key of a query.
fn hint(query: &str, key: &str) -> Vec<u8> {
    call("/notify/consulta", &json!({ "name": query, "key": key }))
}
