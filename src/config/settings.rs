//! The table of all settings, for `--help`, for the book and for finding misspelt names: `settings.txt`. `env` reads
//! exactly these variables; a test holds the two together.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::described::{Entry, Language, entries, plain};
use crate::feeds::Feed;
use crate::feeds::definition::Definition;

/// One environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    /// As an operator would write it, or `required` or `unset`.
    pub default: &'static str,
    described: Entry,
}

impl Setting {
    fn of(described: Entry) -> Self {
        Self { name: described.name, default: described.facts.first().copied().unwrap_or_default(), described }
    }

    /// What it means, in Markdown.
    pub fn meaning(&self, language: Language) -> &'static str {
        self.described.said(language).first().copied().unwrap_or_default()
    }
}

/// Every variable `pulso serve` reads, in the order of the book.
pub static SETTINGS: LazyLock<Vec<Setting>> =
    LazyLock::new(|| entries(include_str!("settings.txt")).into_iter().map(Setting::of).collect());

/// The table as text, for `pulso serve --help`.
pub fn settings_help() -> String {
    let width = SETTINGS.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    let mut out = String::from("Settings, from the environment or a .env file in the current directory:\n");
    for setting in SETTINGS.iter() {
        let Setting { name, default, .. } = setting;
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {name:width$}  {} [{default}]", plain(setting.meaning(Language::En)));
    }
    out.push_str("\nFeeds:\n");
    for Definition { word, about, .. } in Feed::ALL.map(Feed::definition) {
        let _ = writeln!(out, "  {word:width$}  {about}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_setting_and_every_feed_on_a_line_of_its_own() {
        let help = settings_help();
        assert_eq!(help.lines().count(), SETTINGS.len() + Feed::ALL.len() + 3);
        assert!(Feed::ALL.iter().all(|feed| help.contains(&format!("\n  {} ", feed.word()))));
        assert!(SETTINGS.iter().all(|setting| help.contains(&format!("\n  {} ", setting.name))));
        assert!(help.contains("query, or rollup: read the counters that pulso migrate --rollup installs [query]\n"));
    }

    #[test]
    fn every_setting_has_a_default_and_a_meaning_in_each_language() {
        for setting in SETTINGS.iter() {
            assert!(setting.name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{}", setting.name);
            let [_] = setting.described.facts[..] else { panic!("{}: one default", setting.name) };
            for language in [Language::En, Language::Es] {
                let [meaning] = setting.described.said(language) else { panic!("{}: one meaning", setting.name) };
                assert!(!meaning.is_empty(), "{}", setting.name);
            }
        }
        let blocks = include_str!("settings.txt").matches("\nes | ").count();
        assert_eq!(blocks, SETTINGS.len(), "an entry is not whole");
    }
}
