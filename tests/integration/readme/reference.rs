//! The book's reference is what the program prints, to the letter, and has every setting.
//!
//! `RENEW_REFERENCE=1 cargo test --test integration readme::reference` writes the tables anew, and fails if they were other.

use std::env;
use std::fs;
use std::process::Command;

use pulso::config::SETTINGS;
use pulso_harness::process::run;

use super::book::folder;

const RENEW: &str = "RENEW_REFERENCE";
const TOPICS: [&str; 4] = ["settings", "metrics", "close-codes", "errors"];

#[test]
fn the_books_tables_are_those_that_the_program_prints() {
    let mut stale = Vec::new();
    for (topic, language) in TOPICS.iter().flat_map(|topic| ["en", "es"].map(|language| (topic, language))) {
        let mut pulso = Command::new(env!("CARGO_BIN_EXE_pulso"));
        let printed = run(pulso.env_clear().args(["reference", topic, "--format", "md", "--lang", language]), topic);
        let page = folder(language).join(format!("reference/{topic}.md"));
        let text = fs::read_to_string(&page).unwrap();
        let (before, rest) = text.split_once(&format!("<!-- pulso reference {topic} -->\n")).unwrap();
        let (found, after) = rest.split_once("<!-- end -->\n").unwrap();
        let wanted = format!("\n{printed}\n");
        if found != wanted {
            stale.push(page.display().to_string());
            if env::var_os(RENEW).is_some() {
                let renewed = format!("{before}<!-- pulso reference {topic} -->\n{wanted}<!-- end -->\n{after}");
                fs::write(&page, renewed).unwrap();
            }
        }
    }
    assert!(stale.is_empty(), "not what `pulso reference` prints ({RENEW}=1 writes it anew): {stale:?}");
}

/// The settings' table of a page: name and default, in order.
fn settings(language: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(folder(language).join("reference/settings.md")).unwrap();
    let table = text.split_once("<!-- end -->").unwrap().0;
    let row = |line: &str| {
        let (name, rest) = line.strip_prefix("| `")?.split_once('`')?;
        Some((name.to_owned(), rest.split('|').nth(1)?.trim().to_owned()))
    };
    table.lines().filter_map(row).collect()
}

#[test]
fn the_book_lists_every_setting_with_its_default_in_both_languages() {
    let wanted = |required: &str, unset: &str| -> Vec<(String, String)> {
        let said = |default: &str| match default {
            "required" => required.to_owned(),
            "unset" => unset.to_owned(),
            value => value.to_owned(),
        };
        SETTINGS.iter().map(|setting| (setting.name.to_owned(), said(setting.default))).collect()
    };
    assert_eq!(settings("en"), wanted("required", "unset"));
    assert_eq!(settings("es"), wanted("obligatoria", "sin valor"));
}
