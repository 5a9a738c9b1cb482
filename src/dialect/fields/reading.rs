//! The one look at a whole body before anything is taken out of it.
//!
//! Whoever reads on may rely on it: bounded depth, no name twice at any depth, numbers and strings that every reader
//! of JSON can hold. Must not know what any field means.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{BadBody, MAX_DEPTH, Problem};

/// Refuses what must not come in.
pub(super) fn check(text: &str) -> Result<(), BadBody> {
    // First, and without recursion: what follows goes down with the text.
    if depth(text) > MAX_DEPTH {
        return Err(BadBody::TooDeep);
    }
    let mut found = Found::default();
    let mut reader = serde_json::Deserializer::from_str(text);
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

/// The names and values of an object, in their order.
pub(super) fn members(text: &str) -> Result<Vec<(Cow<'_, str>, &str)>, serde_json::Error> {
    struct Members;
    impl<'a> Visitor<'a> for Members {
        type Value = Vec<(Cow<'a, str>, &'a str)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<Name<'a>, &'a RawValue>()? {
                members.push((name.0, value.get()));
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
