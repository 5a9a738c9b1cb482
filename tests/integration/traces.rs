//! Hook calls as a collector of OpenTelemetry is told of them: each one tree, whole, of nobody's names, and at nobody's cost.

mod collectors;

use std::collections::{BTreeMap, BTreeSet};

use pulso_harness::{Collector, Database, HOOK_KEY, Manner, Pulso, Running, SECRET, Seen, wait};
use serde_json::json;
use sqlx::Connection;

use crate::business::{NEGOCIO, database, owner, pulso};
use crate::feeds::signed;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const ALL: [&str; 6] = ["POST /notify/cita", "encode", "fan-out", "last write", "read", "wait"];

/// The server, not started yet, which sends all that there is at once.
fn followed(collector: &Collector, database: &Database) -> Pulso {
    let pulso = pulso(&database.url()).with_hook_key();
    pulso.with("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()).with("OTEL_BSP_SCHEDULE_DELAY", "20")
}

async fn start(change: impl FnOnce(Pulso) -> Pulso) -> (Running, Collector, Database) {
    let (collector, database) = (Collector::start().await, database().await);
    let running = change(followed(&collector, &database)).ready().await;
    (running, collector, database)
}

fn cita() -> String {
    json!({ "negocio_id": NEGOCIO, "action": "created" }).to_string()
}

fn traceparent(trace: &str, flags: &str) -> String {
    format!("00-{trace}-{CALLER}-{flags}")
}

/// The spans of each trace that was taken.
fn trees(spans: &[Seen]) -> BTreeMap<&str, Vec<&Seen>> {
    let mut trees: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    for span in spans {
        trees.entry(&span.trace).or_default().push(span);
    }
    trees
}

fn names(tree: &[&Seen]) -> Vec<String> {
    let names: BTreeSet<&str> = tree.iter().map(|span| span.name.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Fails unless all spans hang below the one call, or below `caller`.
fn assert_whole(tree: &[&Seen], caller: &str) {
    let ids: BTreeSet<&str> = tree.iter().map(|span| span.id.as_str()).collect();
    assert_eq!(ids.len(), tree.len(), "an id is there twice: {tree:#?}");
    for span in tree {
        let is_call = span.name.starts_with("POST ");
        let is_in_place = if is_call { span.parent == caller } else { ids.contains(span.parent.as_str()) };
        assert!(is_in_place && span.trace.len() == 32 && span.id.len() == 16, "{span:#?} of {tree:#?}");
        assert!(span.began > 1_700_000_000_000_000_000 && span.began <= span.ended, "{span:#?}");
    }
    assert_eq!(tree.iter().filter(|span| span.name.starts_with("POST ")).count(), 1, "{tree:#?}");
}

fn is_whole(spans: &[Seen]) -> bool {
    names(&spans.iter().collect::<Vec<_>>()) == ALL
}

#[tokio::test]
async fn one_call_is_one_tree_from_its_arrival_to_the_last_write() {
    let (pulso, collector, _database) = start(|pulso| {
        pulso
            .with("OTEL_SERVICE_NAME", "avisos")
            .with("OTEL_RESOURCE_ATTRIBUTES", "sitio=quito")
            .with("NODE_NAME", "n1")
    })
    .await;
    let mut screen = pulso.connect(&owner()).await;
    screen.watch(NEGOCIO).await;
    assert_eq!(pulso.post("/notify/cita", &cita()).await.status, 200);
    screen.stats().await;
    let spans = collector.spans_once(is_whole, "every step of a call").await;
    let trees = trees(&spans);
    assert_eq!((trees.len(), spans.len()), (1, ALL.len()), "{spans:#?}");
    let tree = trees.values().next().unwrap();
    assert_whole(tree, "");
    let step = |name: &str| *tree.iter().find(|span| span.name == name).unwrap();
    let (call, read) = (step("POST /notify/cita"), step("read"));
    assert_eq!(call.kind, 2, "a server's");
    let said =
        ["http.request.method", "http.route", "http.response.status_code"].map(|name| call.attributes[name].as_str());
    assert_eq!(said, ["POST", "/notify/cita", "200"]);
    for (name, value) in [("service.name", "avisos"), ("sitio", "quito"), ("service.instance.id", "n1")] {
        assert_eq!(call.resource[name], value);
    }
    for below_call in ["wait", "read"] {
        assert_eq!(step(below_call).parent, call.id, "{below_call}");
    }
    for below_read in ["encode", "fan-out", "last write"] {
        assert_eq!(step(below_read).parent, read.id, "{below_read}");
    }
    let begins = ["POST /notify/cita", "wait", "read", "encode", "fan-out"].map(|name| step(name).began);
    assert!(begins.is_sorted() && step("wait").ended <= step("read").ended, "{tree:#?}");
    assert_eq!(step("fan-out").attributes["pulso.clients.written"], "1");
    // It is counted when the collector has answered.
    pulso.until_count("pulso_spans_sent_total", 6).await;
}

#[tokio::test]
async fn an_event_is_followed_to_its_clients_on_every_transport() {
    let (pulso, collector, _database) = start(|pulso| pulso).await;
    let claims = owner().with("negocio_id", json!(NEGOCIO));
    let mut screen = pulso.connect(&claims).await;
    let mut stream = pulso.events(&format!("{}&channel=negocio:{NEGOCIO}", signed("/sse", &claims))).await;
    stream.next_block().await;
    let sale = json!({ "saleId": 1, "tableId": 2, "total": 3.5, "timestamp": "t", "negocio_id": NEGOCIO }).to_string();
    assert_eq!(pulso.post("/notify/venta", &sale).await.status, 200);
    screen.next().await;
    stream.next().await;
    let is_there = |spans: &[Seen]| spans.iter().any(|span| span.name == "last write") && spans.len() >= 4;
    let spans = collector.spans_once(is_there, "an event's last write").await;
    let tree: Vec<&Seen> = spans.iter().collect();
    assert_whole(&tree, "");
    assert_eq!(names(&tree), ["POST /notify/venta", "encode", "fan-out", "last write"]);
    let encodings: BTreeSet<&str> =
        spans.iter().filter_map(|span| Some(span.attributes.get("pulso.encoding")?.as_str())).collect();
    assert_eq!(encodings, BTreeSet::from(["lines"]), "it came as the frame that the others get");
}

#[tokio::test]
async fn a_hundred_calls_that_share_a_read_are_one_read_and_the_others_name_it() {
    let (pulso, collector, database) = start(|pulso| pulso).await;
    let mut screen = pulso.connect(&owner()).await;
    screen.watch(NEGOCIO).await;
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE citas IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    let before = pulso.count("pulso_queries_total").await;
    let body = cita();
    let call = || pulso.post("/notify/cita", &body);
    let rest = async {
        // What comes while a read is under way shares the next one.
        wait::until(async || pulso.count("pulso_queries_total").await > before, "the first read is under way").await;
        let others = futures_util::future::join_all((0..100).map(|_| call()));
        let unlock = async {
            pulso.until_count("pulso_coalesced_total", 99).await;
            sqlx::raw_sql("COMMIT").execute(&mut blocker).await.unwrap();
        };
        futures_util::future::join(others, unlock).await.0
    };
    let (first, others) = futures_util::future::join(call(), rest).await;
    assert!(first.status == 200 && others.iter().all(|answer| answer.status == 200), "{others:?}");
    let calls = |spans: &[Seen]| spans.iter().filter(|span| span.name == "POST /notify/cita").count();
    let spans = collector.spans_once(|spans| calls(spans) == 101, "all calls").await;
    assert_eq!(trees(&spans).len(), 101);
    let reads: Vec<&Seen> = spans.iter().filter(|span| span.name == "read").collect();
    assert_eq!(reads.len(), 2, "{reads:#?}");
    let shared = reads.iter().max_by_key(|read| read.began).unwrap();
    let links: Vec<_> = spans.iter().flat_map(|span| span.links.clone()).collect();
    assert_eq!(links, vec![(shared.trace.clone(), shared.id.clone()); 99]);
    for tree in trees(&spans).values() {
        assert_whole(tree, "");
    }
    blocker.close().await.unwrap();
}

#[tokio::test]
async fn a_call_that_waits_for_its_transaction_is_one_tree_with_every_read_that_it_took() {
    let (pulso, collector, database) = start(|pulso| pulso).await;
    let mut screen = pulso.connect(&owner()).await;
    screen.watch(NEGOCIO).await;
    let mut writer = database.connect().await;
    sqlx::raw_sql("BEGIN").execute(&mut writer).await.unwrap();
    let xid: String = sqlx::query_scalar("SELECT pg_current_xact_id()::text").fetch_one(&mut writer).await.unwrap();
    let body = json!({ "negocio_id": NEGOCIO, "xid": xid }).to_string();
    let commit = async {
        // The first read is over, and cannot have seen it.
        collector.spans_once(|spans| spans.iter().any(|span| span.name == "read"), "a read").await;
        sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    };
    let (answer, ()) = futures_util::future::join(pulso.post("/notify/cita", &body), commit).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let spans = collector.spans_once(is_whole, "every step of a call").await;
    let tree: Vec<&Seen> = spans.iter().collect();
    assert_whole(&tree, "");
    assert!(trees(&spans).len() == 1 && spans.iter().filter(|span| span.name == "read").count() >= 2, "{spans:#?}");
}

#[tokio::test]
async fn a_caller_with_the_key_has_her_trace_continued_and_a_stranger_has_no_say() {
    let (pulso, collector, _database) =
        start(|pulso| pulso.with("NOTIFY_CITA_OPEN", "true").with("OTEL_TRACES_SAMPLER", "parentbased_always_off"))
            .await;
    let as_stranger = format!(
        "POST /notify/cita HTTP/1.1\ncontent-type: application/json\ntraceparent: {}",
        traceparent(TRACE, "01")
    );
    for _ in 0..3 {
        assert_eq!(pulso.exchange(&as_stranger, &cita()).await.status, 200);
    }
    let with =
        async |said: &[(&str, &str)]| assert_eq!(pulso.post_with("/notify/cita", said, &cita()).await.status, 200);
    // Not followed by the caller, nor where two are said, nor where none is.
    with(&[("traceparent", &traceparent(TRACE, "00"))]).await;
    with(&[("traceparent", &traceparent(TRACE, "01")), ("traceparent", &traceparent(TRACE, "01"))]).await;
    with(&[]).await;
    with(&[("traceparent", &traceparent(TRACE, "01"))]).await;
    let spans = collector.spans_once(|spans| !spans.is_empty(), "the call that is followed").await;
    assert_eq!((spans.len(), spans[0].trace.as_str(), spans[0].parent.as_str()), (1, TRACE, CALLER));
    // It is counted when the collector has answered.
    pulso.until_count("pulso_spans_sent_total", 1).await;
}

#[tokio::test]
async fn a_strangers_call_begins_a_trace_of_its_own_whatever_it_says() {
    let (pulso, collector, _database) = start(|pulso| pulso.with("NOTIFY_CITA_OPEN", "true")).await;
    let head = format!(
        "POST /notify/cita HTTP/1.1\ncontent-type: application/json\ntraceparent: {}",
        traceparent(TRACE, "01")
    );
    assert_eq!(pulso.exchange(&head, &cita()).await.status, 200);
    let spans = collector.spans_once(|spans| !spans.is_empty(), "the call").await;
    assert!(spans[0].trace != TRACE && spans[0].parent.is_empty(), "{spans:#?}");
}

#[tokio::test]
async fn who_is_refused_for_want_of_the_key_leaves_no_trace() {
    let (pulso, collector, _database) = start(|pulso| pulso).await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 401);
    assert_eq!(pulso.post("/notify/cita", "{").await.status, 400);
    let spans = collector.spans_once(|spans| !spans.is_empty(), "the call with the key").await;
    assert_eq!((spans.len(), spans[0].attributes["http.response.status_code"].as_str()), (1, "400"));
}

#[tokio::test]
async fn businesses_are_named_only_where_the_operator_wants_it() {
    for (has_ids, channel) in [("false", "estadisticas".to_owned()), ("true", format!("estadisticas:{NEGOCIO}"))] {
        let (pulso, collector, _database) = start(|pulso| pulso.with("TRACE_IDS", has_ids)).await;
        let mut screen = pulso.connect(&owner()).await;
        screen.watch(NEGOCIO).await;
        assert_eq!(pulso.post("/notify/cita", &cita()).await.status, 200);
        let spans = collector.spans_once(is_whole, "every step of a call").await;
        let channels: BTreeSet<&str> =
            spans.iter().filter_map(|span| Some(span.attributes.get("pulso.channel")?.as_str())).collect();
        assert_eq!(channels, BTreeSet::from([channel.as_str()]));
        assert_eq!(format!("{spans:?}").contains(NEGOCIO), has_ids == "true");
    }
}

#[tokio::test]
async fn a_read_that_fails_is_told_as_such_and_no_span_holds_a_secret_or_sql() {
    let (pulso, collector, database) = start(|pulso| {
        pulso.with("TRACE_IDS", "true").with("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=llave%20del%20colector")
    })
    .await;
    let token = owner().sign(SECRET);
    let mut screen = pulso.open(&format!("/ws?token={token}")).await;
    screen.watch(NEGOCIO).await;
    assert_eq!(pulso.post("/notify/cita", &cita()).await.status, 200);
    database.execute("ALTER TABLE citas RENAME TO citas_de_antes").await;
    assert_eq!(pulso.post("/notify/cita", &cita()).await.status, 500);
    let has_failed = |spans: &[Seen]| {
        let failed: Vec<&str> = spans.iter().filter(|span| span.failed).map(|span| span.name.as_str()).collect();
        failed.contains(&"read") && failed.contains(&"POST /notify/cita")
    };
    let spans = collector.spans_once(has_failed, "a read that failed").await;
    let all = format!("{spans:?}");
    for secret in
        [HOOK_KEY, SECRET, token.as_str(), &database.url(), "llave del colector", "SELECT", "citas_de", "count("]
    {
        assert!(!all.contains(secret), "{secret} is in a span");
    }
    let heads = collector.heads();
    assert!(
        heads.iter().all(|head| head.starts_with("POST /v1/traces ") && head.contains("x-api-key: llave del colector"))
    );
    assert!(heads[0].contains("content-type: application/x-protobuf"), "{heads:?}");
    collector.is(Manner::Refuses(500));
    pulso.post("/notify/cita", &cita()).await;
    pulso.until_logged("the collector does not take spans").await;
    let log = pulso.log().join("\n");
    assert!(!log.contains("llave del colector") && !log.contains(&collector.url()), "{log}");
}
