//! `@pulso/client` in what runs JavaScript outside of a browser: each finds the package by its own rules, and keeps a line by its
//! own sockets and its own `fetch`.

use std::fs;
use std::path::Path;
use std::process::Command;

use pulso_harness::script::installed;
use pulso_harness::{ChaosProxy, Running, SECRET, Scratch, Transcript, token};
use serde_json::{Value, json};

use super::packed;
use crate::business::{NEGOCIO, citas, owner};
use crate::feeds::open;

struct Runtime {
    /// Of its package in `tests/clients/runtimes`.
    name: &'static str,
    program: &'static str,
    /// Before the script: nothing is fetched, everything is allowed.
    arguments: &'static [&'static str],
}

const RUNTIMES: [Runtime; 5] = [
    // It has no WebSocket of its own: it is given that of `ws`.
    Runtime { name: "node-20", program: "bin/node", arguments: &[] },
    Runtime { name: "node-22", program: "bin/node", arguments: &[] },
    Runtime { name: "node-24", program: "bin/node", arguments: &[] },
    Runtime {
        name: "deno",
        program: "deno",
        arguments: &["run", "--allow-all", "--no-remote", "--node-modules-dir=manual"],
    },
    Runtime { name: "bun", program: "bin/bun", arguments: &["--no-install"] },
];
const TRANSPORTS: [&str; 2] = ["websocket", "sse"];
/// Seconds that the first token lives.
const FIRST: i64 = 15;

/// A folder as somebody has it who has installed the package and `ws`.
fn application() -> Scratch {
    let folder = packed::folder_with(&["client"]);
    let ws = fs::canonicalize(installed("node_modules/ws")).unwrap();
    std::os::unix::fs::symlink(ws, folder.path().join("node_modules/ws")).unwrap();
    folder.write("package.json", r#"{"type":"module","dependencies":{"@pulso/client":"*","ws":"*"}}"#);
    folder.write("program.mjs", &fs::read_to_string(installed("package_runtime.mjs")).unwrap());
    folder
}

/// A program in one of them, over a line of its own.
struct Run {
    what: String,
    line: ChaosProxy,
    program: Transcript,
}

impl Run {
    async fn start(runtime: &Runtime, transport: &str, pulso: &Running, folder: &Path) -> Self {
        let line = ChaosProxy::start(pulso.port()).await;
        let home = fs::canonicalize(installed(&format!("runtimes/node_modules/{}", runtime.name))).unwrap();
        let tokens = [FIRST, 3_600].map(|seconds| owner().expiring_in(seconds).sign(SECRET));
        let url = format!("http://127.0.0.1:{}", line.port());
        let mut command = Command::new(home.join(runtime.program));
        command
            .args(runtime.arguments)
            .arg(folder.join("program.mjs"))
            .args([url.as_str(), transport, NEGOCIO])
            .args(tokens);
        command.env("DENO_DIR", folder.join("deno")).env("DENO_NO_UPDATE_CHECK", "1");
        Self { what: format!("{} {transport}", runtime.name), line, program: Transcript::of(&command) }
    }

    async fn until(&self, wanted: &Value) {
        let wanted = wanted.to_string();
        let what = format!("{wanted}, {}", self.what);
        self.program.until_it(&what, |text| text.lines().any(|line| line == wanted)).await;
    }

    /// All that it said under `name`.
    fn said(&self, name: &str) -> Vec<Value> {
        self.program.objects().into_iter().filter_map(|object| object.get(name).cloned()).collect()
    }
}

async fn publish(pulso: &Running, kind: &str, n: u64) {
    let body = json!({ "channel": format!("canal:{NEGOCIO}:caja"), "type": kind, "data": { "n": n } });
    assert_eq!(pulso.post("/api/publish", &body.to_string()).await.status, 200);
}

#[tokio::test]
async fn in_every_runtime_it_renews_resumes_and_lets_the_process_end() {
    let (pulso, database) = open().await;
    let folder = tokio::task::spawn_blocking(application).await.unwrap();
    let mut runs = Vec::new();
    for runtime in &RUNTIMES {
        for transport in TRANSPORTS {
            runs.push(Run::start(runtime, transport, &pulso, folder.path()).await);
        }
    }
    for run in &runs {
        run.until(&json!({ "citas": 0 })).await;
        run.until(&json!({ "caja": "live" })).await;
    }
    let expired = token::now() + FIRST + 1;
    citas(&database, NEGOCIO, 2, "pendiente", "'2020-01-01'").await;
    pulso.notify(NEGOCIO).await;
    publish(&pulso, "turno", 1).await;
    for run in &runs {
        run.until(&json!({ "citas": 2 })).await;
        run.until(&json!({ "turno": 1 })).await;
        run.until(&json!({ "asked": "expiring" })).await;
    }

    // The first token is over, and nothing else has happened.
    while token::now() < expired {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    publish(&pulso, "turno", 2).await;
    for run in &runs {
        run.until(&json!({ "turno": 2 })).await;
        assert_eq!(run.said("asked"), ["first", "expiring"], "{}: {}", run.what, run.program.text());
        assert_eq!(run.said("caja"), ["live"], "{}: {}", run.what, run.program.text());
        run.line.refuse().await;
    }
    for n in 3..=5 {
        publish(&pulso, "turno", n).await;
    }
    for run in &runs {
        run.until(&json!({ "caja": "stale" })).await;
        run.line.restore().await;
    }
    for run in &runs {
        run.until(&json!({ "turno": 5 })).await;
    }
    publish(&pulso, "fin", 6).await;
    for mut run in runs {
        let code = run.program.ended().await;
        assert_eq!(code, Some(0), "{}: {}", run.what, run.program.text());
        assert_eq!(run.said("turno"), [1, 2, 3, 4, 5], "{}: {}", run.what, run.program.text());
        assert!(run.said("lost").is_empty(), "{}: {}", run.what, run.program.text());
    }
}
