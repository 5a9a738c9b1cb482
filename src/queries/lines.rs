//! The lines `-- word: value` of a file: what each may say, and what holds where it is not there.
//!
//! Must not know files, nor the statement behind the lines.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Hint, ResultForm};
use crate::config::{duration, nearest, quote, zone};
use crate::feeds::{self, Feed};

/// The words that a line may begin with.
pub(super) const WORDS: [&str; 9] =
    ["access", "key", "hints", "result", "every", "min_gap", "max_rows", "max_bytes", "timezone"];

/// `max_rows` and `max_bytes` where a file does not say them.
pub const MAX_ROWS: usize = 500;
pub const MAX_BYTES: usize = 65_536;
/// How far they go: what is sent stands in memory, for everybody who waits for it.
const MOST_ROWS: usize = 100_000;
const MOST_BYTES: usize = 1_048_576;
const LONGEST_GAP: Duration = Duration::from_mins(1);
const SHORTEST_EVERY: Duration = Duration::from_secs(1);
const LONGEST_EVERY: Duration = Duration::from_hours(24 * 366);
/// Longest subject of `HINTS_CHANNEL`.
const MAX_SUBJECT_BYTES: usize = 63;

/// What is wrong with a value, and what to write.
pub(super) type Wrong = (String, String);

/// What the lines of a file say, but who may watch.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub is_keyed: bool,
    pub hints: Vec<Hint>,
    pub form: ResultForm,
    pub every: Option<Duration>,
    pub min_gap: Duration,
    pub max_rows: usize,
    pub max_bytes: usize,
    pub zone: TimeZone,
}

impl Lines {
    /// Where none of them is there.
    pub(super) fn new(zone: TimeZone) -> Self {
        Self {
            is_keyed: true,
            hints: Vec::new(),
            form: ResultForm::Row,
            every: None,
            min_gap: Duration::ZERO,
            max_rows: MAX_ROWS,
            max_bytes: MAX_BYTES,
            zone,
        }
    }

    /// Takes what one line says. `access` and words that are unknown are not looked at.
    pub(super) fn take(&mut self, word: &str, value: &str) -> Result<(), Wrong> {
        match word {
            "key" => self.is_keyed = choice(value, &[("none", false), ("$1", true)])?,
            "hints" => self.hints = hints(value)?,
            "result" => self.form = choice(value, &[("row", ResultForm::Row), ("rows", ResultForm::Rows)])?,
            "every" => self.every = Some(time(value, SHORTEST_EVERY..=LONGEST_EVERY)?),
            "min_gap" => self.min_gap = time(value, Duration::ZERO..=LONGEST_GAP)?,
            "max_rows" => self.max_rows = number(value, 1..=MOST_ROWS)?,
            "max_bytes" => self.max_bytes = number(value, 2..=MOST_BYTES)?,
            "timezone" => self.zone = zone::find(value)?,
            _ => {}
        }
        Ok(())
    }
}

/// What to say of a word that no line has.
pub(super) fn unknown(word: &str) -> Wrong {
    let meant = nearest(word, WORDS.into_iter(), 2).map(|meant| format!("Did you mean {meant}? "));
    let known = WORDS.join(", ");
    let remedy =
        format!("{}There are {known}; a comment has no colon behind its first word", meant.unwrap_or_default());
    (format!("{} is no line of a live query", quote(word)), remedy)
}

fn choice<T: Copy>(value: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    let known = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ");
    let found = words.iter().find(|(word, _)| *word == value);
    found
        .map(|(_, choice)| *choice)
        .ok_or_else(|| (format!("{} is not a choice", quote(value)), format!("Write {}", known())))
}

fn number(value: &str, range: RangeInclusive<usize>) -> Result<usize, Wrong> {
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let remedy = format!("Write a whole number from {} to {}", range.start(), range.end());
        (format!("{} cannot be used", quote(value)), remedy)
    })
}

fn time(value: &str, range: RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    duration::parse(value).filter(|time| range.contains(time)).ok_or_else(|| {
        let (shortest, longest) = (duration::render(*range.start()), duration::render(*range.end()));
        let remedy = format!("Write a duration such as 300ms, 10s or 5m, from {shortest} to {longest}");
        (format!("{} cannot be used", quote(value)), remedy)
    })
}

/// Each once.
fn hints(value: &str) -> Result<Vec<Hint>, Wrong> {
    let mut hints = Vec::new();
    for word in value.split_whitespace() {
        let hint = hint(word)?;
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    Ok(hints)
}

fn hint(word: &str) -> Result<Hint, Wrong> {
    if let Some(subject) = word.strip_prefix("listen/") {
        let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || b"_.-".contains(&letter);
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || !subject.bytes().all(is_plain) {
            let remedy = format!("Write letters, digits, _, . and -, at most {MAX_SUBJECT_BYTES}");
            return Err((format!("{} is no subject", quote(subject)), remedy));
        }
        return Ok(Hint::Listen(subject.into()));
    }
    if let Some((_, hook)) = feeds::hook(&format!("/notify/{word}")) {
        return Ok(Hint::Hook(hook.path));
    }
    let all = || Feed::ALL.into_iter().flat_map(|feed| feed.definition().hooks);
    let known: Vec<&str> = all().filter_map(|hook| hook.path.strip_prefix("/notify/")).collect();
    let meant = nearest(word.trim_start_matches("/notify/").trim_end_matches(','), known.iter().copied(), 2);
    let remedy = format!(
        "{}There are {} and listen/<subject>, with white space between",
        meant.map(|meant| format!("Did you mean {meant}? ")).unwrap_or_default(),
        known.join(", "),
    );
    Err((format!("{} is no hook", quote(word)), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(word: &str, value: &str) -> Result<Lines, Wrong> {
        let mut lines = Lines::new(TimeZone::UTC);
        lines.take(word, value).map(|()| lines)
    }

    #[test]
    fn every_line_is_read() {
        assert!(!taken("key", "none").unwrap().is_keyed && taken("key", "$1").unwrap().is_keyed);
        assert_eq!(taken("result", "rows").unwrap().form, ResultForm::Rows);
        assert_eq!(taken("every", "1s").unwrap().every, Some(Duration::from_secs(1)));
        assert_eq!(taken("min_gap", "60s").unwrap().min_gap, Duration::from_mins(1));
        assert_eq!(taken("max_rows", "1").unwrap().max_rows, 1);
        assert_eq!(taken("max_bytes", "1048576").unwrap().max_bytes, 1_048_576);
        assert_eq!(taken("timezone", "America/Guayaquil").unwrap().zone.iana_name(), Some("America/Guayaquil"));
        let hints = taken("hints", "order/new  order/status listen/pedidos order/new").unwrap().hints;
        let hook = Hint::Hook;
        let wanted = [hook("/notify/order/new"), hook("/notify/order/status"), Hint::Listen("pedidos".into())];
        assert_eq!(hints, wanted);
    }

    #[test]
    fn what_cannot_be_used_is_told_with_what_to_write() {
        for (word, value, remedy) in [
            ("key", "$2", "none or $1"),
            ("result", "table", "row or rows"),
            ("every", "999ms", "from 1s"),
            ("every", "often", "a duration"),
            ("min_gap", "61s", "to 1m"),
            ("max_rows", "0", "from 1"),
            ("max_rows", "-1", "from 1"),
            ("max_bytes", "64k", "a whole number"),
            ("timezone", "Guayaquil", "Did you mean America/Guayaquil?"),
            ("hints", "order/neu", "Did you mean order/new?"),
            ("hints", "/notify/order/new", "Did you mean order/new?"),
            ("hints", "order/new, order/status", "Did you mean order/new?"),
            ("hints", "listen/", "letters, digits"),
            ("hints", "listen/a'b", "letters, digits"),
        ] {
            let (_, said) = taken(word, value).unwrap_err();
            assert!(said.contains(remedy), "{word}: {value}: {said}");
        }
        assert!(unknown("acces").1.contains("Did you mean access?"));
    }
}
