//! What people read says the same in both languages, names every setting as the server knows it, and each of its blocks
//! does what it says.

pub mod blocks;
pub mod book;
mod browser;
mod built;
mod console;
mod demo;
mod environment;
mod links;
mod providers;
mod proxy;
mod queries;
mod recipes;
mod redis;
mod reference;
mod shell;
mod tour;

use std::collections::BTreeMap;
use std::time::Duration;

use pulso::access::keys::{BETWEEN_FETCHES, KEPT_AT_LEAST, KEPT_AT_MOST, MAX_BYTES, MAX_KEYS, PATIENCE};
use pulso::config::{MAX_BRIDGE_WAITING, MAX_DISMISSED, MAX_HEAD_BYTES, MAX_KEY_BYTES, MAX_VERIFIED, SETTINGS};
use pulso::feeds::Feed;
use pulso::hub::history::{KEPT_BYTES, KEPT_EVENTS, KEPT_FOR};
use pulso::idempotency::{REMEMBERED, REMEMBERED_FOR};
use pulso::json::MAX_DEPTH;
use pulso::model::{MAX_ID_BYTES, MAX_NAME_CHARS};

const ENGLISH: &str = include_str!("../../README.md");
const SPANISH: &str = include_str!("../../README.es.md");
const EXAMPLE: &str = include_str!("../../.env.example");

/// The headings' levels.
fn outline(text: &str) -> Vec<usize> {
    let (mut levels, mut is_open) = (Vec::new(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            is_open = !is_open;
        } else if !is_open && line.starts_with('#') {
            levels.push(line.len() - line.trim_start_matches('#').len());
        }
    }
    assert!(!is_open, "a block is not closed");
    levels
}

#[test]
fn both_readmes_have_the_same_outline() {
    let levels = outline(ENGLISH);
    assert!(levels.len() > 3);
    assert_eq!(levels, outline(SPANISH));
}

#[test]
fn both_readmes_are_read_in_one_go() {
    for text in [ENGLISH, SPANISH] {
        assert!(text.len() <= 8_000, "{} bytes: what of it belongs into the book?", text.len());
    }
}

#[test]
fn the_book_lists_every_feed_with_its_word_and_its_hooks() {
    let known: Vec<(&str, Vec<&str>)> = Feed::ALL
        .iter()
        .map(|feed| (feed.word(), feed.definition().hooks.iter().map(|hook| hook.path).collect()))
        .collect();
    for language in ["en", "es"] {
        let section = book::page(language, "feeds.md");
        let rows = section.lines().filter(|line| line.starts_with("| ["));
        let in_ticks = |cell: &'static str| cell.split('`').skip(1).step_by(2).collect::<Vec<_>>();
        let listed: Vec<(&str, Vec<&str>)> = rows
            .map(|row| {
                let cells: Vec<&'static str> = row.split('|').collect();
                (in_ticks(cells[2])[0], in_ticks(cells[5]))
            })
            .collect();
        for (word, hooks) in &known {
            let found = listed.iter().find(|(listed, _)| listed == word);
            assert_eq!(found.map(|(_, listed)| listed), Some(hooks), "{language} {word}");
        }
        assert_eq!(listed.len(), known.len(), "{language}");
    }
}

#[test]
fn the_book_names_the_fixed_limits_as_the_code_has_them() {
    let seconds = |time: Duration| usize::try_from(time.as_secs()).unwrap();
    let wanted: Vec<String> = [
        MAX_DEPTH,
        MAX_ID_BYTES,
        MAX_KEY_BYTES,
        seconds(REMEMBERED_FOR) / 3_600,
        REMEMBERED as usize,
        MAX_NAME_CHARS,
        KEPT_EVENTS,
        seconds(KEPT_FOR) / 60,
        KEPT_BYTES,
        MAX_DISMISSED,
        MAX_VERIFIED,
        MAX_BYTES,
        MAX_KEYS,
        seconds(PATIENCE),
        seconds(KEPT_AT_LEAST) / 60,
        seconds(KEPT_AT_MOST) / 60,
        seconds(BETWEEN_FETCHES),
        MAX_HEAD_BYTES,
        MAX_BRIDGE_WAITING,
    ]
    .map(|limit| limit.to_string())
    .to_vec();
    for (language, heading) in [("en", "\n## Fixed limits\n"), ("es", "\n## Límites fijos\n")] {
        let section = book::page(language, "reference/settings.md").split(heading).nth(1).unwrap();
        let in_ticks = section.split('`').skip(1).step_by(2);
        let named: Vec<&str> = in_ticks.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).collect();
        assert_eq!(named, wanted);
    }
}

#[test]
fn the_example_of_an_environment_names_every_setting_with_its_default() {
    let mut shown = BTreeMap::new();
    for line in EXAMPLE.lines() {
        let setting = line.strip_prefix('#').unwrap_or(line);
        if let Some((name, value)) = setting.split_once('=')
            && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
        {
            let is_set = !line.starts_with('#');
            assert!(shown.insert(name, (is_set, value)).is_none(), "{name} stands there twice");
        }
    }
    // For the compose files alone.
    assert!(shown.remove("POSTGRES_PASSWORD").is_some() && shown.remove("REDIS_PASSWORD").is_some());
    let known: BTreeMap<&str, (bool, &str)> = SETTINGS
        .iter()
        .map(|setting| match setting.default {
            "required" => (setting.name, (true, "")),
            "unset" => (setting.name, (false, "")),
            value => (setting.name, (false, value)),
        })
        .collect();
    assert_eq!(shown, known);
}

#[test]
fn the_index_that_is_shown_is_the_one_that_is_shipped() {
    let shipped = include_str!("../../sql/index.postgres.sql");
    let statement = shipped.lines().find(|line| line.starts_with("CREATE INDEX")).unwrap();
    assert!(blocks::block("index").text.contains(statement), "{statement}");
}
