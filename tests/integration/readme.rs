//! What people read says the same in both languages, and names every setting as the server knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pulso::config::SETTINGS;
use pulso::dialect::{canal, fields};
use pulso::hub::history::{KEPT_BYTES, KEPT_EVENTS, KEPT_FOR};
use pulso::idempotency::{REMEMBERED, REMEMBERED_FOR};
use pulso::negocio::MAX_ID_BYTES;

const ENGLISH: &str = include_str!("../../README.md");
const SPANISH: &str = include_str!("../../README.es.md");
const EXAMPLE: &str = include_str!("../../.env.example");

/// The fenced blocks, with their languages, and the headings' levels.
fn outline(text: &str) -> (Vec<String>, Vec<usize>) {
    let (mut blocks, mut levels, mut open) = (Vec::new(), Vec::new(), None::<String>);
    for line in text.lines() {
        match (&mut open, line.starts_with("```")) {
            (None, true) => open = Some(format!("{line}\n")),
            (Some(_), true) => blocks.extend(open.take()),
            (Some(block), false) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, false) if line.starts_with('#') => levels.push(line.len() - line.trim_start_matches('#').len()),
            (None, false) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    (blocks, levels)
}

/// The settings' table: name and default, in order.
fn settings(text: &str, heading: &str) -> Vec<(String, String)> {
    let section = text.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    section
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("| `")?.split_once('`')?;
            Some((name.to_owned(), rest.split('|').nth(1)?.trim().to_owned()))
        })
        .collect()
}

#[test]
fn both_readmes_have_the_same_code_and_the_same_outline() {
    let ((blocks, levels), (bloques, niveles)) = (outline(ENGLISH), outline(SPANISH));
    assert!(blocks.len() > 15 && levels.len() > 20);
    for (english, spanish) in blocks.iter().zip(&bloques) {
        assert_eq!(english, spanish);
    }
    assert_eq!(blocks.len(), bloques.len());
    assert_eq!(levels, niveles);
}

#[test]
fn both_readmes_list_every_setting_with_its_default() {
    let wanted = |required: &str, unset: &str| -> Vec<(String, String)> {
        let said = |default: &str| match default {
            "required" => required.to_owned(),
            "unset" => unset.to_owned(),
            value => value.to_owned(),
        };
        SETTINGS.iter().map(|setting| (setting.name.to_owned(), said(setting.default))).collect()
    };
    assert_eq!(settings(ENGLISH, "Settings"), wanted("required", "unset"));
    assert_eq!(settings(SPANISH, "Configuración"), wanted("obligatoria", "sin valor"));
}

/// A number that only its own file knows.
fn private(source: &str, name: &str) -> usize {
    let value = source.split(&format!("const {name}: usize = ")).nth(1).unwrap().split(';').next().unwrap();
    value.split('*').map(|factor| factor.trim().replace('_', "").parse::<usize>().unwrap()).product()
}

#[test]
fn both_readmes_name_the_fixed_limits_as_the_code_has_them() {
    let wanted: Vec<String> = [
        fields::MAX_DEPTH,
        MAX_ID_BYTES,
        private(include_str!("../../src/http/hooks.rs"), "MAX_KEY_BYTES"),
        usize::try_from(REMEMBERED_FOR.as_secs() / 3_600).unwrap(),
        REMEMBERED as usize,
        canal::MAX_NAME_CHARS,
        KEPT_EVENTS,
        usize::try_from(KEPT_FOR.as_secs() / 60).unwrap(),
        KEPT_BYTES,
        private(include_str!("../../src/auth/token/dismissed.rs"), "REMEMBERED"),
        private(include_str!("../../src/http/accept.rs"), "MAX_HEAD_BYTES"),
    ]
    .map(|limit| limit.to_string())
    .to_vec();
    for (text, heading) in [(ENGLISH, "\n### Fixed limits\n"), (SPANISH, "\n### Límites fijos\n")] {
        let section = text.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
        let in_ticks = section.split('`').skip(1).step_by(2);
        let named: Vec<&str> = in_ticks.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).collect();
        assert_eq!(named, wanted);
    }
}

/// A heading's name in a link to it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    heading.chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one)).collect::<String>().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    for text in [ENGLISH, SPANISH] {
        let anchors: BTreeSet<String> = text.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
        let links: Vec<&str> = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
        assert!(links.len() > 20);
        for link in links {
            match link.strip_prefix('#') {
                Some(name) => assert!(anchors.contains(name), "#{name}"),
                None => assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(), "{link}"),
            }
        }
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
    // For compose.yaml's database alone.
    assert!(shown.remove("POSTGRES_PASSWORD").is_some());
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
    assert!(ENGLISH.contains(statement), "{statement}");
}
