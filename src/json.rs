//! A body as its fields: read once, checked whole, every value kept as it was spelt (`45.50` is money, not a float).
//!
//! Owns what every feed may assume of a body: UTF-8, JSON that a browser can read, bounded nesting, no name twice.
//! Must not know which fields a feed has.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::{MAX_ID_BYTES, may_be_id};

mod reading;

/// Deepest nesting of a body, the body itself included. Below what the usual readers of JSON take (128).
pub const MAX_DEPTH: usize = 64;

/// The first transaction that an application can have: those below are the database's own.
const FIRST_XID: u64 = 3;

/// Most characters of a caller's own words that an error repeats.
const MOST_SHOWN: usize = 60;

/// Why a body is refused. The text is for whoever called the hook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    #[error("the body must be UTF-8")]
    NotUtf8,
    #[error("the body must be JSON: {0}")]
    NotJson(String),
    #[error("the body may be nested {MAX_DEPTH} deep at most")]
    TooDeep,
    #[error("the body must be {0}")]
    NotThis(&'static str),
    /// `field` may be the caller's own word, but short and escaped.
    #[error("{field} {problem}")]
    Field { field: String, problem: Problem },
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("is missing")]
    Missing,
    #[error("is given twice")]
    Twice,
    #[error("cannot be read: {0}")]
    Unreadable(String),
    #[error("must be {0}")]
    NotThis(Cow<'static, str>),
    /// A rule of the feed's own.
    #[error("{0}")]
    Rule(&'static str),
}

impl BadBody {
    pub fn field(field: &str, problem: Problem) -> Self {
        Self::Field { field: shown(field), problem }
    }

    /// The field that is wrong, if it is one field.
    pub fn field_name(&self) -> Option<&str> {
        match self {
            Self::Field { field, .. } => Some(field),
            Self::NotUtf8 | Self::NotJson(_) | Self::TooDeep | Self::NotThis(_) => None,
        }
    }
}

/// A value with its place in the body.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// `items[3].id`; empty for the body itself.
    path: String,
    raw: &'a str,
}

/// The fields of one object, in their order.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    path: String,
    raw: &'a str,
    list: Vec<Member<'a>>,
}

/// A name and a value of an object.
#[derive(Clone, Debug)]
struct Member<'a> {
    name: Cow<'a, str>,
    /// As it was spelt, with its quotes.
    spelt: &'a str,
    raw: &'a str,
}

impl<'a> Field<'a> {
    /// A whole body, checked: what is inside is readable by every browser.
    pub fn read(body: &'a [u8]) -> Result<Self, BadBody> {
        let text = str::from_utf8(body).map_err(|_| BadBody::NotUtf8)?;
        reading::check(text)?;
        Ok(Self { path: String::new(), raw: text.trim_ascii() })
    }

    /// The same value, called otherwise in errors.
    #[must_use]
    pub fn named(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// The value's JSON, to the letter.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    pub fn is_array(&self) -> bool {
        self.raw.starts_with('[')
    }

    pub fn is_object(&self) -> bool {
        self.raw.starts_with('{')
    }

    /// `None` for `null`.
    pub fn or_null(self) -> Option<Self> {
        (self.raw != "null").then_some(self)
    }

    /// An id: an integer, or a text that can be one. Both spellings of one id give the same text.
    pub fn id(&self) -> Result<String, BadBody> {
        if self.is_integer() && self.raw.len() <= MAX_ID_BYTES {
            return Ok(self.raw.to_owned());
        }
        self.decoded().filter(|id| may_be_id(id)).ok_or_else(|| self.must_be("an integer or a non-empty string"))
    }

    /// An id that is a text.
    pub fn text_id(&self) -> Result<String, BadBody> {
        self.decoded().filter(|id| may_be_id(id)).ok_or_else(|| self.must_be("a non-empty string"))
    }

    /// A text that is read here: every character of it whole.
    pub fn text(&self) -> Result<String, BadBody> {
        self.decoded().ok_or_else(|| self.must_be("a string"))
    }

    /// A text that is only passed on. Somebody else's program may have cut it in the middle of a character
    /// (`"sin cebolla \ud83d"`), which is no reason to lose an order.
    pub fn any_text(&self) -> Result<(), BadBody> {
        if self.raw.starts_with('"') { Ok(()) } else { Err(self.must_be("a string")) }
    }

    /// One of a few words.
    pub fn one_of(&self, words: &[&'static str]) -> Result<&'static str, BadBody> {
        let said = self.decoded().unwrap_or_default();
        words.iter().find(|word| **word == said).copied().ok_or_else(|| match words {
            [only] => self.must_be(format!("\"{only}\"")),
            several => self.must_be(format!("one of {}", several.join(", "))),
        })
    }

    /// An amount: a number, or a text that is a plain decimal.
    pub fn money(&self) -> Result<&'a str, BadBody> {
        let is_money = self.is_number() || self.decoded().is_some_and(|text| is_decimal(&text));
        if is_money { Ok(self.raw) } else { Err(self.must_be("a number or a decimal string")) }
    }

    pub fn number(&self) -> Result<&'a str, BadBody> {
        if self.is_number() { Ok(self.raw) } else { Err(self.must_be("a number")) }
    }

    pub fn integer(&self) -> Result<&'a str, BadBody> {
        if self.is_integer() { Ok(self.raw) } else { Err(self.must_be("an integer")) }
    }

    /// A transaction, as `pg_current_xact_id()` says it: 64 bits, to the digit, for the database takes `abc` for 0 and `010` for 8.
    pub fn xid(&self) -> Result<u64, BadBody> {
        let digits = if self.is_integer() { Some(self.raw.to_owned()) } else { self.decoded() };
        let is_plain = |digits: &String| digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        let xid = digits.filter(is_plain).and_then(|digits| digits.parse().ok()).filter(|xid| *xid >= FIRST_XID);
        xid.ok_or_else(|| self.must_be("a transaction's pg_current_xact_id(), as a string or an integer"))
    }

    pub fn flag(&self) -> Result<bool, BadBody> {
        match self.raw {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.must_be("true or false")),
        }
    }

    pub fn object(&self) -> Result<Fields<'a>, BadBody> {
        if !self.is_object() {
            return Err(self.must_be("an object"));
        }
        let list = reading::members(self.raw).map_err(|error| self.unreadable(&error))?;
        Ok(Fields { path: self.path.clone(), raw: self.raw, list })
    }

    /// The entries of an array; each knows its place.
    pub fn array(&self) -> Result<impl ExactSizeIterator<Item = Field<'a>> + use<'a>, BadBody> {
        if !self.is_array() {
            return Err(self.must_be("an array"));
        }
        let entries: Vec<&'a RawValue> = serde_json::from_str(self.raw).map_err(|error| self.unreadable(&error))?;
        let path = self.path.clone();
        let entry =
            move |(place, raw): (usize, &'a RawValue)| Field { path: format!("{path}[{place}]"), raw: raw.get() };
        Ok(entries.into_iter().enumerate().map(entry))
    }

    pub fn must_be(&self, what: impl Into<Cow<'static, str>>) -> BadBody {
        self.wrong(Problem::NotThis(what.into()))
    }

    pub fn wrong(&self, problem: Problem) -> BadBody {
        let field = if self.path.is_empty() { "the body" } else { &self.path };
        BadBody::field(field, problem)
    }

    fn unreadable(&self, error: &serde_json::Error) -> BadBody {
        self.wrong(Problem::Unreadable(error.to_string()))
    }

    fn decoded(&self) -> Option<String> {
        self.raw.starts_with('"').then(|| serde_json::from_str(self.raw).ok()).flatten()
    }

    fn is_number(&self) -> bool {
        self.raw.starts_with(|first: char| first == '-' || first.is_ascii_digit())
    }

    fn is_integer(&self) -> bool {
        self.is_number() && !self.raw.contains(['.', 'e', 'E']) && self.raw != "-0"
    }
}

impl<'a> Fields<'a> {
    /// A whole body that must be one object.
    pub fn read(body: &'a [u8]) -> Result<Self, BadBody> {
        let body = Field::read(body)?;
        if body.is_object() { body.object() } else { Err(BadBody::NotThis("an object")) }
    }

    /// The object's JSON, to the letter.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// A field that may be left out, or be `null`, which says the same.
    pub fn optional(&self, name: &str) -> Option<Field<'a>> {
        self.find(name).and_then(Field::or_null)
    }

    /// A field that must be there, if only as `null`.
    pub fn required(&self, name: &str) -> Result<Field<'a>, BadBody> {
        self.find(name).ok_or_else(|| self.wrong(name, Problem::Missing))
    }

    fn find(&self, name: &str) -> Option<Field<'a>> {
        let member = self.list.iter().find(|own| own.name == name)?;
        Some(Field { path: self.path_of(name), raw: member.raw })
    }

    /// The object without some of its fields, the others as they were.
    pub fn without(&self, names: &[&str]) -> String {
        let kept = self.list.iter().filter(|own| !names.contains(&own.name.as_ref()));
        joined(kept.map(|own| (Cow::Borrowed(own.spelt), own.raw)))
    }

    /// The object with some fields set to other JSON: in their old place, else at the end.
    pub fn with(&self, set: &[(&str, &str)]) -> String {
        let find = |name: &str| set.iter().find(|(own, _)| *own == name).map(|(_, raw)| *raw);
        let kept = self.list.iter().map(|own| (Cow::Borrowed(own.spelt), find(&own.name).unwrap_or(own.raw)));
        let is_new = |(name, _): &&(&str, &str)| self.list.iter().all(|own| own.name != *name);
        joined(kept.chain(set.iter().filter(is_new).map(|(name, raw)| (quoted(name).into(), *raw))))
    }

    /// What is wrong with a field of this object.
    pub fn wrong(&self, name: &str, problem: Problem) -> BadBody {
        BadBody::field(&self.path_of(name), problem)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// `text` as JSON.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// An object of names and finished JSON.
pub fn write<'n>(fields: impl IntoIterator<Item = (&'n str, &'n str)>) -> String {
    joined(fields.into_iter().map(|(name, raw)| (quoted(name).into(), raw)))
}

/// An object of names with their quotes and finished JSON.
fn joined<'n>(fields: impl Iterator<Item = (Cow<'n, str>, &'n str)>) -> String {
    let mut out = String::from("{");
    for (name, raw) in fields {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&name);
        out.push(':');
        out.push_str(raw);
    }
    out.push('}');
    out
}

/// Digits, at most one point between digits, perhaps a minus in front.
fn is_decimal(text: &str) -> bool {
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.split_once('.') {
        Some((whole, decimals)) => are_digits(whole) && are_digits(decimals),
        None => are_digits(unsigned),
    }
}

/// A caller's own words, short and without anything that a terminal or a page would act on.
fn shown(text: &str) -> String {
    let escaped: String = text.chars().take(MOST_SHOWN + 1).flat_map(char::escape_debug).collect();
    if escaped.chars().count() <= MOST_SHOWN {
        return escaped;
    }
    escaped.chars().take(MOST_SHOWN - 1).chain(['…']).collect()
}

#[cfg(test)]
pub(crate) mod tests;
