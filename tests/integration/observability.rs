//! What operators put around a server: alerts, a board, a unit file, manifests, proxies. Each is tried by the program that it
//! is for.

mod alerts;
mod dashboard;
mod kubernetes;
mod prometheus;
mod proxies;
mod systemd;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pulso_harness::process::run;
use pulso_harness::script::{installed, python_tool};
use serde_json::Value;

const METRICS: &str = include_str!("../../docs/book/en/src/reference/metrics.md");

/// A file or a folder of `ops/`.
fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ops").join(path)
}

/// What YAML says.
fn yaml(path: &Path) -> Value {
    let said = run(python_tool("python").arg(installed("yaml_json.py")).arg(path), "a reader of YAML");
    serde_json::from_str(&said).unwrap()
}

/// The metrics that an expression names, as they are described.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !(letter.is_ascii_alphanumeric() || "_:".contains(letter)));
    let metrics = words.filter(|word| word.starts_with("pulso_") || word.starts_with("process_"));
    let described = |metric: &str| METRICS.contains(&format!("| `{metric}` |"));
    let parts = ["_bucket", "_count", "_sum"];
    metrics
        .map(|metric| {
            let whole = parts.iter().find_map(|part| metric.strip_suffix(part)).filter(|whole| described(whole));
            whole.unwrap_or(metric).to_owned()
        })
        .collect()
}

/// Fails unless an expression names metrics that there are.
fn assert_described(expression: &str) {
    let named = named(expression);
    assert!(!named.is_empty() || expression.contains("up{"), "{expression} is about nothing");
    for metric in named {
        assert!(METRICS.contains(&format!("| `{metric}` |")), "{expression} names {metric}, which there is not");
    }
}
