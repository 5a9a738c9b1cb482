//! What people read says the same in both languages, and names every setting as the server knows it.

use std::collections::BTreeMap;

use pulso::config::SETTINGS;

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
