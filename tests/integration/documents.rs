//! The documents for machines say what the server does: OpenAPI, AsyncAPI, close codes, metrics.

mod frames;

use std::collections::BTreeSet;
use std::path::Path;

use pulso::close::CloseReason;
use pulso::dialect::{pos, restaurant};
use pulso_harness::process::run;
use pulso_harness::script::{installed, python_tool};
use pulso_harness::{Claims, Pulso, SECRET, Scratch};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::business::{self, NEGOCIO, OTHER_OWNER, owner, pulso};

const OPENAPI: &str = include_str!("../../docs/openapi.yaml");
const ASYNCAPI: &str = include_str!("../../docs/asyncapi.yaml");
const CLOSE_CODES: &str = include_str!("../../docs/close-codes.md");
const METRICS: &str = include_str!("../../docs/metrics.md");
/// The key of the hooks where one is set.
const KEY: &str = "clave-de-los-ganchos";

/// A document of the repository, as a path.
fn document(name: &str) -> String {
    format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The first cell of every row of every table of a Markdown text that is in backticks, and the rest of the row.
fn rows(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
}

/// Whatever stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[tokio::test]
async fn both_documents_are_served_as_they_are() {
    let (running, _database) = business::open().await;
    for (path, text) in [("/openapi.yaml", OPENAPI), ("/asyncapi.yaml", ASYNCAPI)] {
        let answer = running.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/yaml")));
        assert!(answer.body == text, "{path} is not docs{path}");
    }
}

/// A server whose ids are text, so that most of what the document allows is accepted, with everything that hooks need.
async fn on_sqlite() -> (Pulso, Scratch) {
    let scratch = Scratch::new();
    let file = scratch.path().join("citas.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(include_str!("../../sql/schema.sqlite.sql")).execute(&mut connection).await.unwrap();
    let device =
        "CREATE TABLE devices (id INTEGER PRIMARY KEY, device_uid TEXT NOT NULL UNIQUE, is_active INTEGER NOT NULL);
        INSERT INTO devices VALUES (7, 'ipad-room-101', 1)";
    sqlx::raw_sql(device).execute(&mut connection).await.unwrap();
    let business =
        "INSERT INTO negocios (id, admin_negocio_id, nombre) VALUES ('n1', 'ana', 'Uno'), ('n2', 'luis', 'Dos')";
    sqlx::raw_sql(business).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let pulso = pulso(&format!("sqlite://{}", file.display()));
    run(&mut pulso.command(&["migrate"]), "pulso migrate");
    // Large bodies are refused before anybody looks at what is wrong in them.
    (pulso.with("HOOK_MAX_BODY_BYTES", "1048576").with("SYNC_MAX_BODY_BYTES", "1048576"), scratch)
}

/// Sends what the document allows and what it forbids, but for the paths of `left_out`; every answer must be one that it
/// describes, and every example of a body must be accepted.
async fn conforms(pulso: Pulso, left_out: &str, auth: &str) {
    let running = pulso.ready().await;
    let scratch = Scratch::new();
    let hooks = installed("schemathesis_hooks.py").display().to_string();
    let accepted = "[phases.examples.checks]\npositive_data_acceptance.expected-statuses = [\"200\"]";
    scratch.write("schemathesis.toml", &format!("hooks = \"{hooks}\"\n{auth}\n{accepted}\n"));
    let mut schemathesis = python_tool("schemathesis");
    schemathesis.current_dir(scratch.path()).args(["run", &document("openapi.yaml"), "--checks", "all"]);
    schemathesis.args(["--url", &format!("http://127.0.0.1:{}", running.port())]);
    schemathesis.args(["--exclude-path-regex", &format!("^/(ws|sse|socket.io{left_out})")]);
    schemathesis.args(["--max-examples", "20", "--no-color", "--no-shrink"]);
    let said = tokio::task::spawn_blocking(move || run(&mut schemathesis, "schemathesis")).await.unwrap();
    assert!(said.contains("No issues found"), "{said}");
    assert!(running.metric("pulso_hook_answers_total{status=\"200\"}").await > 0.0, "nothing was accepted:\n{said}");
    assert!(running.metric("pulso_hook_answers_total{status=\"400\"}").await > 0.0, "nothing was refused:\n{said}");
}

#[tokio::test]
async fn the_server_answers_as_openapi_says() {
    let (pulso, _scratch) = on_sqlite().await;
    let auth = format!("[auth.openapi]\nhookKey = {{ api_key = \"{KEY}\" }}\ncloudKey = {{ api_key = \"{KEY}\" }}");
    conforms(pulso.with("NOTIFY_API_KEY", KEY).with("CLOUD_API_KEY", KEY), "", &auth).await;
}

#[tokio::test]
async fn the_server_answers_as_openapi_says_without_a_key_too() {
    let (pulso, _scratch) = on_sqlite().await;
    conforms(pulso, "|notify/[^c]|api/|sync/", "").await;
}

#[test]
fn every_close_code_is_listed_and_no_other() {
    let known: BTreeSet<(u16, &str)> = CloseReason::ALL.iter().map(|reason| (reason.code(), reason.text())).collect();
    let table = CLOSE_CODES.split("## Close codes").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut listed = BTreeSet::new();
    for row in table.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let Some(Ok(code)) = cells.get(1).map(|code| code.parse::<u16>()) else { continue };
        // What a peer sends, and what it sees when nobody sent anything.
        if ![1000, 1006].contains(&code) {
            listed.extend(quoted(cells[2]).map(|text| (code, text)));
        }
    }
    assert_eq!(listed, known, "docs/close-codes.md");

    let mut in_asyncapi = BTreeSet::new();
    for line in ASYNCAPI.lines() {
        let Some(entry) = line.trim().strip_prefix("- {code: ") else { continue };
        let (code, rest) = entry.split_once(", reason: ").unwrap();
        let reason = rest.split_once(", reconnect:").unwrap().0.trim_matches('"');
        if code != "1000" {
            in_asyncapi.insert((code.parse().unwrap(), reason));
        }
    }
    assert_eq!(in_asyncapi, known, "docs/asyncapi.yaml");
}

#[test]
fn every_refusal_of_a_namespace_is_listed_and_no_other() {
    let source = include_str!("../../src/socketio/auth.rs").split("pub(super) enum Refused {").nth(1).unwrap();
    let mut known: BTreeSet<&str> =
        source.split("#[error(\"").skip(1).map(|rest| rest.split_once("\")]").unwrap().0).collect();
    // Of a session that is none of ours: nobody can have one.
    assert!(known.remove("unknown session"));
    // The library's own.
    known.insert("Invalid namespace");
    let table = CLOSE_CODES.split("## Socket.IO").nth(1).unwrap().split("\n`disconnect`").next().unwrap();
    let second = |row: &'static str| quoted(row.strip_prefix('|')?.split('|').nth(1)?).next();
    assert_eq!(table.lines().filter_map(second).collect::<BTreeSet<_>>(), known);
}

#[test]
fn every_error_text_is_listed_and_no_other() {
    let product = include_str!("../../src/dialect/stats.rs").split("#[cfg(test)]").next().unwrap();
    let mut known: BTreeSet<&str> =
        product.split("#[error(\"").skip(1).map(|rest| rest.split_once("\")]").unwrap().0).collect();
    assert!(known.len() > 10, "{known:?}");
    // With a reason that follows.
    known.insert("Invalid JWT token…");
    let table = CLOSE_CODES.split("## `error` messages").nth(1).unwrap();
    let listed: BTreeSet<&str> = rows(table).map(|(text, _)| text).collect();
    assert_eq!(listed, known);
}

#[tokio::test]
async fn every_metric_is_described_and_no_other() {
    let (running, _database) = business::open().await;
    // Families show up once they have counted something.
    assert_eq!(running.notify(NEGOCIO).await.status, 200);
    assert_eq!(running.notify("").await.status, 400);
    let mut dashboard = running.connect(&owner()).await;
    dashboard.send(&json!({ "type": "auth", "token": Claims::user(OTHER_OWNER).sign(SECRET) })).await;
    dashboard.closed().await;
    let text = running.get("/metrics").await.body;
    let exported: BTreeSet<(String, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (if kind == "counter" { format!("{name}_total") } else { name.to_owned() }, kind))
        .collect();
    let (metrics, reasons) = METRICS.split_once("## Reasons").unwrap();
    let described: BTreeSet<(String, &str)> =
        rows(metrics).map(|(name, rest)| (name.to_owned(), rest.split('|').nth(1).unwrap().trim())).collect();
    assert_eq!(described, exported);

    let source = include_str!("../../src/telemetry/metrics.rs");
    let variants = source.split("pub enum RefusalReason {").nth(1).unwrap().split('}').next().unwrap();
    let known: BTreeSet<&str> = variants.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    assert_eq!(rows(reasons).map(|(name, _)| name).collect::<BTreeSet<_>>(), known);
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_allowed_is_refused_and_counted() {
    let (running, _database) = business::open().await;
    for (path, allowed) in
        [("/", "GET, HEAD"), ("/health", "GET, HEAD"), ("/openapi.yaml", "GET, HEAD"), ("/notify/cita", "POST")]
    {
        for method in ["OPTIONS", "DELETE"] {
            let answer = running.exchange(&format!("{method} {path} HTTP/1.1"), "").await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{method} {path}");
            assert_eq!(answer.json()["error"], "method_not_allowed");
        }
    }
    let answer = running.get("/nothing/here").await;
    assert_eq!((answer.status, &answer.json()["error"]), (404, &json!("not_found")));
    assert_eq!(running.metric("pulso_refusals_total{reason=\"Method\"}").await.to_string(), "8");
    assert_eq!(running.metric("pulso_refusals_total{reason=\"Path\"}").await.to_string(), "1");
}

#[test]
fn every_path_that_is_routed_is_in_openapi() {
    let documented: BTreeSet<&str> =
        OPENAPI.lines().filter_map(|line| line.strip_prefix("  /")?.strip_suffix(':')).collect();
    let hooks =
        ["notify/cita", "notify/pedido", "notify/pedido/estado", "notify/sync", "api/publish", "api/disconnect"];
    let pulls = ["sync/pull-changes", "api/sync/pull-changes"];
    let clients = ["ws", "ws/staff/orders/", "ws/kiosk/orders/", "sse", "socket.io/"];
    let rest = ["", "health", "ready", "metrics", "openapi.yaml", "asyncapi.yaml"];
    let sales = pos::Kind::ALL.map(|kind| kind.path().trim_start_matches('/'));
    let orders = restaurant::Kind::ALL.map(|kind| kind.path().trim_start_matches('/'));
    let routed = [&hooks[..], &pulls, &clients, &rest, &sales, &orders].concat();
    assert_eq!(documented, routed.into_iter().collect());
    assert!(Path::new(&document("openapi.yaml")).is_file());
}
