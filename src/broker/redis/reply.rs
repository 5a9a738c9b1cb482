//! What Redis's answers are read as. Whatever somebody else wrote, nothing here fails: it is no entry, no number, no name.

use bytes::Bytes;
use redis::Value;

use crate::broker::log::{Logged, Stream};

/// The one field of an entry of ours.
const BODY: &[u8] = b"b";

/// An entry's whole id: ours have 0 behind the dash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId {
    pub id: u64,
    pub behind: u64,
}

pub(super) fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

pub(super) fn text(value: Value) -> Option<String> {
    bytes(value).and_then(|bytes| String::from_utf8(bytes).ok())
}

pub(super) fn number(value: Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(number).ok(),
        value => text(value)?.parse().ok(),
    }
}

impl EntryId {
    /// `<id>-<behind>`.
    fn read(value: Value) -> Option<Self> {
        let text = text(value)?;
        let (id, behind) = text.split_once('-')?;
        Some(Self { id: id.parse().ok()?, behind: behind.parse().ok()? })
    }
}

/// What `XREAD` found: entries with their whole ids. `events` is the key of that stream; the other one is of [`Stream::Now`].
pub(super) fn entries(found: Value, events: &str) -> Vec<(EntryId, Logged)> {
    let mut entries = Vec::new();
    for of_stream in list(found) {
        let [key, found] = <[Value; 2]>::try_from(list(of_stream)).unwrap_or_default();
        let stream = if bytes(key).as_deref() == Some(events.as_bytes()) { Stream::Events } else { Stream::Now };
        for entry in list(found) {
            let [id, fields] = <[Value; 2]>::try_from(list(entry)).unwrap_or_default();
            if let Some(whole) = EntryId::read(id) {
                let body = if whole.behind == 0 { body(fields) } else { Bytes::new() };
                entries.push((whole, Logged { stream, id: whole.id, body }));
            }
        }
    }
    entries.sort_by_key(|(whole, _)| *whole);
    entries
}

/// Empty if the entry is none of ours.
fn body(fields: Value) -> Bytes {
    let [name, body] = <[Value; 2]>::try_from(list(fields)).unwrap_or_default();
    if bytes(name).as_deref() == Some(BODY) { bytes(body).unwrap_or_default().into() } else { Bytes::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn entry(id: &str, fields: &[&str]) -> Value {
        Value::Array(vec![said(id), Value::Array(fields.iter().map(|field| said(field)).collect())])
    }

    #[test]
    fn entries_come_in_the_order_of_their_ids_and_what_is_not_ours_is_empty() {
        let events =
            Value::Array(vec![entry("5-0", &["b", "five"]), entry("7-0", &["x", "y"]), entry("7-1", &["b", "z"])]);
        let now = Value::Array(vec![entry("6-0", &["b", "six"]), entry("8-0", &["b", "1", "b", "2"]), Value::Nil]);
        let of_stream = |key, found| Value::Array(vec![said(key), found]);
        let found = entries(Value::Array(vec![of_stream("e", events), of_stream("n", now)]), "e");
        let read: Vec<_> = found
            .iter()
            .map(|(whole, logged)| {
                (whole.id, whole.behind, logged.stream, String::from_utf8_lossy(&logged.body).into_owned())
            })
            .collect();
        let row = |id, behind, stream, body: &str| (id, behind, stream, body.to_owned());
        assert_eq!(
            read,
            [
                row(5, 0, Stream::Events, "five"),
                row(6, 0, Stream::Now, "six"),
                row(7, 0, Stream::Events, ""),
                row(7, 1, Stream::Events, ""),
                row(8, 0, Stream::Now, ""),
            ]
        );
        for odd in [Value::Nil, Value::Int(3), said("x"), Value::Array(vec![Value::Int(1), Value::Array(vec![])])] {
            assert!(entries(odd, "e").is_empty());
        }
    }
}
