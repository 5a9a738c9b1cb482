//! The board of Grafana: made by its script, right to the types of Grafana's own library, about metrics that there are.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use pulso_harness::process::{find, run};
use serde_json::Value;

use super::{assert_described, shipped};

fn board() -> String {
    fs::read_to_string(shipped("grafana/pulso.json")).unwrap()
}

/// Every expression of every panel.
pub(super) fn expressions() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| collect(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(&board()).unwrap(), &mut found);
    assert!(found.len() > 50, "{} expressions", found.len());
    found
}

#[test]
fn the_board_is_what_its_script_makes_and_its_types_are_right() {
    let folder = shipped("grafana");
    let installed = folder.join("node_modules/.package-lock.json");
    assert!(installed.exists(), "{} is missing: run tests/run once", installed.display());
    let made = run(Command::new(find("node", "nodejs")).arg("board.mjs").current_dir(&folder), "the board's script");
    assert!(made == board(), "ops/grafana/pulso.json is not what its script makes: npm run build");
    run(Command::new("node_modules/.bin/tsc").args(["--project", "."]).current_dir(&folder), "tsc");
}

#[test]
fn every_expression_of_the_board_is_about_metrics_that_there_are_and_about_the_chosen_nodes() {
    for expression in expressions() {
        assert_described(&expression);
        assert!(expression.contains(r#"{job=~"$job", instance=~"$instance""#), "{expression}");
    }
}

#[test]
fn the_board_has_its_rows_and_asks_for_a_job_and_an_instance() {
    let board: Value = serde_json::from_str(&board()).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let rows: Vec<&str> =
        panels.iter().filter(|panel| panel["type"] == "row").map(|row| row["title"].as_str().unwrap()).collect();
    let wanted =
        ["Overview", "Latency", "Database", "Hooks", "Connections", "Events", "Live queries", "Nodes", "Process"];
    assert_eq!(rows, wanted);
    let variables = board["templating"]["list"].as_array().unwrap().iter();
    let variables: BTreeSet<&str> = variables.map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(variables, BTreeSet::from(["datasource", "instance", "job"]));
}
