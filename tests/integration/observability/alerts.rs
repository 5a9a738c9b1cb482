//! The alerts: each is right to Prometheus, fires and does not, and leads to a page of the book.

use std::process::Command;

use pulso_harness::process::{find, run};
use serde_json::Value;

use super::{assert_described, shipped, yaml};
use crate::readme::book;

fn promtool(arguments: &[&str]) {
    let mut promtool = Command::new(find("promtool", "prometheus"));
    run(promtool.args(arguments).current_dir(shipped("prometheus")), "promtool");
}

/// Every rule that alerts.
pub(super) fn alerts() -> Vec<Value> {
    let rules = yaml(&shipped("prometheus/rules.yml"));
    let groups = rules["groups"].as_array().unwrap();
    let all = groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone());
    all.filter(|rule| rule["alert"].is_string()).collect()
}

#[test]
fn prometheus_takes_the_rules_and_each_alert_fires_where_it_should_and_not_where_it_should_not() {
    promtool(&["check", "rules", "rules.yml"]);
    promtool(&["test", "rules", "rules.test.yml"]);
    let tests = yaml(&shipped("prometheus/rules.test.yml"));
    let tests = tests["tests"].as_array().unwrap();
    for alert in alerts() {
        let name = &alert["alert"];
        let test = tests.iter().find(|test| test["alert_rule_test"][0]["alertname"] == *name);
        let test = test.unwrap_or_else(|| panic!("{name} is not tested"));
        assert!(!test["alert_rule_test"][0]["exp_alerts"].as_array().unwrap().is_empty(), "{name} fires nowhere");
        assert!(test["input_series"].to_string().contains(r#"instance=\"b\""#), "{name}: what does not fire it?");
    }
}

#[test]
fn every_alert_is_about_metrics_that_there_are_and_leads_to_its_page_in_both_languages() {
    let rules = std::fs::read_to_string(shipped("prometheus/rules.yml")).unwrap();
    assert_eq!(rules.matches("https://").count(), 1, "the book's address is one line");
    let mut pages = vec!["operate/alerts.md".to_owned()];
    for alert in alerts() {
        assert_described(alert["expr"].as_str().unwrap());
        let (summary, url) = (&alert["annotations"]["summary"], alert["annotations"]["runbook_url"].as_str().unwrap());
        assert!(summary.as_str().is_some_and(|summary| summary.len() > 20), "{alert}");
        assert!(["page", "ticket"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{alert}");
        let page = format!("operate/{}.md", url.rsplit("}}").next().unwrap().strip_suffix(".html").unwrap());
        for language in ["en", "es"] {
            let name = alert["alert"].as_str().unwrap();
            assert!(
                book::page(language, &page).contains(&format!("`{name}`")),
                "{language}/{page} is not about {name}"
            );
        }
        pages.push(page);
    }
    for page in book::files("en").filter(|page| page.starts_with("operate/")) {
        assert!(pages.contains(&page), "{page} is of no alert");
    }
}
