//! SQL, as far as it has to be read to know where a statement ends and what is a parameter, and what merely looks so: in a
//! string, a quoted name, a comment.
//!
//! Must not know what a statement is for, nor judge it.

use std::ops::Range;

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

/// A part of a text that means one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a plain name.
    Word,
    QuotedName,
    /// Quoted text, with all that stands before the quote.
    Text,
    Number,
    /// `$1`.
    Parameter(u32),
    /// A parameter in another spelling (`?`, `:key`), which SQLite has.
    OtherParameter,
    Semicolon,
    /// One character of an operator or of punctuation.
    Sign,
    Comment,
}

/// What begins here has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} begins here and does not end")]
pub struct Unclosed {
    pub at: usize,
    pub what: &'static str,
}

/// All of a text but the white space, in its order.
pub fn tokens(sql: &str, dialect: Dialect) -> Result<Vec<Token>, Unclosed> {
    let mut scanner = Scanner { bytes: sql.as_bytes(), at: 0, dialect };
    let mut tokens = Vec::new();
    while let Some(token) = scanner.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    dialect: Dialect,
}

impl Scanner<'_> {
    fn next(&mut self) -> Result<Option<Token>, Unclosed> {
        self.at += span(self.rest(), is_space);
        let from = self.at;
        let Some(&byte) = self.bytes.get(from) else { return Ok(None) };
        let is_sqlite = self.dialect == Dialect::Sqlite;
        let rest = self.rest();
        let (kind, length) = match byte {
            b'-' if rest.starts_with(b"--") => (Kind::Comment, line(rest)),
            b'/' if rest.starts_with(b"/*") => (Kind::Comment, self.comment()?),
            b'\'' => (Kind::Text, self.quoted(0, b'\'', "a string")?),
            b'e' | b'E' if !is_sqlite && rest.get(1) == Some(&b'\'') => (Kind::Text, self.escaped()?),
            b'"' => (Kind::QuotedName, self.quoted(0, b'"', "a quoted name")?),
            b'`' if is_sqlite => (Kind::QuotedName, self.quoted(0, b'`', "a quoted name")?),
            b'[' if is_sqlite => (Kind::QuotedName, self.bracketed()?),
            b'$' => self.dollar()?,
            b'?' if is_sqlite => (Kind::OtherParameter, 1 + span(&rest[1..], |byte| byte.is_ascii_digit())),
            b':' | b'@' if is_sqlite && rest.get(1).copied().is_some_and(is_word) => {
                (Kind::OtherParameter, 1 + span(&rest[1..], is_word))
            }
            b';' => (Kind::Semicolon, 1),
            byte if byte.is_ascii_digit() => {
                (Kind::Number, span(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            }
            byte if is_word(byte) => (Kind::Word, span(rest, |byte| is_word(byte) || byte == b'$')),
            _ => (Kind::Sign, 1),
        };
        self.at = from + length;
        Ok(Some(Token { kind, range: from..self.at }))
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn unclosed(&self, what: &'static str) -> Unclosed {
        Unclosed { at: self.at, what }
    }

    /// The length of a comment, which may hold others with PostgreSQL.
    fn comment(&self) -> Result<usize, Unclosed> {
        let (rest, nests) = (self.rest(), self.dialect == Dialect::Postgres);
        let (mut depth, mut at) = (1_usize, 2);
        while let Some(two) = rest.get(at..at + 2) {
            match two {
                b"/*" if nests => (depth, at) = (depth + 1, at + 2),
                b"*/" if depth == 1 => return Ok(at + 2),
                b"*/" => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
        }
        Err(self.unclosed("a comment"))
    }

    /// The length of what begins with a quote `before` bytes behind this place. A quote within it is doubled.
    fn quoted(&self, before: usize, quote: u8, what: &'static str) -> Result<usize, Unclosed> {
        let rest = self.rest();
        let mut at = before + 1;
        loop {
            at += 1 + rest.get(at..).and_then(|rest| position(rest, quote)).ok_or_else(|| self.unclosed(what))?;
            if rest.get(at) != Some(&quote) {
                return Ok(at);
            }
            at += 1;
        }
    }

    /// The length of `E'…'`. It may go on behind a line's end, in another pair of quotes.
    fn escaped(&self) -> Result<usize, Unclosed> {
        let rest = self.rest();
        let mut at = 2;
        loop {
            match rest.get(at) {
                None => return Err(self.unclosed("a string")),
                Some(b'\\') => at += 2,
                Some(b'\'') if rest.get(at + 1) == Some(&b'\'') => at += 2,
                Some(b'\'') => match continued(&rest[at + 1..]) {
                    Some(between) => at += between + 2,
                    None => return Ok(at + 1),
                },
                Some(_) => at += 1,
            }
        }
    }

    /// `[name]`, which has no way to hold a bracket.
    fn bracketed(&self) -> Result<usize, Unclosed> {
        position(self.rest(), b']').map(|end| end + 1).ok_or_else(|| self.unclosed("a quoted name"))
    }

    /// A parameter, a string between dollars, or a mere dollar.
    fn dollar(&self) -> Result<(Kind, usize), Unclosed> {
        let rest = self.rest();
        let digits = span(&rest[1..], |byte| byte.is_ascii_digit());
        if self.dialect == Dialect::Sqlite {
            let word = span(&rest[1..], is_word);
            return Ok((if digits == word { number(&rest[1..=digits]) } else { Kind::OtherParameter }, 1 + word));
        }
        if digits > 0 {
            return Ok((number(&rest[1..=digits]), 1 + digits));
        }
        let tag = 1 + span(&rest[1..], is_word);
        if rest.get(tag) != Some(&b'$') {
            return Ok((Kind::Sign, 1));
        }
        let quote = &rest[..=tag];
        let inside = &rest[quote.len()..];
        let end = inside.windows(quote.len()).position(|window| window == quote);
        let end = end.ok_or_else(|| self.unclosed("a string between dollars"))?;
        Ok((Kind::Text, end + 2 * quote.len()))
    }
}

/// Of digits. What is too great to be any parameter's number is not told apart; none at all is a mere dollar.
fn number(digits: &[u8]) -> Kind {
    if digits.is_empty() {
        return Kind::Sign;
    }
    let digit = |number: u32, byte: &u8| number.saturating_mul(10).saturating_add(u32::from(byte - b'0'));
    Kind::Parameter(digits.iter().fold(0, digit))
}

/// How far the next quote of a string is that goes on behind a line's end; comments to the end of a line may stand between.
fn continued(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut has_line) = (0, false);
    loop {
        at += match bytes.get(at)? {
            b'\'' => return has_line.then_some(at),
            b'\n' | b'\r' => {
                has_line = true;
                1
            }
            byte if is_space(*byte) => 1,
            b'-' if bytes[at..].starts_with(b"--") => line(&bytes[at..]),
            _ => return None,
        };
    }
}

/// The length of a comment to the end of its line.
fn line(bytes: &[u8]) -> usize {
    span(bytes, |byte| byte != b'\n' && byte != b'\r')
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

fn span(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !belongs(byte)).unwrap_or(bytes.len())
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Whether it may stand in a plain name.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(sql: &str, dialect: Dialect) -> Vec<(Kind, &str)> {
        tokens(sql, dialect).unwrap().into_iter().map(|token| (token.kind, &sql[token.range])).collect()
    }

    fn parameters(sql: &str, dialect: Dialect) -> Vec<u32> {
        let number = |(kind, _)| if let Kind::Parameter(number) = kind { Some(number) } else { None };
        read(sql, dialect).into_iter().filter_map(number).collect()
    }

    #[test]
    fn a_parameter_is_told_from_what_looks_like_one() {
        for (sql, found) in [
            ("a = $1 AND b=$2::date", vec![1, 2]),
            ("a$1 = $1", vec![1]),
            ("ñ$1 = $2", vec![2]),
            ("'$1' || $2", vec![2]),
            ("'it''s $1' || $2", vec![2]),
            (r"'\' || $2", vec![2]),
            (r"E'\'$1' || $2", vec![2]),
            (r"e'\\' || $2", vec![2]),
            (r"nombre'\' || $2", vec![2]),
            ("E'a' -- one string\n '\\'$1' || $2", vec![2]),
            ("'a'\n'\\' || $2", vec![2]),
            ("U&'\\0061$1' || $2", vec![2]),
            ("\"$1\" = $2", vec![2]),
            ("\"a\"\"$1\" = $2", vec![2]),
            ("1 -- it's $1\n+ $2", vec![2]),
            ("1 - -$2", vec![2]),
            ("1 /* $1 /* ' */ $1 */ + $2", vec![2]),
            ("$$ $1 ' $$ || $2", vec![2]),
            ("$a$ $1 $$ $b$ $a$ || $2", vec![2]),
            ("$ñ$ $1 $ñ$ || $2", vec![2]),
            ("a$b$ || $2", vec![2]),
            ("datos ? 'x' AND datos ?| ARRAY[$1] AND datos @> $2", vec![1, 2]),
            ("$12 + $99999999999999999999", vec![12, u32::MAX]),
            ("$0", vec![0]),
        ] {
            assert_eq!(parameters(sql, Dialect::Postgres), found, "{sql}");
        }
    }

    #[test]
    fn sqlite_has_other_quotes_and_other_parameters() {
        for (sql, found) in [
            ("a = $1 AND b = $2", vec![1, 2]),
            ("`$1` = $2 AND [it's $1] = $3", vec![2, 3]),
            ("1 /* /* $1 */ + $2", vec![2]),
            (r"E'\' || $2", vec![2]),
            ("datos ->> '$.a' || $2", vec![2]),
        ] {
            assert_eq!(parameters(sql, Dialect::Sqlite), found, "{sql}");
        }
        let other =
            |sql| read(sql, Dialect::Sqlite).into_iter().filter(|(kind, _)| *kind == Kind::OtherParameter).count();
        assert_eq!(other("a = ? AND b = ?2 AND c = :key AND d = @x AND e = $name AND f = $1a"), 6);
        assert_eq!(other("a = '?' AND b = \":x\" AND c = $1"), 0);
    }

    #[test]
    fn what_has_no_end_is_found_where_it_begins() {
        for (sql, at) in [
            ("a 'b", 2),
            ("a 'b''", 2),
            (r"a E'\'", 2),
            ("a \"b", 2),
            ("/* /* */", 0),
            ("a $x$ b $y$", 2),
            ("a $$ b $", 2),
        ] {
            assert_eq!(tokens(sql, Dialect::Postgres).unwrap_err().at, at, "{sql}");
        }
        assert_eq!(tokens("a [b", Dialect::Sqlite).unwrap_err().at, 2);
    }

    #[test]
    fn a_comment_may_be_last_without_a_lines_end() {
        assert_eq!(read("a -- b", Dialect::Postgres), [(Kind::Word, "a"), (Kind::Comment, "-- b")]);
        assert_eq!(read("a/**/", Dialect::Postgres), [(Kind::Word, "a"), (Kind::Comment, "/**/")]);
    }

    /// Something that hides what stands in it.
    fn hiding() -> impl Strategy<Value = String> {
        let inside = "[a-z;$1?:\" -]{0,12}";
        prop_oneof![
            inside.prop_map(|text| format!("'{text}'")),
            inside.prop_map(|text| format!("E'\\'{text}\\\\'")),
            inside.prop_map(|text| format!("\"{}\"", text.replace('"', "\"\""))),
            inside.prop_map(|text| format!("$fin$ {text} $fin$")),
            inside.prop_map(|text| format!("/* {text} /* ' */ */")),
            inside.prop_map(|text| format!("-- {text} '\n")),
        ]
    }

    /// Something to be found, by its text.
    fn found() -> impl Strategy<Value = String> {
        prop_oneof![Just("$1"), Just("$2"), Just("$3"), Just(";"), Just("tabla"), Just("("), Just("::"), Just("?")]
            .prop_map(str::to_owned)
    }

    proptest! {
        #[test]
        fn whatever_is_hidden_between_all_else_is_found(
            parts in proptest::collection::vec((found(), hiding()), 0..12),
        ) {
            let sql: String = parts.iter().flat_map(|(found, hiding)| [found, " ", hiding, " "]).collect();
            let hides = [Kind::Text, Kind::QuotedName, Kind::Comment];
            let left: String = read(&sql, Dialect::Postgres)
                .into_iter()
                .filter(|(kind, _)| !hides.contains(kind))
                .map(|(_, text)| text)
                .collect();
            let wanted: String = parts.iter().map(|(found, _)| found.as_str()).collect();
            prop_assert_eq!(left, wanted);
        }

        /// Between two tokens stands nothing but white space, and no character is cut.
        #[test]
        fn every_text_is_read_without_gaps_and_within_characters(sql in r#"[a1 $'"\\ñ\n*/;?:\[\]`E-]{0,32}"#) {
            for dialect in [Dialect::Postgres, Dialect::Sqlite] {
                let Ok(tokens) = tokens(&sql, dialect) else { continue };
                let mut end = 0;
                for token in tokens {
                    prop_assert!(sql[end..token.range.start].chars().all(char::is_whitespace));
                    prop_assert!(!sql[token.range.clone()].is_empty());
                    end = token.range.end;
                }
                prop_assert!(sql[end..].chars().all(char::is_whitespace));
            }
        }
    }
}
