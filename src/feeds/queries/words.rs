//! The live queries: what announces that one may have changed, and the two frames of their channels.
//!
//! The wire is fixed by the product's contract. Must not know which queries there are, nor what keys they take.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::{BadBody, Field, Fields, Problem};

/// Most pairs of a query and a key in one call.
pub const MAX_PAIRS: usize = 100;
/// Said where a result cannot be read: it is read as soon as it can be.
pub const NO_RESULT: &str = "the result is not available right now; it will follow";

/// Something changed that live queries tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Of queries, as the caller writes them.
    pub names: Vec<String>,
    /// Empty for queries without a key. Every query is read for every key.
    pub keys: Vec<Key>,
    /// The transaction that made the change, as `pg_current_xact_id()` says it.
    pub xid: Option<u64>,
}

/// A key, as the caller spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub text: String,
    /// Spelt as a number, which only a key of numbers may be told.
    pub is_number: bool,
}

/// The body of `POST /notify/consulta`.
pub fn decode(body: &[u8]) -> Result<Announcement, BadBody> {
    let fields = Fields::read(body)?;
    let names = one_or_more(&fields, "name", "names")?;
    if names.is_empty() {
        return Err(fields.wrong("name", Problem::Missing));
    }
    let names = names.iter().map(Field::text_id).collect::<Result<Vec<_>, _>>()?;
    let key = |field: &Field<'_>| Ok(Key { text: field.id()?, is_number: field.integer().is_ok() });
    let keys = one_or_more(&fields, "key", "keys")?.iter().map(key).collect::<Result<Vec<_>, BadBody>>()?;
    if names.len() * keys.len().max(1) > MAX_PAIRS {
        return Err(
            fields.wrong("names", Problem::NotThis(format!("{MAX_PAIRS} pairs of a name and a key at most").into()))
        );
    }
    Ok(Announcement { names, keys, xid: fields.optional("xid").as_ref().map(Field::xid).transpose()? })
}

/// The values of a field that is given once or as an array; none where it is not given.
fn one_or_more<'a>(fields: &Fields<'a>, one: &str, more: &str) -> Result<Vec<Field<'a>>, BadBody> {
    match (fields.optional(one), fields.optional(more)) {
        (Some(_), Some(more)) => Err(more.wrong(Problem::Rule("stands beside the single one"))),
        (Some(only), None) => Ok(vec![only]),
        (None, Some(more)) => {
            let each = more.array()?;
            if each.len() == 0 {
                return Err(more.must_be("at least one"));
            }
            if each.len() > MAX_PAIRS {
                return Err(more.must_be(format!("{MAX_PAIRS} at most")));
            }
            Ok(each.collect())
        }
        (None, None) => Ok(Vec::new()),
    }
}

/// A result. `timestamp` is Unix seconds of the read; `seq` grows with every read of the channel; `data` is JSON on one line.
pub fn consulta(channel: &str, seq: u64, timestamp: i64, data: &str) -> String {
    #[derive(Serialize)]
    struct Message<'a> {
        r#type: &'static str,
        channel: &'a str,
        seq: u64,
        timestamp: i64,
        data: &'a RawValue,
    }
    let data = serde_json::from_str(data);
    let message =
        data.and_then(|data| serde_json::to_string(&Message { r#type: "consulta", channel, seq, timestamp, data }));
    // What a store gives is JSON; an empty object would still be a valid message.
    message.unwrap_or_else(|_| "{}".to_owned())
}

/// What is wrong with a channel, said to who watches it or wants to.
pub fn failed(channel: &str, message: &str) -> String {
    #[derive(Serialize)]
    struct Failure<'a> {
        r#type: &'static str,
        channel: &'a str,
        message: &'a str,
    }
    // A struct of strings always serialises; an empty object would still be a valid message.
    serde_json::to_string(&Failure { r#type: "error", channel, message }).unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Key {
        Key { text: text.to_owned(), is_number: false }
    }

    fn number(text: &str) -> Key {
        Key { is_number: true, ..self::text(text) }
    }

    #[test]
    fn a_call_names_one_query_or_several_and_their_keys() {
        for (body, names, keys) in [
            (r#"{"name":"cocina","key":"r-1"}"#, vec!["cocina"], vec![text("r-1")]),
            (r#"{"name":"cocina","key":7,"names":null}"#, vec!["cocina"], vec![number("7")]),
            (r#"{"names":["a","b"],"keys":["1",2],"other":{}}"#, vec!["a", "b"], vec![text("1"), number("2")]),
            (r#"{"name":"total"}"#, vec!["total"], vec![]),
            (r#"{"name":"total","key":null,"keys":null}"#, vec!["total"], vec![]),
        ] {
            let read = decode(body.as_bytes()).unwrap();
            assert_eq!((read.names, read.keys, read.xid), (names.into_iter().map(str::to_owned).collect(), keys, None));
        }
        for wrong in [
            r#"{"key":"r-1"}"#,
            r#"{"name":7,"key":"r-1"}"#,
            r#"{"name":"","key":"r-1"}"#,
            r#"{"name":"a","names":["b"]}"#,
            r#"{"name":"a","key":"k","keys":["k"]}"#,
            r#"{"name":"a","key":1.5}"#,
            r#"{"name":"a","key":true}"#,
            r#"{"name":"a","key":["k"]}"#,
            r#"{"name":"a","keys":"k"}"#,
            r#"{"name":"a","keys":[null]}"#,
            r#"{"name":"a","keys":[]}"#,
            r#"{"names":[]}"#,
            r#"["a"]"#,
        ] {
            assert!(decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_call_has_a_hundred_pairs_at_most() {
        let call = |names: usize, keys: usize| {
            let (names, keys) = (vec!["\"a\""; names].join(","), vec!["1"; keys].join(","));
            decode(format!(r#"{{"names":[{names}],"keys":[{keys}]}}"#).as_bytes())
        };
        assert!(call(1, 100).is_ok() && call(100, 1).is_ok() && call(10, 10).is_ok());
        assert!(call(1, 101).is_err() && call(101, 1).is_err() && call(2, 51).is_err());
    }

    #[test]
    fn a_transaction_is_told_to_the_digit_or_not_at_all() {
        let xid = |xid: &str| decode(format!(r#"{{"name":"a","xid":{xid}}}"#).as_bytes()).map(|read| read.xid);
        assert_eq!(xid("null"), Ok(None));
        for (said, read) in [
            ("3", 3),
            ("\"3\"", 3),
            ("4294967296", 1 << 32),
            ("\"18446744073709551615\"", u64::MAX),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(xid(said), Ok(Some(read)), "{said}");
        }
        for wrong in [
            "0",
            "2",
            "\"2\"",
            "-3",
            "\"-3\"",
            "\"+3\"",
            "\"\"",
            "\" 3\"",
            "\"12x\"",
            "\"010\"",
            "\"abc\"",
            "3.0",
            "3e1",
            "true",
            "[3]",
            "18446744073709551616",
            "\"18446744073709551616\"",
        ] {
            assert!(xid(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_result_is_framed_with_its_data_to_the_letter() {
        let sent = consulta("consulta:cocina:r-\"1", 1_764_000_000_123_456, 1_764_000_000, r#"{"a": 1.50,"b":[]}"#);
        let wanted = concat!(
            r#"{"type":"consulta","channel":"consulta:cocina:r-\"1","seq":1764000000123456,"timestamp":1764000000,"#,
            r#""data":{"a": 1.50,"b":[]}}"#
        );
        assert_eq!(sent, wanted);
        assert_eq!(failed("consulta:a", "x"), r#"{"type":"error","channel":"consulta:a","message":"x"}"#);
    }
}
