//! The one look at a whole body before anything is taken out of it.
//!
//! Whoever reads on may rely on it: bounded depth, no name twice at any depth, numbers and strings that a browser can
//! hold. Must not know what any field means.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{BadBody, MAX_DEPTH, Member, Problem};

/// Refuses what must not come in.
pub(super) fn check(text: &str) -> Result<(), BadBody> {
    // First, and without recursion: what follows goes down with the text.
    if depth(text) > MAX_DEPTH {
        return Err(BadBody::TooDeep);
    }
    let text = whole_characters(text);
    let mut found = Found::default();
    let mut reader = serde_json::Deserializer::from_str(&text);
    let outcome = Whole(&mut found).deserialize(&mut reader).and_then(|()| reader.end());
    match (outcome, found) {
        (Ok(()), _) => Ok(()),
        (Err(_), Found { twice: Some(name), .. }) => Err(BadBody::field(&name, Problem::Twice)),
        // The library's words, in which nothing of the body is repeated.
        (Err(error), Found { within: Some(name), .. }) => {
            Err(BadBody::field(&name, Problem::Unreadable(error.to_string())))
        }
        (Err(error), _) => Err(BadBody::NotJson(error.to_string())),
    }
}

/// How deep brackets nest outside of strings, as far as it matters.
fn depth(text: &str) -> usize {
    let (mut deepest, mut now) = (0_usize, 0_usize);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// `text`, with every half of a surrogate pair that stands alone (`\ud83d`) written as a character of private use, so
/// that all of it can be decoded. No byte changes its place.
fn whole_characters(text: &str) -> Cow<'_, str> {
    /// The first byte of the pair's half that is spelt at `at`: `\ud8..` to `\udb..`, or `\udc..` to `\udf..`.
    fn half(bytes: &[u8], at: usize) -> Option<u8> {
        match *bytes.get(at..at + 6)? {
            [b'\\', b'u', b'd' | b'D', nibble, _, _] => char::from(nibble).to_digit(16)?.try_into().ok(),
            _ => None,
        }
        .filter(|nibble| *nibble >= 8)
    }
    let bytes = text.as_bytes();
    let mut halves = Vec::new();
    let mut at = 0;
    while let Some(next) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += next;
        at += match half(bytes, at) {
            Some(8..12) if half(bytes, at + 6) >= Some(12) => 12,
            Some(nibble) => {
                halves.push((at, nibble));
                6
            }
            // The escaped one may be another backslash.
            None => 2,
        };
    }
    if halves.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut whole = text.to_owned();
    for (at, nibble) in halves {
        // U+D800 to U+DFFF become U+E000 to U+E7FF.
        whole.replace_range(at + 2..at + 4, &format!("e{}", nibble - 8));
    }
    Cow::Owned(whole)
}

/// The names and values of an object, in their order.
pub(super) fn members(text: &str) -> Result<Vec<Member<'_>>, serde_json::Error> {
    struct Members;
    impl<'a> Visitor<'a> for Members {
        type Value = Vec<Member<'a>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((spelt, value)) = map.next_entry::<&'a RawValue, &'a RawValue>()? {
                let (spelt, raw) = (spelt.get(), value.get());
                let name = match whole_characters(spelt) {
                    Cow::Borrowed(spelt) => serde_json::from_str::<Name<'a>>(spelt).map_err(A::Error::custom)?.0,
                    Cow::Owned(whole) => serde_json::from_str::<String>(&whole).map_err(A::Error::custom)?.into(),
                };
                members.push(Member { name, spelt, raw });
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_map(Members)
}

/// A name, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What a refused body is told, beside the library's error.
#[derive(Default)]
struct Found {
    /// The name that an object has twice.
    twice: Option<String>,
    /// The outermost field in which reading ended.
    within: Option<String>,
}

/// Any value, read through and not kept.
struct Whole<'f>(&'f mut Found);

impl<'a> DeserializeSeed<'a> for Whole<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(Name(name)) = map.next_key::<Name<'a>>()? {
            if names.contains(&name) {
                self.0.twice = Some(name.into_owned());
                return Err(A::Error::custom("a name is given twice"));
            }
            if let Err(error) = map.next_value_seed(Whole(self.0)) {
                self.0.within = Some(name.into_owned());
                return Err(error);
            }
            names.insert(name);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(Whole(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}
