//! What nodes say to each other by the log: entries and their bytes, in the format that all who are there can read.
//!
//! A byte for the format, one for the kind, the entry's first id (0: the one that it has in the log), the node that wrote
//! it, its tag, then what the kind has. Numbers are little-endian, texts are UTF-8 behind their length. Whoever reads may be older
//! or newer than who wrote, and anybody may have written anything: what cannot be read is told as that. Must not know the
//! log, nor what is done about an entry.

mod bytes;

use std::ops::RangeInclusive;

use ::bytes::Bytes;
use serde::de::IgnoredAny;

use super::log::{NodeId, Position};
use crate::model::{Answered, Channel, Tenant, UserId};
use crate::publication::Draft;

use bytes::{Reader, Writer};

/// The formats that are written and read, the oldest first. A node says in its beats which is the newest that it reads.
pub(super) const FORMATS: RangeInclusive<u8> = 1..=1;
/// What entries begin with behind the format, by what they say.
const KINDS: [u8; 7] = *b"EDPSABL";
/// Where the first id stands.
const FIRST: std::ops::Range<usize> = 2..10;

/// What an entry says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// The events of one call.
    Events(Events),
    /// Connections are to end.
    Dismissed(Dismissal),
    /// A tenant has changes to pull.
    Pending(Tenant),
    /// How a channel of states stands, or that it has changed.
    Told(Told),
    /// Any state may have changed.
    Anything,
    /// A node is there.
    Beat(Beat),
    /// The node goes away.
    Leave,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Events {
    /// The call that they come from, if it is to have its effect once.
    pub(super) call: Option<Keyed>,
    pub(super) drafts: Vec<Draft>,
}

/// What a node says of a channel of states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) channel: Channel,
    /// In the words of its feed; `None`: it has changed, and somebody will read how it stands.
    pub(super) said: Option<String>,
}

/// A call with its key and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keyed {
    pub(super) path: String,
    pub(super) key: String,
    pub(super) answered: Answered,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dismissal {
    /// All of a user's; her tokens issued until then (Unix seconds) are no good any more.
    User { user: UserId, at: i64 },
    /// All that listen to a channel.
    Listeners(Channel),
}

/// What a node says of itself, about once a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beat {
    /// For people.
    pub(super) name: String,
    pub(super) version: String,
    /// The newest format that it reads.
    pub(super) format: u8,
    /// Which of its beats this is.
    pub(super) count: u64,
    /// When it started, in Unix seconds.
    pub(super) since: i64,
    /// How many clients it has.
    pub(super) clients: u64,
    /// What it has read.
    pub(super) position: Position,
    /// How far it reads behind, in µs.
    pub(super) lag: u64,
    /// Of the secret, the zone and the database, in this order; they tell nothing but whether two nodes have the same.
    pub(super) fingerprints: [u64; 3],
}

/// An entry, by whom, and under which id it was first in a log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Read {
    pub(super) node: NodeId,
    /// Drawn when it was written: while there are two servers, two entries may have one id.
    pub(super) tag: u64,
    /// `None`: this is the first time.
    pub(super) first: Option<u64>,
    pub(super) entry: Entry,
}

/// Why an entry is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Of a format or a kind that this version does not know.
    Unknown,
    /// No entry of ours.
    Garbage,
}

impl Events {
    /// How many ids they take.
    pub(super) fn ids(&self) -> u64 {
        self.drafts.len().max(1) as u64
    }
}

/// A tag for an entry that is about to be written.
pub(super) fn tag() -> u64 {
    rand::random()
}

/// `format`: one of [`FORMATS`]. They all begin alike.
pub(super) fn write(format: u8, node: NodeId, tag: u64, entry: &Entry) -> Bytes {
    let mut writer = Writer::default();
    writer.byte(format);
    writer.byte(kind(entry));
    writer.number(0);
    writer.number(node.0);
    writer.number(tag);
    match entry {
        Entry::Events(events) => {
            writer.byte(events.call.is_some().into());
            if let Some(Keyed { path, key, answered }) = &events.call {
                writer.text(path);
                writer.text(key);
                writer.number(answered.status.into());
                writer.text(&answered.body);
            }
            writer.number(events.drafts.len() as u64);
            for draft in &events.drafts {
                writer.text(&draft.channel.to_string());
                writer.text(draft.event);
                writer.text(&draft.payload);
            }
        }
        Entry::Dismissed(Dismissal::User { user, at }) => {
            writer.byte(0);
            writer.text(user.as_str());
            writer.signed(*at);
        }
        Entry::Dismissed(Dismissal::Listeners(channel)) => {
            writer.byte(1);
            writer.text(&channel.to_string());
        }
        Entry::Pending(tenant) => writer.text(tenant.as_str()),
        Entry::Told(Told { channel, said }) => {
            writer.byte(said.is_some().into());
            writer.text(&channel.to_string());
            writer.text(said.as_deref().unwrap_or_default());
        }
        Entry::Beat(beat) => {
            writer.text(&beat.name);
            writer.text(&beat.version);
            writer.byte(beat.format);
            writer.number(beat.count);
            writer.signed(beat.since);
            writer.number(beat.clients);
            writer.number(beat.position.events);
            writer.number(beat.position.now);
            writer.number(beat.lag);
            beat.fingerprints.into_iter().for_each(|fingerprint| writer.number(fingerprint));
        }
        Entry::Leave | Entry::Anything => {}
    }
    writer.finish()
}

/// Bytes of an entry that say under which id it was first in a log.
pub(super) fn with_first(body: &Bytes, first: u64) -> Bytes {
    let mut again = body.to_vec();
    if let Some(place) = again.get_mut(FIRST) {
        place.copy_from_slice(&first.to_le_bytes());
    }
    again.into()
}

/// `names`: what events may be called.
pub(super) fn read(body: &Bytes, names: &[&'static str]) -> Result<Read, Unreadable> {
    let mut reader = Reader::new(body);
    if !FORMATS.contains(&reader.byte().ok_or(Unreadable::Garbage)?) {
        return Err(Unreadable::Unknown);
    }
    let kind = reader.byte().ok_or(Unreadable::Garbage)?;
    if !KINDS.contains(&kind) {
        return Err(Unreadable::Unknown);
    }
    read_format_1(kind, &mut reader, names).ok_or(Unreadable::Garbage)
}

fn read_format_1(kind: u8, reader: &mut Reader<'_>, names: &[&'static str]) -> Option<Read> {
    let first = Some(reader.number()?).filter(|first| *first > 0);
    let node = NodeId(reader.number()?);
    let tag = reader.number()?;
    let entry = match kind {
        b'E' => Entry::Events(read_events(reader, names)?),
        b'D' => Entry::Dismissed(match reader.byte()? {
            0 => Dismissal::User { user: UserId::new(reader.text()?), at: reader.signed()? },
            1 => Dismissal::Listeners(Channel::parse(reader.text()?)?),
            _ => return None,
        }),
        b'P' => Entry::Pending(Tenant::new(reader.text()?)),
        b'S' => {
            let is_said = match reader.byte()? {
                0 => false,
                1 => true,
                _ => return None,
            };
            let channel = Channel::parse(reader.text()?).filter(Channel::is_of_states)?;
            let said = reader.text()?.to_owned();
            Entry::Told(Told { channel, said: is_said.then_some(said) })
        }
        b'A' => Entry::Anything,
        b'B' => Entry::Beat(Beat {
            name: reader.text()?.to_owned(),
            version: reader.text()?.to_owned(),
            format: reader.byte()?,
            count: reader.number()?,
            since: reader.signed()?,
            clients: reader.number()?,
            position: Position { events: reader.number()?, now: reader.number()? },
            lag: reader.number()?,
            fingerprints: [reader.number()?, reader.number()?, reader.number()?],
        }),
        b'L' => Entry::Leave,
        _ => return None,
    };
    reader.is_at_the_end().then_some(Read { node, tag, first, entry })
}

fn read_events(reader: &mut Reader<'_>, names: &[&'static str]) -> Option<Events> {
    let call = match reader.byte()? {
        0 => None,
        1 => Some(Keyed {
            path: reader.text()?.to_owned(),
            key: reader.text()?.to_owned(),
            answered: Answered { status: reader.number()?.try_into().ok()?, body: json(reader.text()?)?.to_owned() },
        }),
        _ => return None,
    };
    let mut drafts = Vec::new();
    for _ in 0..reader.number()? {
        let channel = Channel::parse(reader.text()?).filter(Channel::is_of_events)?;
        let name = reader.text()?;
        let event = if name.is_empty() { "" } else { names.iter().find(|known| **known == name)? };
        drafts.push(Draft::named(channel, event, json(reader.text()?)?));
    }
    Some(Events { call, drafts })
}

/// What clients are sent is JSON, whoever wrote it.
fn json(text: &str) -> Option<&str> {
    serde_json::from_str::<IgnoredAny>(text).is_ok().then_some(text)
}

fn kind(entry: &Entry) -> u8 {
    match entry {
        Entry::Events(_) => b'E',
        Entry::Dismissed(_) => b'D',
        Entry::Pending(_) => b'P',
        Entry::Beat(_) => b'B',
        Entry::Leave => b'L',
        Entry::Told(_) => b'S',
        Entry::Anything => b'A',
    }
}

#[cfg(test)]
mod tests;
