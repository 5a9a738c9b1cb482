//! A file of a live query: lines `-- word: value`, then one statement.
//!
//! Must not know where the file is, nor any database.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::access::{self, CHOICES};
use super::lines::{Lines, WORDS, unknown};
use super::scan::{Dialect, Kind, tokens};
use super::statement::{Objection, Statement};
use super::{AccessRule, LiveQuery, PairsQuery, ResultForm};
use crate::model::QueryName;

/// Longest name of a business, as JSON.
const MAX_NAME_BYTES: usize = 1_024;

/// One thing wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    pub problem: String,
    pub remedy: String,
}

/// What a file is read with.
#[derive(Debug)]
pub struct Reading<'a> {
    pub name: QueryName,
    pub file: &'a Path,
    /// Where the file says none.
    pub zone: &'a TimeZone,
    pub dialect: Dialect,
}

/// A line `-- word: value`.
struct Line<'a> {
    number: usize,
    word: &'a str,
    value: &'a str,
}

impl Reading<'_> {
    /// The query that a file's text defines, or all that is wrong with it. `pairs` is asked for the files of `access: sql`;
    /// where it says that there is none, that file's own faults are reported elsewhere.
    pub fn read(
        self,
        text: &str,
        pairs: impl FnMut(&str) -> Result<Option<Arc<PairsQuery>>, String>,
    ) -> Result<LiveQuery, Vec<Fault>> {
        let mut faults = Vec::new();
        let (head, begin) = head(text);
        let mut lines = Lines::new(self.zone.clone());
        let (mut said, mut rules, mut access_line) = (HashSet::new(), Vec::new(), None);
        let mut pairs = Some(pairs);
        for Line { number, word, value } in head {
            let mut fault = |(problem, remedy)| faults.push(Fault { line: number, problem, remedy });
            if !WORDS.contains(&word) {
                fault(unknown(word));
            } else if !said.insert(word) {
                fault((format!("{word} stands there twice"), "Write it once".to_owned()));
            } else if value.is_empty() {
                fault((
                    format!("{word} says nothing"),
                    "Write a value behind the colon, or remove the line".to_owned(),
                ));
            } else if let Some(pairs) = pairs.take_if(|_| word == "access") {
                let (found, wrong) = access::rules(value, pairs);
                wrong.into_iter().for_each(&mut fault);
                (rules, access_line) = (found, Some(number));
            } else if let Err(wrong) = lines.take(word, value) {
                fault(wrong);
            }
        }
        if !said.contains("access") {
            let problem = "nothing says who may watch it".to_owned();
            faults.push(Fault { line: 1, problem, remedy: format!("Begin with a line `-- access: …`. {CHOICES}") });
        }
        let number = access_line.unwrap_or(1);
        if !lines.is_keyed
            && let Some(rule) = rules.iter().find(|rule| needs_key(rule))
        {
            let problem = format!("{} is about a key, and key: none says that there is none", called(rule));
            let remedy = "Write authenticated, or claim <path>=<value>".to_owned();
            faults.push(Fault { line: number, problem, remedy });
        }
        let statement_of = text.get(begin..).unwrap_or_default();
        let line_at = |at: usize| line_of(text, begin + at);
        faults.extend(late_lines(statement_of, self.dialect).into_iter().map(|(at, word)| Fault {
            line: line_at(at),
            problem: format!("the line {word} comes too late"),
            remedy: "Write it before the statement".to_owned(),
        }));
        let in_file = |Objection { at, problem, remedy }| Fault { line: line_at(at), problem, remedy };
        let statement = match Statement::find(statement_of, self.dialect) {
            Ok(statement) => {
                faults.extend(parameters(&statement, lines.is_keyed).into_iter().map(in_file));
                statement
            }
            Err(objections) => {
                faults.extend(objections.into_iter().map(in_file));
                Statement { sql: String::new(), at: 0, parameters: [].into() }
            }
        };
        if !faults.is_empty() {
            faults.sort_by_key(|fault| fault.line);
            return Err(faults);
        }
        let first_line = line_at(statement.at);
        let mut query = LiveQuery {
            name: self.name,
            access: rules,
            is_keyed: lines.is_keyed,
            hints: lines.hints,
            form: lines.form,
            every: lines.every,
            min_gap: lines.min_gap,
            max_rows: lines.max_rows,
            max_bytes: lines.max_bytes,
            zone: lines.zone,
            sql: statement.sql.into(),
            fingerprint: 0,
            file: self.file.to_owned(),
            first_line,
        };
        query.fingerprint = fingerprint(&query);
        Ok(query)
    }
}

/// The query of an `access: sql` file.
pub fn read_pairs(text: &str, file: &Path, dialect: Dialect) -> Result<PairsQuery, Vec<Fault>> {
    let fault = |Objection { at, problem, remedy }| Fault { line: line_of(text, at), problem, remedy };
    let statement =
        Statement::find(text, dialect).map_err(|objections| objections.into_iter().map(fault).collect::<Vec<_>>())?;
    if statement.parameters != [1, 2].into() {
        let problem = "it asks by something else than $1 and $2".to_owned();
        let remedy =
            "Write a query of $1, the keys, and $2, the users, that returns the pairs allowed, as OWNER_SQL does";
        return Err(vec![fault(Objection { at: statement.at, problem, remedy: remedy.to_owned() })]);
    }
    Ok(PairsQuery { file: file.to_owned(), sql: statement.sql.into() })
}

/// The query of names: one row for one business.
pub fn read_name(text: &str, file: &Path, dialect: Dialect) -> Result<LiveQuery, Vec<Fault>> {
    let fault = |Objection { at, problem, remedy }| Fault { line: line_of(text, at), problem, remedy };
    let statement =
        Statement::find(text, dialect).map_err(|objections| objections.into_iter().map(fault).collect::<Vec<_>>())?;
    if statement.parameters != [1].into() {
        let problem = "it asks by something else than $1".to_owned();
        let remedy = "Write a query of $1, the id of a business, that returns its name".to_owned();
        return Err(vec![fault(Objection { at: statement.at, problem, remedy })]);
    }
    let mut query = LiveQuery {
        name: QueryName::of_names(),
        access: Vec::new(),
        is_keyed: true,
        hints: Vec::new(),
        form: ResultForm::Row,
        every: None,
        min_gap: Duration::ZERO,
        max_rows: 1,
        max_bytes: MAX_NAME_BYTES,
        zone: TimeZone::UTC,
        sql: statement.sql.into(),
        fingerprint: 0,
        file: file.to_owned(),
        first_line: line_of(text, statement.at),
    };
    query.fingerprint = fingerprint(&query);
    Ok(query)
}

/// The lines before the statement, and where that begins.
fn head(text: &str) -> (Vec<Line<'_>>, usize) {
    let (mut lines, mut begin) = (Vec::new(), 0);
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let trimmed = line.trim();
        if !trimmed.is_empty() && !trimmed.starts_with("--") {
            break;
        }
        begin += line.len();
        lines.extend(word_and_value(trimmed).map(|(word, value)| Line { number: at + 1, word, value }));
    }
    (lines, begin)
}

/// `-- word: value`; nothing for a mere comment.
fn word_and_value(line: &str) -> Option<(&str, &str)> {
    let said = line.strip_prefix("--")?.trim();
    let end = said.find(|letter: char| !letter.is_ascii_alphanumeric() && !"_-".contains(letter))?;
    let (word, behind) = said.split_at_checked(end)?;
    let value = behind.trim_start().strip_prefix(':')?;
    (!word.is_empty() && !value.starts_with(':')).then(|| (word, value.trim()))
}

/// Lines that would mean something if they stood before the statement.
fn late_lines(statement: &str, dialect: Dialect) -> Vec<(usize, String)> {
    let comments = tokens(statement, dialect).unwrap_or_default();
    let mut late = Vec::new();
    for token in comments.into_iter().filter(|token| token.kind == Kind::Comment) {
        let before = statement.get(..token.range.start).unwrap_or_default();
        let begins_line =
            before.lines().next_back().is_none_or(|line| before.ends_with('\n') || line.trim().is_empty());
        let said = statement.get(token.range.clone()).and_then(word_and_value);
        if let Some((word, _)) = said.filter(|(word, _)| begins_line && WORDS.contains(word)) {
            late.push((token.range.start, word.to_owned()));
        }
    }
    late
}

fn parameters(statement: &Statement, is_keyed: bool) -> Vec<Objection> {
    let objection = |problem: String, remedy: &str| Objection { at: statement.at, problem, remedy: remedy.to_owned() };
    let mut objections = Vec::new();
    match (statement.parameters.contains(&1), is_keyed) {
        (false, true) => {
            objections.push(objection("$1, the key, is missing".to_owned(), "Use it, or write `-- key: none` before"));
        }
        (true, false) => {
            objections.push(objection("$1 is used, and key: none says that there is no key".to_owned(), "Remove one"));
        }
        _ => {}
    }
    let others = statement.parameters.iter().filter(|number| !(1..=3).contains(*number));
    objections
        .extend(others.map(|number| {
            objection(format!("there is no ${number}"), "There are $1, the key, $2, today, and $3, now")
        }));
    objections
}

fn needs_key(rule: &AccessRule) -> bool {
    match rule {
        AccessRule::Negocio | AccessRule::User | AccessRule::Sql(_) | AccessRule::Claim { value: None, .. } => true,
        AccessRule::Claim { value: Some(_), .. } | AccessRule::Authenticated => false,
    }
}

/// As a file says it, without what stands behind.
fn called(rule: &AccessRule) -> &'static str {
    match rule {
        AccessRule::Negocio => "negocio",
        AccessRule::User => "user",
        AccessRule::Sql(_) => "sql",
        AccessRule::Claim { .. } => "claim",
        AccessRule::Authenticated => "authenticated",
    }
}

/// The line, from 1, on which a byte stands.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Of all that makes a result and says who may watch it: not of comments, nor of where the files are.
fn fingerprint(query: &LiveQuery) -> u64 {
    let LiveQuery { name, is_keyed, hints, form, every, min_gap, max_rows, max_bytes, zone, sql, .. } = query;
    let zone = zone.iana_name();
    let mut said = format!("{:?}", (name, is_keyed, hints, form, every, min_gap, max_rows, max_bytes, zone, sql));
    for rule in &query.access {
        // Writing to a String cannot fail.
        let _ = match rule {
            AccessRule::Sql(pairs) => write!(said, "{:?}", ("sql", &pairs.sql)),
            AccessRule::Claim { path, value } => write!(said, "{:?}", ("claim", path, value)),
            other => write!(said, "{:?}", called(other)),
        };
    }
    let digest = Sha256::digest(said);
    digest.iter().take(8).fold(0, |fingerprint, byte| fingerprint << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests;
