//! What the statement of a live query must be: one, that reads and can stand within another.
//!
//! Must not know what the lines before it say.

use std::collections::BTreeSet;

use super::scan::{Dialect, Kind, Token, tokens};

/// A statement that may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// From its first word to its last, without comments around it and without a semicolon.
    pub sql: String,
    /// Where it begins.
    pub at: usize,
    /// The numbers of its parameters.
    pub parameters: BTreeSet<u32>,
}

/// What a file says that is not to be, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// Where, in bytes.
    pub at: usize,
    pub problem: String,
    pub remedy: String,
}

const ONE_STATEMENT: &str = "Write one SELECT, VALUES, or WITH that writes nothing";
const ONLY_READS: &str = "A live query only reads";

impl Statement {
    /// The one statement of a text; or all there is to object to it.
    pub fn find(text: &str, dialect: Dialect) -> Result<Self, Vec<Objection>> {
        // PostgreSQL's messages end there, so that it would answer as if the connection were broken; SQLite reads no further.
        if let Some(at) = text.find('\0') {
            return Err(vec![objection(at, "a NUL character stands here, which no statement can hold", "Remove it")]);
        }
        let scanned = tokens(text, dialect).map_err(|unclosed| vec![unclosed_in(unclosed)])?;
        let tokens: Vec<Token> = scanned.into_iter().filter(|token| token.kind != Kind::Comment).collect();
        let is_end = |token: &Token| token.kind == Kind::Semicolon;
        let end = tokens.iter().position(is_end).unwrap_or(tokens.len());
        let (own, behind) = tokens.split_at(end);
        let Some((first, last)) = own.first().zip(own.last()) else {
            let at = tokens.first().map_or(0, |token| token.range.start);
            return Err(vec![objection(at, "there is no statement", ONE_STATEMENT)]);
        };
        let mut objections = Vec::new();
        if let Some(second) = behind.iter().find(|token| !is_end(token)) {
            let at = second.range.start;
            objections.push(objection(at, "a second statement begins here", "Write each query into a file of its own"));
        }
        let words = Words { text, tokens: own };
        objections.extend(words.other_statement());
        objections.extend(words.writing());
        objections.extend(words.unbalanced());
        objections.extend(other_parameters(text, own));
        if !objections.is_empty() {
            return Err(objections);
        }
        let number = |token: &Token| if let Kind::Parameter(number) = token.kind { Some(number) } else { None };
        Ok(Self {
            sql: text.get(first.range.start..last.range.end).unwrap_or_default().to_owned(),
            at: first.range.start,
            parameters: own.iter().filter_map(number).collect(),
        })
    }
}

fn unclosed_in(unclosed: super::scan::Unclosed) -> Objection {
    objection(unclosed.at, unclosed.to_string(), "Close it")
}

fn objection(at: usize, problem: impl Into<String>, remedy: impl Into<String>) -> Objection {
    Objection { at, problem: problem.into(), remedy: remedy.into() }
}

/// What is only spelt like a parameter elsewhere.
fn other_parameters(text: &str, tokens: &[Token]) -> Vec<Objection> {
    let other = tokens.iter().filter(|token| token.kind == Kind::OtherParameter);
    let spelt = |token: &Token| text.get(token.range.clone()).unwrap_or_default().to_owned();
    other
        .map(|token| {
            let problem = format!("{} is no parameter of a live query", spelt(token));
            objection(token.range.start, problem, "Write $1 for the key, $2 for today, $3 for now")
        })
        .collect()
}

struct Words<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl Words<'_> {
    /// The keyword at this place, if one of these is.
    fn is(&self, at: usize, words: &[&str]) -> bool {
        let Some(token) = self.tokens.get(at).filter(|token| token.kind == Kind::Word) else { return false };
        let said = self.text.get(token.range.clone()).unwrap_or_default();
        words.iter().any(|word| word.eq_ignore_ascii_case(said))
    }

    fn is_sign(&self, at: usize, sign: &str) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.kind == Kind::Sign && self.text.get(token.range.clone()) == Some(sign))
    }

    fn other_statement(&self) -> Option<Objection> {
        let first = (0..self.tokens.len()).find(|at| !self.is_sign(*at, "("))?;
        if self.is(first, &["SELECT", "VALUES", "WITH"]) {
            return None;
        }
        let token = self.tokens.get(first)?;
        let said: String = self.text.get(token.range.clone())?.chars().take(30).collect();
        let remedy = if self.is(first, &["TABLE"]) { "Write SELECT * FROM it" } else { ONE_STATEMENT };
        Some(objection(token.range.start, format!("{said} begins no query that can be a subquery"), remedy))
    }

    /// The first place where something would be written, or locked.
    fn writing(&self) -> Option<Objection> {
        const WRITES: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "MERGE"];
        let has_names =
            (0..self.tokens.len()).find(|at| !self.is_sign(*at, "(")).is_some_and(|at| self.is(at, &["WITH"]));
        let mut depth = 0_usize;
        for at in 0..self.tokens.len() {
            if self.is_sign(at, "(") {
                depth += 1;
            } else if self.is_sign(at, ")") {
                depth = depth.saturating_sub(1);
            }
            let before = at.checked_sub(1);
            let is_behind = |words: &[&str]| before.is_some_and(|before| self.is(before, words));
            // `WITH x AS (DELETE …`, and `WITH x AS (…) DELETE …`.
            let begins_named = before.is_some_and(|open| {
                self.is_sign(open, "(")
                    && open.checked_sub(1).is_some_and(|word| self.is(word, &["AS", "MATERIALIZED"]))
            });
            let follows_named = depth == 0 && has_names && before.is_some_and(|close| self.is_sign(close, ")"));
            let problem = if (begins_named || follows_named) && self.is(at, &WRITES) {
                "this writes"
            } else if depth == 0 && self.is(at, &["INTO"]) && !is_behind(&["AS"]) {
                "SELECT … INTO makes a table"
            } else if self.is(at, &["FOR"]) && self.locks(at + 1) {
                "this locks rows"
            } else {
                continue;
            };
            return self.tokens.get(at).map(|token| objection(token.range.start, problem, ONLY_READS));
        }
        None
    }

    /// `FOR UPDATE`, `FOR NO KEY UPDATE`, `FOR SHARE`, `FOR KEY SHARE`.
    fn locks(&self, at: usize) -> bool {
        self.is(at, &["UPDATE", "SHARE"])
            || (self.is(at, &["NO"]) && self.is(at + 1, &["KEY"]))
            || (self.is(at, &["KEY"]) && self.is(at + 1, &["SHARE"]))
    }

    fn unbalanced(&self) -> Option<Objection> {
        let mut open = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            if self.is_sign(at, "(") {
                open.push(token);
            } else if self.is_sign(at, ")") && open.pop().is_none() {
                return Some(objection(token.range.start, "this bracket closes nothing", "Remove it"));
            }
        }
        open.pop().map(|token| objection(token.range.start, "this bracket is not closed", "Close it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str) -> Result<Statement, Vec<Objection>> {
        Statement::find(text, Dialect::Postgres)
    }

    fn problems(text: &str) -> Vec<String> {
        find(text).unwrap_err().into_iter().map(|objection| objection.problem).collect()
    }

    #[test]
    fn a_statement_is_found_between_what_stands_around_it() {
        for (text, sql) in [
            ("SELECT 1", "SELECT 1"),
            ("-- a\nselect $1; -- b", "select $1"),
            ("/* a */ VALUES ($1)\n;;\n/* b */", "VALUES ($1)"),
            ("WITH x AS (SELECT 1) SELECT * FROM x -- last", "WITH x AS (SELECT 1) SELECT * FROM x"),
            ("(SELECT 1) UNION (SELECT 2)", "(SELECT 1) UNION (SELECT 2)"),
            ("SELECT ';' || $1 -- ;\n, $$;$$", "SELECT ';' || $1 -- ;\n, $$;$$"),
        ] {
            assert_eq!(find(text).map(|statement| statement.sql).as_deref(), Ok(sql), "{text}");
        }
        let statement = find("SELECT '$4', \"$5\" WHERE a = $1 AND b > $3 AND c = $1").unwrap();
        assert_eq!(statement.parameters, [1, 3].into());
    }

    #[test]
    fn another_statement_is_named_with_its_place() {
        for text in
            ["INSERT INTO a VALUES (1)", "EXPLAIN SELECT 1", "TABLE a", "DELETE FROM a", "SET x = 1", "'a'", "$1"]
        {
            assert!(problems(text)[0].ends_with("begins no query that can be a subquery"), "{text}");
        }
        assert_eq!(problems(" -- nothing\n ;"), ["there is no statement"]);
        assert_eq!(problems(""), ["there is no statement"]);
        let two = find("SELECT 1;\nSELECT 2").unwrap_err();
        assert_eq!((two[0].problem.as_str(), two[0].at), ("a second statement begins here", 10));
    }

    #[test]
    fn what_writes_or_locks_is_refused_and_columns_of_such_names_are_not() {
        for text in [
            "WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x",
            "WITH x AS MATERIALIZED (INSERT INTO a VALUES (1) RETURNING 1) SELECT * FROM x",
            "WITH x AS (SELECT 1) UPDATE a SET b = 1",
            "WITH x (n) AS (SELECT 1), y AS (MERGE INTO a USING x ON true WHEN MATCHED THEN DELETE) SELECT 1",
        ] {
            assert_eq!(problems(text), ["this writes"], "{text}");
        }
        for text in ["SELECT * FROM a FOR UPDATE", "SELECT 1 FROM a FOR NO KEY UPDATE", "SELECT 1 FROM a for key share"]
        {
            assert_eq!(problems(text), ["this locks rows"], "{text}");
        }
        assert_eq!(problems("SELECT 1 AS a INTO b"), ["SELECT … INTO makes a table"]);
        for text in [
            "SELECT delete, \"update\" FROM a",
            "SELECT count(update) FROM a WHERE (delete)",
            "SELECT 'x' AS into",
            "SELECT substring(a FOR 3)",
            "WITH x AS (SELECT 1) SELECT insert FROM x",
        ] {
            assert!(find(text).is_ok(), "{text}: {:?}", find(text));
        }
    }

    #[test]
    fn a_character_that_would_end_the_message_is_found_wherever_it_stands() {
        for (text, at) in [("SELECT '\0' AS a", 8), ("SELECT 1 AS a -- \0", 17), ("SELECT 1 AS a;\0", 14), ("\0", 0)] {
            let objections = find(text).unwrap_err();
            assert_eq!(objections.iter().map(|objection| objection.at).collect::<Vec<_>>(), [at], "{text:?}");
        }
    }

    #[test]
    fn nothing_gets_out_of_its_brackets() {
        assert_eq!(problems("SELECT 1) AS a, (SELECT 2"), ["this bracket closes nothing"]);
        assert_eq!(problems("SELECT (1"), ["this bracket is not closed"]);
        assert!(find("SELECT ')' || '(' -- )").is_ok());
    }

    #[test]
    fn everything_there_is_to_object_is_said_at_once() {
        let objections =
            Statement::find("DELETE FROM a WHERE b = ? AND c = :d; SELECT 1", Dialect::Sqlite).unwrap_err();
        assert_eq!(objections.len(), 4, "{objections:?}");
    }
}
