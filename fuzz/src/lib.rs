//! A second opinion on JSON, written otherwise than the product's: every target holds the product against it.

use std::collections::HashSet;

use pulso::json::{BadBody, MAX_DEPTH};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Whether a body is UTF-8 and JSON, nested no deeper than allowed, without a name given twice.
pub fn is_sound(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let text = &whole(text);
    // A tree that says yes, and the library's own tree, which knows what a number and a string can hold.
    serde_json::from_str::<Value>(text).is_ok()
        && serde_json::from_str::<Tree>(text).is_ok_and(|tree| tree.depth() <= MAX_DEPTH && tree.has_no_name_twice())
}

/// What was let out must be sound, and is handed back read.
#[track_caller]
pub fn sound(text: &str) -> Value {
    assert!(is_sound(text.as_bytes()), "let out: {text}");
    serde_json::from_str(&whole(text)).unwrap()
}

/// Halves of surrogate pairs that stand alone are let in as they are; the library reads them only as something else.
pub fn whole(text: &str) -> String {
    let unit = |at: usize| u16::from_str_radix(text.get(at..at + 6)?.strip_prefix("\\u")?, 16).ok();
    let (mut out, mut at) = (String::new(), 0);
    while let Some(first) = text[at..].chars().next() {
        let step = match unit(at) {
            Some(0xd800..0xdc00) if matches!(unit(at + 6), Some(0xdc00..0xe000)) => 12,
            Some(half @ 0xd800..0xe000) => {
                out += &format!("\\u{:04x}", half + 0x800);
                at += 6;
                continue;
            }
            _ if first == '\\' => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
            _ => first.len_utf8(),
        };
        out += &text[at..at + step];
        at += step;
    }
    out
}

/// Reads what a dialect makes of a body into which it may have put the body one or two levels down.
#[track_caller]
pub fn message(text: &str) -> Value {
    let text = &whole(text);
    let tree: Tree = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(tree.has_no_name_twice() && tree.depth() <= MAX_DEPTH + 3, "let out: {text}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// An error is short and plain, whatever it is about.
#[track_caller]
pub fn check_refusal(error: &BadBody) {
    let told = error.to_string();
    assert!(told.chars().count() <= 300, "{told}");
    assert!(!told.chars().any(char::is_control), "{told:?}");
}

/// The object without some of its fields.
pub fn without(mut object: Value, names: &[&str]) -> Value {
    if let Some(object) = object.as_object_mut() {
        names.iter().for_each(|name| drop(object.remove(*name)));
    }
    object
}

/// JSON with every name that it has.
enum Tree {
    Leaf,
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn depth(&self) -> usize {
        match self {
            Self::Leaf => 0,
            Self::Array(entries) => 1 + entries.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }

    fn has_no_name_twice(&self) -> bool {
        match self {
            Self::Leaf => true,
            Self::Array(entries) => entries.iter().all(Self::has_no_name_twice),
            Self::Object(members) => {
                let names: HashSet<_> = members.iter().map(|(name, _)| name).collect();
                names.len() == members.len() && members.iter().all(|(_, value)| value.has_no_name_twice())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = sequence.next_element()? {
                    entries.push(entry);
                }
                Ok(Tree::Array(entries))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Tree::Object(members))
            }
        }
        reader.deserialize_any(Any)
    }
}
