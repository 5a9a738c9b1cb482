//! What the text of a live query says that is likely not meant.
//!
//! Must not know any database.

use super::Finding;
use crate::queries::scan::{Dialect, Kind, Token, tokens};
use crate::queries::{LiveQuery, ResultForm};

/// What has the time of the database, or chance, in it; and what to write.
const MOVING: [(&str, &str); 11] = [
    ("now", "$3"),
    ("current_timestamp", "$3"),
    ("transaction_timestamp", "$3"),
    ("statement_timestamp", "$3"),
    ("clock_timestamp", "$3"),
    ("timeofday", "$3"),
    ("localtimestamp", "$3"),
    ("current_date", "$2"),
    ("current_time", "$3"),
    ("localtime", "$3"),
    ("random", "an order of your own"),
];

/// What there is to warn of, without asking anybody.
pub(super) fn warnings(query: &LiveQuery, dialect: Dialect) -> Vec<Finding> {
    let name = query.name.as_str();
    let Ok(tokens) = tokens(&query.sql, dialect) else { return Vec::new() };
    let tokens: Vec<Token> = tokens.into_iter().filter(|token| token.kind != Kind::Comment).collect();
    let text = Text { sql: &query.sql, tokens: &tokens };
    let mut findings = Vec::new();
    if text.selects_all() {
        let what = format!("{name} selects *: a column that somebody adds is sent to everybody who watches");
        findings.push(Finding::warning(what, "name the columns"));
    }
    if query.form == ResultForm::Rows && !text.has_order() {
        let what = format!("{name} returns rows in no order: two reads of the same rows may differ, and are sent");
        findings.push(Finding::warning(what, "add an ORDER BY that leaves no two rows equal"));
    }
    for (moving, remedy) in MOVING {
        if text.calls(moving) {
            let what = format!("{name} uses {moving}, which no read has twice the same and no test can set");
            findings.push(Finding::warning(what, format!("write {remedy}")));
        }
    }
    if dialect == Dialect::Sqlite && text.has_text("'now'") {
        let what = format!("{name} uses 'now', which no read has twice the same and no test can set");
        findings.push(Finding::warning(what, "write $3, or $2 for the day"));
    }
    findings
}

struct Text<'a> {
    sql: &'a str,
    tokens: &'a [Token],
}

impl Text<'_> {
    fn said(&self, at: usize) -> &str {
        self.tokens.get(at).and_then(|token| self.sql.get(token.range.clone())).unwrap_or_default()
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Word) && self.said(at).eq_ignore_ascii_case(word)
    }

    /// `SELECT *`, `, *` and `a.*`; not `count(*)` and not `a * b`.
    fn selects_all(&self) -> bool {
        (1..self.tokens.len()).any(|at| {
            let before = at - 1;
            let is_first = ["select", "distinct", "all"].iter().any(|word| self.is_word(before, word));
            self.said(at) == "*" && (is_first || [",", "."].contains(&self.said(before)))
        })
    }

    /// Outside of all brackets: the order of a part is not the order of the result.
    fn has_order(&self) -> bool {
        let mut depth = 0_usize;
        (0..self.tokens.len()).any(|at| {
            match self.said(at) {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && self.is_word(at, "order") && self.is_word(at + 1, "by")
        })
    }

    /// As a function or, where it takes no brackets, by itself; not as a column of something, nor as the name of one.
    fn calls(&self, name: &str) -> bool {
        let needs_bracket = matches!(name, "now" | "random" | "timeofday")
            || name.ends_with("_timestamp") && name != "current_timestamp";
        (0..self.tokens.len()).any(|at| {
            let is_column = at > 0 && (self.said(at - 1) == "." && !self.is_word(at.wrapping_sub(2), "pg_catalog"));
            let is_label = at > 0 && self.is_word(at - 1, "as");
            self.is_word(at, name) && !is_column && !is_label && (!needs_bracket || self.said(at + 1) == "(")
        })
    }

    fn has_text(&self, text: &str) -> bool {
        (0..self.tokens.len()).any(|at| self.said(at).eq_ignore_ascii_case(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queries::tests::query;

    fn warned(sql: &str, form: ResultForm, dialect: Dialect) -> usize {
        let query = LiveQuery { sql: sql.into(), form, ..LiveQuery::clone(&query("a")) };
        warnings(&query, dialect).len()
    }

    #[test]
    fn what_is_likely_not_meant_is_found_and_what_looks_so_is_not() {
        for (sql, count) in [
            ("SELECT * FROM a", 1),
            ("SELECT a.*, b FROM a", 1),
            ("SELECT b, * FROM a", 1),
            ("SELECT count(*), a * b, '*' FROM a", 0),
            ("SELECT now(), random()", 2),
            ("SELECT CURRENT_DATE, pg_catalog.now()", 2),
            ("SELECT now, 'now()', a.current_date, \"random\"() FROM a -- now()", 0),
            ("SELECT 1 AS now, 2 AS current_date", 0),
            ("SELECT clock_timestamp() - $3", 1),
        ] {
            assert_eq!(warned(sql, ResultForm::Row, Dialect::Postgres), count, "{sql}");
        }
        assert_eq!(warned("SELECT date('now')", ResultForm::Row, Dialect::Sqlite), 1);
    }

    #[test]
    fn rows_want_an_order_of_their_own() {
        for (sql, count) in [
            ("SELECT a FROM b ORDER BY a", 0),
            ("SELECT a FROM b", 1),
            ("SELECT a FROM (SELECT a FROM b ORDER BY a) AS c", 1),
            ("SELECT a, rank() OVER (ORDER BY a) FROM b", 1),
            ("(SELECT a FROM b) UNION (SELECT 1) order by 1", 0),
        ] {
            assert_eq!(warned(sql, ResultForm::Rows, Dialect::Postgres), count, "{sql}");
        }
    }
}
