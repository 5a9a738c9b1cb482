//! A query whose parameters are written into its text, so that a whole transaction is one message and one answer.
//!
//! Where a server's settings decide what is a parameter and what merely looks like one (a backslash in a string), or the text
//! is unusual, it says so, and the query keeps its parameters beside it. Must not connect.

use jiff::civil::Date;
use sqlx::types::Uuid;

use super::bind::{self, TodayForm};
use crate::model::IdType;
use crate::queries::scan::{Dialect, Kind, Token, is_word, tokens};
use crate::store::StoreError;

/// A query without its comments, open where its parameters go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inlined {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The parameter of this number, counted from nought.
    Parameter(usize),
}

/// A value as SQL has it. Of what came from outside no character stands in it as it was: numbers and uuids are printed
/// anew, and a text is hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal(String);

impl Inlined {
    /// `None` where it is not certain which `$1` is a parameter.
    pub(super) fn of(sql: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut end = 0;
        let mut behind = None;
        for Token { kind, range } in tokens(sql, Dialect::Postgres).ok()? {
            text.push_str(&sql[end..range.start]);
            let token = &sql[range.clone()];
            match kind {
                // The line's end is kept: it may join two strings.
                Kind::Comment => text.push(' '),
                Kind::Parameter(number) => {
                    // Behind a number some servers read a parameter and others a mistake.
                    let follows_number = behind == Some(Kind::Number) && end == range.start;
                    let is_followed = sql[range.end..].bytes().next().is_some_and(|next| is_word(next) || next == b'$');
                    if follows_number || is_followed || number == u32::MAX {
                        return None;
                    }
                    parts.push(Part::Text(std::mem::take(&mut text)));
                    parts.push(Part::Parameter(usize::try_from(number.checked_sub(1)?).ok()?));
                }
                _ if !is_certain(kind, token) => return None,
                _ => text.push_str(token),
            }
            (end, behind) = (range.end, Some(kind));
        }
        text.push_str(&sql[end..]);
        parts.push(Part::Text(text));
        Some(Self { parts })
    }

    /// The query with `values` in the places of its parameters.
    pub(super) fn with(&self, values: &[&Literal]) -> Result<String, StoreError> {
        let mut sql = String::with_capacity(512);
        for part in &self.parts {
            sql.push_str(match part {
                Part::Text(text) => text,
                Part::Parameter(number) => {
                    let missing = || StoreError::Refused(format!("the query has a parameter ${}", number + 1));
                    &values.get(*number).ok_or_else(missing)?.0
                }
            });
        }
        Ok(sql)
    }
}

impl std::fmt::Display for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Literal {
    /// `id` is canonical for a column of this type, unless the column has changed meanwhile.
    pub(super) fn id(column: IdType, id: &str) -> Result<Self, StoreError> {
        Ok(Self(match column {
            IdType::Uuid => format!("('{}'::uuid)", bind::value::<Uuid>(id)?.as_hyphenated()),
            IdType::Text => text(id),
            IdType::Char => format!("({}::bpchar)", text(id)),
            IdType::Int2 => format!("('{}'::int2)", bind::value::<i16>(id)?),
            IdType::Int4 => format!("('{}'::int4)", bind::value::<i32>(id)?),
            IdType::Int8 => format!("('{}'::int8)", bind::value::<i64>(id)?),
        }))
    }

    /// A date or a time in ISO's form, as a value of the type of this name.
    pub(super) fn moment(kind: &str, text: &str) -> Self {
        Self(format!("('{text}'::{kind})"))
    }

    /// No value, of the type of this name.
    pub(super) fn nothing(kind: &str) -> Self {
        Self(format!("(NULL::{kind})"))
    }

    /// Any text.
    pub(super) fn text(value: &str) -> Self {
        Self(text(value))
    }

    /// A calendar day; ISO, which every `DateStyle` reads alike.
    pub(super) fn today(form: TodayForm, day: Date) -> Self {
        Self(match form {
            TodayForm::Date => return Self::moment("date", &day.to_string()),
            TodayForm::Text => text(&day.to_string()),
        })
    }
}

/// Says the same whatever the server takes for an escape.
fn text(value: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut sql = String::with_capacity(80 + 2 * value.len());
    sql.push_str("pg_catalog.convert_from(pg_catalog.decode('");
    // By a table: to format each byte was a twentieth of what a notice costs.
    for byte in value.bytes() {
        sql.push(char::from(DIGITS[usize::from(byte >> 4)]));
        sql.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    sql.push_str("', 'hex'), 'UTF8')");
    sql
}

/// Whether every server reads these bytes as this. Whether a backslash keeps the next quote from ending a string depends on its
/// prefix and on the server's settings; a dollar means several things.
fn is_certain(kind: Kind, token: &str) -> bool {
    match kind {
        Kind::Text | Kind::QuotedName => !token.starts_with('$') && !token.contains('\\'),
        Kind::Sign => token != "$",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inlined(sql: &str) -> Option<String> {
        let values = [&Literal("<uno>".to_owned()), &Literal("<dos>".to_owned())];
        Inlined::of(sql).map(|written| written.with(&values).unwrap())
    }

    #[test]
    fn parameters_are_filled_and_what_only_looks_like_one_is_not() {
        for (sql, filled) in [
            ("a = $1 AND b=$2::date", "a = <uno> AND b=<dos>::date"),
            ("a$1 = $1", "a$1 = <uno>"),
            ("ñ$1 = $1", "ñ$1 = <uno>"),
            ("'$1' || $1", "'$1' || <uno>"),
            ("'it''s $1' || $1", "'it''s $1' || <uno>"),
            ("E'$1' || $1", "E'$1' || <uno>"),
            ("\"$1\" = $1", "\"$1\" = <uno>"),
            ("\"it's\" = $1 AND '\"' = $2", "\"it's\" = <uno> AND '\"' = <dos>"),
            ("1 -- it's $1\n+ $1", "1  \n+ <uno>"),
            ("1--$1", "1 "),
            ("1 - -$1", "1 - -<uno>"),
            ("1 /* $1 /* ' */ $2 */ + $1", "1   + <uno>"),
            ("'/*' || $1 || '*/'", "'/*' || <uno> || '*/'"),
            ("'a' -- one string\n'$1'", "'a'  \n'$1'"),
        ] {
            assert_eq!(inlined(sql).as_deref(), Some(filled), "{sql}");
        }
    }

    #[test]
    fn what_is_uncertain_is_left_alone() {
        for sql in [
            r"'\' || $1 || '\'",
            r"E'\'$1' = $1",
            "$$ $1 $$ || $1",
            "$a$ $1 $a$ || $1",
            "$1a",
            "$1$2",
            "1$1",
            "$0",
            "$",
            "$99999999999999999999",
            "'open $1",
            "\"open $1",
            "/* open $1",
            "/* /* */ $1",
        ] {
            assert_eq!(inlined(sql), None, "{sql}");
        }
    }

    #[test]
    fn more_parameters_than_values_are_refused() {
        assert!(Inlined::of("$3").unwrap().with(&[&Literal(String::new())]).is_err());
    }

    #[test]
    fn no_character_of_a_text_reaches_the_statement() {
        let literal = Literal::id(IdType::Text, r"o'x\'); DROP TABLE citas; --").unwrap();
        assert_eq!(
            literal.0,
            "pg_catalog.convert_from(pg_catalog.decode('\
             6f27785c27293b2044524f50205441424c452063697461733b202d2d', 'hex'), 'UTF8')"
        );
    }

    #[test]
    fn what_a_column_cannot_hold_is_refused_before_it_is_written() {
        for (column, id) in
            [(IdType::Uuid, "1'"), (IdType::Int2, "40000"), (IdType::Int4, "1; DROP TABLE citas"), (IdType::Int8, "'")]
        {
            assert!(Literal::id(column, id).is_err(), "{id}");
        }
        assert_eq!(Literal::id(IdType::Int4, "-7").unwrap(), Literal("('-7'::int4)".to_owned()));
    }

    proptest! {
        /// Once read, a text holds no comment and every parameter stands alone: reading it again finds the same.
        #[test]
        fn what_was_read_once_is_read_the_same_again(sql in r#"[a1 $'"\\ñ\n*/-]{0,24}"#) {
            if let Some(read) = Inlined::of(&sql) {
                let number = |part: &Part| match part {
                    Part::Text(text) => text.clone(),
                    Part::Parameter(number) => format!("${}", number + 1),
                };
                let kept: String = read.parts.iter().map(number).collect();
                prop_assert_eq!(Inlined::of(&kept), Some(read));
            }
        }
    }
}
