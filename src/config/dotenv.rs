//! The process's environment with a `.env` file behind it: where settings come from outside of tests.
//!
//! Must not know what the settings mean.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

use super::{Mistake, Warning};

/// Names and values; the real environment wins over the file.
pub(super) struct Environment {
    values: BTreeMap<String, String>,
    pub mistakes: Vec<Mistake>,
    pub warnings: Vec<Warning>,
}

impl Environment {
    /// The process's environment and `file`, which may be absent; a folder of its name, or a file of somebody else's that
    /// cannot be opened, says nothing of this process's settings. Of values that are not UTF-8 those that `is_ours`
    /// knows are mistakes; the rest are nobody's business.
    pub(super) fn load(file: &Path, is_ours: impl Fn(&str) -> bool) -> Self {
        let mut environment = Self { values: BTreeMap::new(), mistakes: Vec::new(), warnings: Vec::new() };
        match std::fs::read_to_string(file) {
            Ok(text) => environment.read_file(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::InvalidData => environment.mistakes.push(Mistake::new(
                ".env",
                format!("the file cannot be read ({})", error.kind()),
                "Write it as UTF-8 text, or remove it",
            )),
            Err(error) => environment.warnings.push(Warning {
                variable: ".env".to_owned(),
                text: format!("not read ({}); the settings are those of the environment alone", error.kind()),
            }),
        }
        environment.read_process(std::env::vars_os(), is_ours);
        environment
    }

    /// What is wrong, for who lacks something: a file that was not read likely has it.
    pub(super) fn causes(&self) -> impl Iterator<Item = Mistake> {
        let unread = self.warnings.iter().map(|unread| {
            Mistake::new(
                &unread.variable,
                unread.text.as_str(),
                "Make it a readable file, or set everything without it",
            )
        });
        self.mistakes.iter().cloned().chain(unread)
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    fn read_file(&mut self, text: &str) {
        // Some editors put a byte order mark before a text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for line in dotenvy::from_read_iter(text.as_bytes()) {
            match line {
                Ok((name, value)) => {
                    // The first of two lines counts, as for dotenv everywhere.
                    self.values.entry(name).or_insert(value);
                }
                // The error's own text is the line, which may hold a secret.
                Err(error) => {
                    let number = match &error {
                        dotenvy::Error::LineParse(line, _) => text.lines().position(|other| other == line),
                        _ => None,
                    };
                    let place = number.map_or_else(|| "a line".to_owned(), |number| format!("line {}", number + 1));
                    self.mistakes.push(Mistake::new(
                        ".env",
                        format!("{place} is not NAME=value"),
                        "Put values with spaces, #, $ or quotes between single quotes",
                    ));
                }
            }
        }
    }

    fn read_process(&mut self, vars: impl Iterator<Item = (OsString, OsString)>, is_ours: impl Fn(&str) -> bool) {
        for (name, value) in vars {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                // An empty variable counts as unset, so it hides nothing.
                Ok(value) if value.is_empty() => {}
                Ok(value) => {
                    self.values.insert(name, value);
                }
                Err(_) if is_ours(&name) => {
                    self.mistakes.push(Mistake::new(&name, "its value is not UTF-8 text", "Write it in UTF-8"));
                }
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(file: &str, process: &[(&str, &str)]) -> Environment {
        let mut environment = Environment { values: BTreeMap::new(), mistakes: Vec::new(), warnings: Vec::new() };
        environment.read_file(file);
        environment.read_process(process.iter().map(|(n, v)| (n.into(), v.into())), |_| true);
        environment
    }

    #[test]
    fn the_real_environment_wins_over_the_file() {
        let environment = environment("PORT=1\nTIMEZONE='UTC'\nLOG_LEVEL=debug\n", &[("PORT", "2"), ("LOG_LEVEL", "")]);
        assert_eq!(environment.get("PORT").as_deref(), Some("2"));
        assert_eq!(environment.get("TIMEZONE").as_deref(), Some("UTC"));
        assert_eq!(environment.get("LOG_LEVEL").as_deref(), Some("debug"));
    }

    #[test]
    fn a_bad_line_is_named_by_number_and_never_shown() {
        let environment = environment("PORT=1\n# comment\nJWT_SECRET top secret value\nLOG_LEVEL=debug\n", &[]);
        assert_eq!(environment.mistakes.len(), 1);
        let text = environment.mistakes[0].to_string();
        assert!(text.starts_with(".env: line 3 "), "{text}");
        assert!(!text.contains("top"), "{text}");
        assert_eq!(environment.get("LOG_LEVEL").as_deref(), Some("debug"));
    }

    #[test]
    fn a_byte_order_mark_before_the_file_is_skipped() {
        let environment = environment("\u{feff}PORT=1\n", &[]);
        assert!(environment.mistakes.is_empty());
        assert_eq!(environment.get("PORT").as_deref(), Some("1"));
    }

    #[test]
    fn a_folder_in_the_files_place_is_a_warning_and_blamed_when_something_is_missing() {
        let environment = Environment::load(Path::new("/"), |_| true);
        assert!(environment.mistakes.is_empty());
        assert!(environment.warnings[0].to_string().starts_with(".env: not read ("));
        assert_eq!(environment.causes().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_there_is_no_mistake() {
        let environment = Environment::load(Path::new("/nonexistent/.env"), |_| true);
        assert!(environment.mistakes.is_empty() && environment.warnings.is_empty());
        assert!(environment.names().any(|name| name == "PATH"));
    }
}
