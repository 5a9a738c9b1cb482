//! The documents for machines say what the server does: OpenAPI, AsyncAPI, close codes, metrics.

mod capture;
mod frames;
mod second_frames;

use std::collections::BTreeSet;
use std::path::Path;

use pulso::access::grant::Denial;
use pulso::feeds::Feed;
use pulso::feeds::definition::DASHBOARDS;
use pulso::feeds::queries::words::NO_RESULT;
use pulso::model::{CloseReason, ErrorWord, QueryName};
use pulso::session::words::{self, Misunderstood, NO_FIGURES};
use pulso::telemetry::metrics::{Format, Metrics, RefusalReason};
use pulso::transport::socketio::connect_error;
use pulso_harness::process::run;
use pulso_harness::script::{installed, python_tool};
use pulso_harness::{Claims, Pulso, Redis, SECRET, Scratch};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::business::{self, NEGOCIO, OTHER_OWNER, owner, pulso};
use crate::feeds::QUERIES;

const OPENAPI: &str = include_str!("../../docs/openapi.yaml");
const ASYNCAPI: &str = include_str!("../../docs/asyncapi.yaml");
const CLOSE_CODES: &str = include_str!("../../docs/book/en/src/reference/close-codes.md");
const ERRORS: &str = include_str!("../../docs/book/en/src/reference/errors.md");
const METRICS: &str = include_str!("../../docs/book/en/src/reference/metrics.md");
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
    let device = "INSERT INTO devices VALUES (7, 'ipad-room-101', 1)";
    sqlx::raw_sql(device).execute(&mut connection).await.unwrap();
    let business =
        "INSERT INTO negocios (id, admin_negocio_id, nombre) VALUES ('n1', 'ana', 'Uno'), ('n2', 'luis', 'Dos')";
    sqlx::raw_sql(business).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let pulso = pulso(&format!("sqlite://{}", file.display()));
    run(&mut pulso.command(&["migrate"]), "pulso migrate");
    let pulso = pulso.with("QUERIES_DIR", QUERIES);
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
    schemathesis.args(["--exclude-path-regex", &format!("^/(ws|sse|socket.io|page/name{left_out})")]);
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
    conforms(pulso, "|notify/[^c]|notify/consulta|api/|sync/", "").await;
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
    assert_eq!(listed, known, "reference/close-codes.md");

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
    let mut known: BTreeSet<&str> = Denial::ALL.iter().map(|denial| connect_error(*denial)).collect();
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
    let mut known: BTreeSet<String> = Misunderstood::ALL.iter().map(ToString::to_string).collect();
    known.extend(Denial::ALL.iter().map(|denial| words::denial(*denial).into_owned()));
    known.insert(NO_FIGURES.to_owned());
    known.insert(NO_RESULT.to_owned());
    known.retain(|text| !text.starts_with("Invalid JWT token"));
    // With a reason that follows.
    known.insert("Invalid JWT token…".to_owned());
    let table = ERRORS.split("## `error` messages").nth(1).unwrap();
    let listed: BTreeSet<String> = rows(table).map(|(text, _)| text.to_owned()).collect();
    assert_eq!(listed, known);
}

#[test]
fn every_word_of_a_refused_request_is_listed_and_no_other() {
    let known: BTreeSet<&str> = ErrorWord::ALL.iter().map(|word| word.text()).collect();
    assert_eq!(known.len(), ErrorWord::ALL.len(), "each is another");
    let table = ERRORS.split("## Refused requests").nth(1).unwrap().split("\n## ").next().unwrap();
    assert_eq!(rows(table).map(|(word, _)| word).collect::<BTreeSet<_>>(), known);
}

#[tokio::test]
async fn every_metric_is_described_and_no_other() {
    // Families show up once they have counted something; those of several nodes where there is a log between them.
    let (redis, database) = (Redis::start(), business::database().await);
    let running = pulso(&database.url()).with("REDIS_URL", &redis.url()).ready().await;
    assert_eq!(running.notify(NEGOCIO).await.status, 200);
    assert_eq!(running.notify("").await.status, 400);
    let mut dashboard = running.connect(&owner()).await;
    dashboard.send(&json!({ "type": "auth", "token": Claims::user(OTHER_OWNER).sign(SECRET) })).await;
    dashboard.closed().await;
    let of_queries = Metrics::new();
    of_queries.live.begin(&QueryName::parse("cocina").unwrap());
    let text = running.get("/metrics").await.body + &of_queries.encode(Format::OpenMetrics);
    let exported: BTreeSet<(String, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (if kind == "counter" { format!("{name}_total") } else { name.to_owned() }, kind))
        .collect();
    let (metrics, reasons) = METRICS.split_once("## Reasons").unwrap();
    let described = rows(metrics).map(|(name, rest)| (name.to_owned(), rest.split('|').nth(1).unwrap().trim()));
    // What is counted by live query is not there before there is one that counts.
    let described: BTreeSet<(String, &str)> =
        described.filter(|row| !row.0.starts_with("pulso_live_") || exported.contains(row)).collect();
    assert_eq!(described, exported);

    let known: BTreeSet<String> = RefusalReason::ALL.iter().map(|reason| format!("{reason:?}")).collect();
    assert_eq!(rows(reasons).map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>(), known);
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
    let documented: BTreeSet<&str> = OPENAPI
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
        .filter(|line| line.starts_with('/'))
        .collect();
    let feeds = Feed::ALL.map(Feed::definition);
    let hooks = feeds.iter().flat_map(|feed| feed.hooks).map(|hook| hook.path);
    let sockets = feeds.iter().flat_map(|feed| feed.sockets).map(|socket| socket.path);
    let pulls = ["/sync/pull-changes", "/api/sync/pull-changes"];
    let served = ["/", "/openapi.yaml", "/asyncapi.yaml", "/page.json", "/page/name"];
    let rest = ["/health", "/ready", "/metrics", "/api/nodes"].into_iter().chain(served);
    let others = [DASHBOARDS, "/sse", "/socket.io/", "/api/disconnect"].into_iter().chain(pulls).chain(rest);
    let routed: BTreeSet<&str> = hooks.chain(sockets).chain(others).collect();
    assert_eq!(documented, routed);
    assert!(Path::new(&document("openapi.yaml")).is_file());
}

#[test]
fn everything_that_a_feed_says_and_where_is_in_asyncapi() {
    let (channels, messages) = ASYNCAPI.split_once("\n  messages:\n").unwrap();
    let is_said = |text: &str, word: &str| {
        text.split(|letter: char| !(letter.is_alphanumeric() || "/:._<>-".contains(letter))).any(|said| said == word)
    };
    for feed in Feed::ALL.map(Feed::definition) {
        let sockets = feed.sockets.iter().map(|socket| socket.path);
        let streams = feed.streams.iter().map(|stream| stream.form);
        for place in sockets.chain(streams).chain(feed.namespaces.iter().copied()) {
            assert!(is_said(channels, place), "{}: {place}", feed.word);
        }
        for kind in feed.types {
            assert!(is_said(messages, kind), "{}: {kind}", feed.word);
        }
    }
}
