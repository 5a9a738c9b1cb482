//! A real Prometheus scrapes a server that works, and is asked every expression of the alerts and of the board.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pulso_harness::process::{find, free_port, run, spawn};
use pulso_harness::{Claims, HOOK_KEY, Running, Scratch, http, wait};
use serde_json::{Value, json};

use super::alerts::alerts;
use super::dashboard::expressions;
use super::{named, shipped};
use crate::business::{NEGOCIO, OWNER, database, owner, pulso};
use crate::feeds::{QUERIES, signed};
use crate::operations::counted::at;

/// Not there where a process may open as much as it likes.
const NOT_MADE: &[&str] = &["process_max_fds"];

struct Prometheus {
    child: Child,
    port: u16,
    _folder: Scratch,
}

impl Prometheus {
    /// Scrapes the server once a second, by the job that the rules are for.
    async fn start(target: &Running) -> Self {
        let folder = Scratch::new();
        let rules = shipped("prometheus/rules.yml");
        let config = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [{}]\nscrape_configs:\n  - job_name: pulso\n    \
             static_configs:\n      - targets: ['127.0.0.1:{}']\n",
            rules.display(),
            target.port()
        );
        let file = folder.write("prometheus.yml", &config);
        run(Command::new(find("promtool", "prometheus")).args(["check", "config"]).arg(&file), "promtool check config");
        let port = free_port();
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--pdeathsig", "KILL", "--"]).arg(find("prometheus", "prometheus"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let prometheus = Self { child: spawn(command), port, _folder: folder };
        let is_there = async || {
            let answer = http::try_exchange(port, "GET /-/ready HTTP/1.1", "").await;
            answer.is_some_and(|answer| answer.status == 200)
        };
        wait::until(is_there, "Prometheus is ready").await;
        prometheus
    }

    /// The series that an expression has now; panics if it is none.
    async fn ask(&self, expression: &str) -> Vec<Value> {
        let body = format!("query={}", utf8_percent_encode(expression, NON_ALPHANUMERIC));
        // Of HTTP/1.0, so that long answers are whole.
        let head = "POST /api/v1/query HTTP/1.0\ncontent-type: application/x-www-form-urlencoded";
        let answer = http::exchange(self.port, head, &body).await;
        let said = answer.json();
        assert_eq!((answer.status, &said["status"]), (200, &json!("success")), "{expression}: {said}");
        said["data"]["result"].as_array().unwrap().clone()
    }

    async fn until_there_is(&self, expression: &str) {
        wait::until(async || !self.ask(expression).await.is_empty(), expression).await;
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Something of everything, once more.
async fn work(pulso: &Running, number: u64) {
    let mut dashboard = pulso.connect(&Claims::naming(OWNER, &[NEGOCIO])).await;
    dashboard.watch(NEGOCIO).await;
    let now = at(0);
    let announced = json!({ "negocio_id": NEGOCIO }).to_string();
    assert_eq!(pulso.post_with("/notify/cita", &[("x-committed-at", &now)], &announced).await.status, 200);
    dashboard.stats().await;
    let sale = json!({ "negocio_id": NEGOCIO, "saleId": number, "tableId": null, "total": 1, "timestamp": "t" });
    assert_eq!(pulso.post("/notify/venta", &sale.to_string()).await.status, 200);
    let order = json!({ "entity": "order", "id": number.to_string(), "payload": {} }).to_string();
    assert_eq!(pulso.post("/notify/sync", &order).await.status, 200);
    assert_eq!(pulso.get(&signed("/sse", &owner())).await.status, 400);
}

#[tokio::test]
async fn every_expression_of_the_alerts_and_of_the_board_is_one_and_has_series_where_there_is_work() {
    let database = database().await;
    let configured = pulso(&database.url()).with("NOTIFY_API_KEY", HOOK_KEY).with("CLOUD_API_KEY", "llave-de-la-nube");
    let configured = configured.with("QUERIES_DIR", QUERIES);
    configured.migrate().await;
    let pulso = configured.ready().await;
    let prometheus = Prometheus::start(&pulso).await;
    // Rates need scrapes that differ.
    for number in 0..3 {
        work(&pulso, number).await;
        prometheus.until_there_is(&format!("pulso_notices_total > {number}")).await;
    }
    prometheus.until_there_is("rate(pulso_notices_total[1m]) > 0").await;

    let mut metrics = BTreeSet::new();
    for alert in alerts() {
        let expression = alert["expr"].as_str().unwrap();
        prometheus.ask(expression).await;
        metrics.append(&mut named(expression));
    }
    for panel in expressions() {
        let expression = panel.replace("$job", ".+").replace("$instance", ".+").replace("$__rate_interval", "1m");
        prometheus.ask(&expression).await;
        metrics.append(&mut named(&expression));
    }
    for metric in metrics.iter().filter(|metric| !NOT_MADE.contains(&metric.as_str())) {
        let all = format!("{{__name__=~\"{metric}|{metric}_count\"}}");
        assert!(!prometheus.ask(&all).await.is_empty(), "{metric} has no series");
    }
    let book = prometheus.ask("pulso:book").await;
    assert!(book[0]["metric"]["address"].as_str().unwrap().starts_with("https://"), "{book:?}");
    let firing = prometheus.ask("ALERTS{alertstate=\"firing\"}").await;
    assert!(firing.is_empty(), "nothing is wrong: {firing:?}");
}
