//! One packet of Socket.IO in an Engine.IO message, as far as a client may send it.
//!
//! Read as the original server reads it: what that refuses is refused. Must not know which namespaces there are, nor what an
//! event means.

use serde::Deserialize;
use serde_json::value::RawValue;

/// Binary attachments of one event or acknowledgement, as many as the original takes.
pub(super) const MOST_ATTACHMENTS: usize = 10;
/// Events that no client may name so.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A packet from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub namespace: &'a str,
    pub what: What<'a>,
    /// So many attachments follow before anything else may.
    pub attachments: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// With what is shown to get in, as JSON.
    Connect(Option<&'a str>),
    Disconnect,
    /// Its name, if that is a text. What else it says is for nobody, and no acknowledgement is ever given.
    Event(Option<String>),
    /// Of nothing: no event of ours asks for one.
    Acknowledgement,
    /// For servers to say.
    Refusal,
}

/// No packet of a client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a packet of Socket.IO")]
pub struct Malformed;

impl<'a> Message<'a> {
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let kind = text.chars().next().ok_or(Malformed)?;
        let rest = text.get(kind.len_utf8()..).unwrap_or_default();
        let is_binary = matches!(kind, '5' | '6');
        let (attachments, rest) = if is_binary { attachments(rest)? } else { (0, rest) };
        let (namespace, rest) = namespace(rest);
        // The number by which an acknowledgement would be asked for, however long.
        let argument = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let argument = (!argument.is_empty()).then_some(argument);
        let what = match (kind, argument) {
            ('0', None) => What::Connect(None),
            ('0', Some(auth)) => What::Connect(Some(json(auth)?)),
            ('1', None) => What::Disconnect,
            ('2' | '5', None) => What::Event(None),
            ('2' | '5', Some(event)) => What::Event(name(event)?),
            ('3' | '6', None) => What::Acknowledgement,
            ('3' | '6', Some(answers)) if json(answers)?.starts_with('[') => What::Acknowledgement,
            ('4', _) => What::Refusal,
            _ => return Err(Malformed),
        };
        Ok(Self { namespace, what, attachments })
    }
}

fn attachments(text: &str) -> Result<(usize, &str), Malformed> {
    let (count, rest) = text.split_once('-').ok_or(Malformed)?;
    let is_number = count.bytes().all(|digit| digit.is_ascii_digit());
    let count = count.parse().ok().filter(|count| is_number && (1..=MOST_ATTACHMENTS).contains(count));
    Ok((count.ok_or(Malformed)?, rest))
}

/// Up to the first comma if it begins with a slash; else the main one.
fn namespace(text: &str) -> (&str, &str) {
    if text.starts_with('/') { text.split_once(',').unwrap_or((text, "")) } else { ("/", text) }
}

/// The text if it is JSON, of whatever depth.
fn json(text: &str) -> Result<&str, Malformed> {
    serde_json::from_str::<&RawValue>(text).map(RawValue::get).map_err(|_| Malformed)
}

/// The name of an event: the first of its arguments, a number or a text that is not reserved.
fn name(event: &str) -> Result<Option<String>, Malformed> {
    let arguments = json(event)?.strip_prefix('[').ok_or(Malformed)?;
    // Only the first is kept.
    let first = serde_json::Deserializer::from_str(arguments).into_iter::<&RawValue>().next();
    let first = first.and_then(Result::ok).ok_or(Malformed)?.get();
    match first.as_bytes().first() {
        Some(b'"') => {}
        Some(b'-' | b'0'..=b'9') => return Ok(None),
        _ => return Err(Malformed),
    }
    let name = String::deserialize(&mut serde_json::Deserializer::from_str(first)).ok();
    match name {
        Some(name) if RESERVED.contains(&name.as_str()) => Err(Malformed),
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests;
