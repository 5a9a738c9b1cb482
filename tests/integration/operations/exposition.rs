//! The text of `/metrics`: what a scraper asks for, as strict readers read it.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use pulso_harness::process::{find, spawn};
use pulso_harness::script::{installed, python_tool};
use pulso_harness::{Answer, Database, Running};
use serde_json::{Value, json};

use crate::business::{NEGOCIO, open, owner};
use crate::feeds::signed;

async fn scraped(pulso: &Running, accept: &str) -> Answer {
    pulso.exchange(&format!("GET /metrics HTTP/1.1\naccept: {accept}"), "").await
}

/// Runs a program on a text; returns what it printed.
fn reads(mut program: Command, text: &str) -> String {
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut reader = spawn(program);
    reader.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = reader.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}\n{text}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Some of everything has been counted.
async fn busy() -> (Running, Database) {
    let (pulso, database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    dashboard.stats().await;
    assert_eq!(pulso.notify("").await.status, 400);
    assert_eq!(pulso.get(&signed("/sse", &owner())).await.status, 400);
    (pulso, database)
}

#[tokio::test]
async fn a_strict_reader_of_openmetrics_reads_every_family() {
    let (pulso, _database) = busy().await;
    for accept in ["*/*", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"] {
        let answer = scraped(&pulso, accept).await;
        assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
        let mut reader = python_tool("python");
        reader.arg(installed("openmetrics_check.py"));
        let families: Value = serde_json::from_str(&reads(reader, &answer.body)).unwrap();
        assert_eq!(families["pulso_notices"], json!("counter"), "{families}");
        assert_eq!(families["pulso_hook_seconds"], json!("histogram"), "{families}");
        assert_eq!(families["process_cpu_seconds"], json!("counter"), "{families}");
    }
}

#[tokio::test]
async fn who_asks_for_the_older_text_gets_what_promtool_finds_nothing_wrong_with() {
    let (pulso, _database) = busy().await;
    let answer = scraped(&pulso, "text/plain;version=0.0.4").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(!answer.body.contains("# EOF"), "{}", answer.body);
    let mut promtool = Command::new(find("promtool", "prometheus"));
    promtool.args(["check", "metrics"]);
    assert_eq!(reads(promtool, &answer.body), "");
    let named = |text: &str| -> BTreeSet<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
    };
    // Asked later, so there may be more of them by then.
    assert!(named(&answer.body).is_subset(&named(&scraped(&pulso, "*/*").await.body)), "{}", answer.body);
}
