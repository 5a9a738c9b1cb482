//! What this node has read of the log, or written to it: to know what comes again, and to put back what a log has lost.
//!
//! Entries of events only, each by its tag. Must not know what they say.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::log::KEPT_EVENTS;
use crate::idempotency::REMEMBERED_FOR;

/// Bytes of entries that can be put back.
pub(super) const PUT_BACK_BYTES: usize = 16 * 1024 * 1024;
/// What this node appended and has not read, at most.
const UNREAD: usize = 10_000;
/// Tags, and calls, that are known: no fewer than the log has.
const KNOWN: usize = KEPT_EVENTS as usize;

/// Names a call, as the log does.
pub(super) type CallName = Arc<str>;

#[derive(Debug, Default)]
pub(super) struct Kept {
    /// By the id that each has in the log now, and its tag.
    entries: BTreeMap<(u64, u64), Put>,
    bytes: usize,
    /// Tags of what was read, and where each is in the log now.
    known: HashMap<u64, u64>,
    /// The first ids of what calls had for their effect.
    calls: HashMap<CallName, u64>,
    /// Tags, and calls with their first ids, as they were read.
    order: VecDeque<(u64, Option<(CallName, u64)>)>,
    /// What this node appended and has not read yet, by first ids and tags.
    unread: BTreeMap<(u64, u64), Put>,
}

/// An entry that can be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) tag: u64,
    /// The id that it had when it was first in a log.
    pub(super) first: u64,
    pub(super) body: Bytes,
    /// How many ids it takes.
    pub(super) ids: u64,
    /// Its call's name and answer.
    pub(super) call: Option<(CallName, Bytes)>,
}

/// What is to be done about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It is handed out.
    New,
    /// It was handed out: somebody put it back.
    Known,
    /// Its call had its effect under this earlier id: a log forgot that, and took it again.
    Repeated(u64),
}

impl Kept {
    /// This node's own entry is in the log.
    pub(super) fn written(&mut self, put: Put) {
        if !self.known.contains_key(&put.tag) {
            self.unread.insert((put.first, put.tag), put);
            if self.unread.len() > UNREAD {
                self.unread.pop_first();
            }
        }
    }

    /// An entry was read at `id`.
    pub(super) fn read(&mut self, id: u64, put: Put) -> News {
        self.unread.remove(&(put.first, put.tag));
        if let Some(at) = self.known.get_mut(&put.tag) {
            let before = std::mem::replace(at, id);
            if let Some(put) = self.entries.remove(&(before, put.tag)) {
                self.entries.insert((id, put.tag), put);
            }
            return News::Known;
        }
        let remembered = u64::try_from(REMEMBERED_FOR.as_micros()).unwrap_or(u64::MAX);
        let call = put.call.as_ref().map(|(name, _)| Arc::clone(name));
        let earlier = call.as_ref().and_then(|call| self.calls.get(call)).copied();
        let earlier = earlier.filter(|earlier| put.first.abs_diff(*earlier) < remembered);
        self.known.insert(put.tag, id);
        if let (Some(call), None) = (&call, earlier) {
            self.calls.insert(Arc::clone(call), put.first);
        }
        self.order.push_back((put.tag, call.map(|call| (call, put.first))));
        self.keep_bounds();
        if let Some(earlier) = earlier {
            return News::Repeated(earlier);
        }
        self.bytes += put.body.len();
        self.entries.insert((id, put.tag), put);
        while self.bytes > PUT_BACK_BYTES
            && let Some((_, oldest)) = self.entries.pop_first()
        {
            self.bytes -= oldest.body.len();
        }
        News::New
    }

    fn keep_bounds(&mut self) {
        while self.order.len() > KNOWN
            && let Some((tag, call)) = self.order.pop_front()
        {
            self.known.remove(&tag);
            if let Some((call, first)) = call
                && self.calls.get(&call) == Some(&first)
            {
                self.calls.remove(&call);
            }
        }
    }

    pub(super) fn knows(&self, tag: u64) -> bool {
        self.known.contains_key(&tag)
    }

    /// Up to `most` entries that were read, those before `before` (the log's id, and the tag), newest first, with their ids.
    pub(super) fn before(&self, before: (u64, u64), most: usize) -> Vec<(u64, Put)> {
        self.entries.range(..before).rev().take(most).map(|((id, _), put)| (*id, put.clone())).collect()
    }

    /// What this node appended and has not read, oldest first.
    pub(super) fn unread(&self) -> Vec<Put> {
        self.unread.values().cloned().collect()
    }

    /// Whether there is something that this node appended and has not read yet.
    pub(super) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(first: u64, call: Option<&str>) -> Put {
        Put {
            tag: first,
            first,
            body: Bytes::from(vec![b'x'; 1024]),
            ids: 1,
            call: call.map(|name| (name.into(), Bytes::new())),
        }
    }

    #[test]
    fn what_was_put_back_is_known_and_found_where_it_is_now() {
        let mut kept = Kept::default();
        assert_eq!(kept.read(10, put(10, None)), News::New);
        assert_eq!(kept.read(20, put(10, None)), News::Known);
        assert_eq!(kept.before((u64::MAX, 0), 9), [(20, put(10, None))]);
        assert_eq!(kept.read(30, put(10, None)), News::Known);
        assert_eq!(kept.before((30, 0), 9), []);
    }

    #[test]
    fn two_entries_that_two_servers_gave_one_id_are_two() {
        let mut kept = Kept::default();
        let other = Put { tag: 11, ..put(10, None) };
        assert_eq!(kept.read(10, put(10, None)), News::New);
        assert_eq!(kept.read(10, other.clone()), News::New);
        assert_eq!(kept.read(20, put(10, None)), News::Known);
        assert_eq!(kept.before((u64::MAX, 0), 9), [(20, put(10, None)), (10, other)]);
    }

    #[test]
    fn a_call_that_a_log_forgot_has_its_effect_once() {
        let mut kept = Kept::default();
        assert_eq!(kept.read(10, put(10, Some("a"))), News::New);
        assert_eq!(kept.read(20, put(20, Some("a"))), News::Repeated(10));
        assert_eq!(kept.read(21, put(20, Some("a"))), News::Known);
        assert_eq!(kept.read(30, put(30, Some("b"))), News::New);
        let a_day_later = 10 + u64::try_from(REMEMBERED_FOR.as_micros()).unwrap();
        assert_eq!(kept.read(a_day_later, put(a_day_later, Some("a"))), News::New, "keys may be used again");
    }

    #[test]
    fn what_is_written_is_unread_until_it_is_read() {
        let mut kept = Kept::default();
        kept.written(put(10, None));
        assert_eq!(kept.unread(), [put(10, None)]);
        assert_eq!(kept.read(15, put(10, None)), News::New, "put back by somebody before it was read");
        assert!(!kept.has_unread());
        kept.written(put(10, None));
        assert!(!kept.has_unread(), "it was read before its answer came");
    }

    #[test]
    fn the_bounds_hold() {
        let mut kept = Kept::default();
        for id in 1..=KNOWN as u64 + 5 {
            kept.read(id, put(id, Some(&id.to_string())));
        }
        assert!(!kept.knows(5) && kept.knows(6));
        assert_eq!((kept.known.len(), kept.calls.len(), kept.order.len()), (KNOWN, KNOWN, KNOWN));
        assert_eq!(kept.before((u64::MAX, 0), usize::MAX).len(), PUT_BACK_BYTES / 1024);
    }
}
