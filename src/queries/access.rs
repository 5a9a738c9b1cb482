//! `access`: who may watch, as a file says it.
//!
//! Must not know how any of it is asked.

use std::sync::Arc;

use super::{AccessRule, PairsQuery};
use crate::config::{ClaimPath, quote};

/// What may stand there.
pub(super) const CHOICES: &str = "Write negocio, claim <path>, claim <path>=<value>, user, sql <folder/file> or authenticated; several, with \
                                  commas between, must all hold";

/// The rules of a line; for each that is none, what is wrong and what to write. `pairs` reads a file of `sql`, and is silent
/// where that has mistakes of its own, which are reported as such.
pub(super) fn rules(
    line: &str,
    mut pairs: impl FnMut(&str) -> Result<Option<Arc<PairsQuery>>, String>,
) -> (Vec<AccessRule>, Vec<(String, String)>) {
    let (mut rules, mut wrong) = (Vec::new(), Vec::new());
    for part in split(line, ',') {
        match rule(part.trim(), &mut pairs) {
            Ok(rule) => rules.extend(rule),
            Err(problem) => wrong.push((problem, CHOICES.to_owned())),
        }
    }
    (rules, wrong)
}

fn rule(
    text: &str,
    pairs: &mut impl FnMut(&str) -> Result<Option<Arc<PairsQuery>>, String>,
) -> Result<Option<AccessRule>, String> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    Ok(Some(match (word, rest) {
        ("negocio", "") => AccessRule::Negocio,
        ("user", "") => AccessRule::User,
        ("authenticated", "") => AccessRule::Authenticated,
        ("claim", "") => return Err("claim names no path".to_owned()),
        ("claim", rest) => claim(rest)?,
        ("sql", "") => return Err("sql names no file".to_owned()),
        ("sql", file) => return Ok(pairs(file)?.map(AccessRule::Sql)),
        ("", _) => return Err("a part of it is empty".to_owned()),
        _ => return Err(format!("{} is no rule", quote(text))),
    }))
}

fn claim(text: &str) -> Result<AccessRule, String> {
    let mut parts = split(text, '=');
    let path = parts.next().unwrap_or_default();
    let value = text.get(path.len()..).and_then(|behind| behind.strip_prefix('=')).map(str::trim);
    let path = path.trim();
    let said = || format!("the claim {}", quote(path));
    let paths = ClaimPath::list(path).map_err(|problem| format!("{}: {problem}", said()))?;
    let [path_of_one] = paths.as_slice() else { return Err(format!("{} is no path", said())) };
    // White space in a path is meant only where it is quoted.
    if split(path, ' ').count() > 1 {
        return Err(format!("{} has white space outside of quotes", said()));
    }
    let value = match value {
        None => None,
        Some("") => return Err(format!("{} is to have no value", said())),
        Some(value) => {
            let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            Some(unquoted.into())
        }
    };
    Ok(AccessRule::Claim { path: path_of_one.clone(), value })
}

/// What stands between `separator`s that are not within double quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |letter| {
        is_quoted ^= letter == '"';
        letter == separator && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Vec<String>, usize) {
        let none = |file: &str| Err(format!("no {file}"));
        let (rules, wrong) = rules(line, none);
        let spelt = |rule: &AccessRule| match rule {
            AccessRule::Claim { path, value: None } => format!("{path}"),
            AccessRule::Claim { path, value: Some(value) } => format!("{path} is {value}"),
            other => format!("{other:?}"),
        };
        (rules.iter().map(spelt).collect(), wrong.len())
    }

    #[test]
    fn every_form_is_read() {
        for (line, wanted) in [
            ("negocio", vec!["Negocio"]),
            ("user, authenticated", vec!["User", "Authenticated"]),
            ("claim restaurantId", vec!["restaurantId"]),
            ("claim a.b=c d, claim role = admin", vec!["a.b is c d", "role is admin"]),
            ("claim \"https://a.example/x,y\".id", vec!["\"https://a.example/x,y\".id"]),
            ("claim role=\"a,b\"", vec!["role is a,b"]),
            ("claim \"a=b\"=c=d", vec!["a=b is c=d"]),
        ] {
            assert_eq!(read(line), (wanted.into_iter().map(str::to_owned).collect(), 0), "{line}");
        }
    }

    #[test]
    fn every_part_that_is_no_rule_is_told() {
        for (line, wrong) in [
            ("", 1),
            (",", 2),
            ("everybody", 1),
            ("negocio x", 1),
            ("claim", 1),
            ("claim a b", 1),
            ("claim a..b", 1),
            ("claim a=", 1),
            ("claim =a", 1),
            ("claim \"a", 1),
            ("sql", 1),
            ("sql a/b.sql", 1),
            ("Negocio, claim, sql", 3),
        ] {
            assert_eq!(read(line), (vec![], wrong), "{line}");
        }
    }
}
