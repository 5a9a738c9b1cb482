//! Reads one variable at a time and collects what is wrong with it. Knows the forms (number, duration, flag, list),
//! not the settings.
//!
//! Must never show the value of a secret: those are read with [`Reader::secret`], and problems never quote them.

use std::fmt;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::{Secret, duration};

/// One setting that cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub variable: String,
    /// What is wrong, in words that fit after the variable's name.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl Mistake {
    pub fn new(variable: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { variable: variable.to_owned(), problem: problem.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.variable, self.problem, self.remedy)
    }
}

impl std::error::Error for Mistake {}

/// A setting that works but that the operator should know about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub variable: String,
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.text)
    }
}

/// The environment as the settings see it, and everything found wrong so far.
pub(super) struct Reader<'a> {
    vars: &'a dyn Fn(&str) -> Option<String>,
    pub mistakes: Vec<Mistake>,
    pub warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(vars: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { vars, mistakes: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn mistake(&mut self, variable: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.mistakes.push(Mistake::new(variable, problem, remedy));
    }

    pub(super) fn warn(&mut self, variable: &str, text: impl Into<String>) {
        self.warnings.push(Warning { variable: variable.to_owned(), text: text.into() });
    }

    /// The value without surrounding white space; empty counts as unset.
    pub(super) fn text(&self, variable: &str) -> Option<String> {
        (self.vars)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The value to the letter; empty counts as unset.
    pub(super) fn secret(&self, variable: &str) -> Option<Secret> {
        (self.vars)(variable).filter(|value| !value.is_empty()).map(Secret::new)
    }

    /// The parts between commas, without white space or empty ones.
    pub(super) fn list(&self, variable: &str) -> Option<Vec<String>> {
        let value = self.text(variable)?;
        Some(value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    pub(super) fn flag(&mut self, variable: &str) -> bool {
        self.choice(variable, &[("false", false), ("true", true), ("0", false), ("1", true)], false)
    }

    /// One of a few words, in any case.
    pub(super) fn choice<T: Copy>(&mut self, variable: &str, words: &[(&str, T)], default: T) -> T {
        let Some(value) = self.text(variable) else { return default };
        if let Some((_, choice)) = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&value)) {
            return *choice;
        }
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        self.mistake(
            variable,
            format!("{} is not a choice", quote(&value)),
            format!("Write one of: {}", known.join(", ")),
        );
        default
    }

    pub(super) fn number<T>(&mut self, variable: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display,
    {
        self.number_or_unset(variable, range).unwrap_or(default)
    }

    pub(super) fn number_or_unset<T>(&mut self, variable: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let value = self.text(variable)?;
        let number = value.parse::<T>().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let remedy = format!("Write a whole number from {} to {}", range.start(), range.end());
            self.mistake(variable, format!("{} cannot be used", quote(&value)), remedy);
        }
        number
    }

    pub(super) fn duration(&mut self, variable: &str, default: Duration, range: RangeInclusive<Duration>) -> Duration {
        let Some(value) = self.text(variable) else { return default };
        match duration::parse(&value) {
            Some(duration) if range.contains(&duration) => duration,
            parsed => {
                let problem = if parsed.is_some() { "is out of range" } else { "is not a duration" };
                let remedy = format!(
                    "Write a duration such as 300ms, 10s, 5m, 2h or 7d, from {} to {}",
                    duration::render(*range.start()),
                    duration::render(*range.end())
                );
                self.mistake(variable, format!("{} {problem}", quote(&value)), remedy);
                default
            }
        }
    }
}

/// An operator's own text for a message: escaped, and short enough to read.
pub(crate) fn quote(value: &str) -> String {
    let short: String = value.chars().take(60).collect();
    if short.len() < value.len() { format!("{short:?}…") } else { format!("{short:?}") }
}
