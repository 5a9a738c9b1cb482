//! What is done when the log is another than before, or another server has it: whatever it has lost and this node has is put
//! back, once for all nodes, with the id that it had first.
//!
//! Must not know how a line is made.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tracing::info;

use super::{Cluster, answer_bytes, call_name, lock};
use crate::broker::entry::{self, Entry, Read};
use crate::broker::kept::{CallName, Put};
use crate::broker::log::{Call, Identity, Line, Logged, Lost, Position, PutBack, Stream, Trouble};
use crate::broker::spoiled::{Rule, is_left_out};

/// Entries asked for at once.
const PAGE: usize = 256;
/// Entries put back at once.
const AT_ONCE: usize = 128;
/// Bytes of them, unless one alone has more.
const AT_ONCE_BYTES: usize = 256 * 1024;
/// What clients have that this node had not read yet when the log went away, in ids: µs.
const BEHIND: u64 = 1_000_000;
/// For as long two servers may have taken entries, each of some nodes, in ids: µs. What this node found on the one by the line that
/// it reads by says nothing of what it wrote to the other.
const SPLIT: u64 = 10_000_000;
/// What others put back after this node has, in ids: µs.
const AFTER: u64 = 1_500_000;

impl Cluster {
    /// `is_reborn`: the log began anew; otherwise it is the same one, of which the end may be missing.
    pub(super) async fn compare(
        &self,
        line: &Arc<dyn Line>,
        identity: &Identity,
        is_reborn: bool,
    ) -> Result<(), Trouble> {
        let position = self.position().events;
        let confirmed = lock(&self.peers).confirmed(self.node).unwrap_or(position);
        self.doubt(position.saturating_sub(BEHIND), identity.now.max(self.newest()) + AFTER);
        self.link.awaits("which of its entries the log lacks");
        let back_to = if is_reborn { confirmed } else { confirmed.min(position.saturating_sub(SPLIT)) };
        let (mine, from) = self.mine(line, position, is_reborn, back_to).await?;
        self.link.awaits("what the log has that it does not know");
        let (present, unknown) = self.theirs(line, from, position).await?;
        // Of a log that began anew, what everybody has is worth nothing any more; of another, what is older than all that it has.
        let floor = if is_reborn { confirmed } else { identity.oldest };
        let missing = mine.iter().filter(|(id, put)| *id > floor && !present.contains(&put.tag));
        let differs = missing.map(|(id, _)| *id).chain(unknown.iter().map(|put| put.first)).min();
        if let Some(differs) = differs {
            self.doubt(differs.saturating_sub(1).min(position), position);
        }
        let unread = lock(&self.kept).unread().into_iter();
        let read = mine.into_iter().filter(|(id, _)| *id > floor).map(|(_, put)| put);
        let mut lost: Vec<Put> = read.chain(unread).filter(|put| !present.contains(&put.tag)).collect();
        lost.sort_by_key(|put| put.first);
        if is_left_out(Rule::EverybodyPutsBack) {
            let read = |put: &Put| entry::read(&put.body, &self.several.names);
            lost.retain(|put| read(put).is_ok_and(|read| read.node == self.node));
        }
        self.link.awaits("what the log has lost to be put back");
        let lost = lost.into_iter().map(|put| {
            let name = put.call.as_ref().map_or_else(|| again(put.tag), |(name, _)| Arc::clone(name));
            (name, put)
        });
        let unknown = unknown.into_iter().map(|put| (again(put.tag), put));
        let put_back = self.put_back(line, identity, &lost.chain(unknown).collect::<Vec<_>>()).await?;
        self.metrics.broker.put_back.inc_by(put_back);
        info!(put_back, is_reborn, "the log between the nodes is another than before, and was compared");
        Ok(())
    }

    /// What this node has of the stretch that may differ, newest first, with its ids; and behind which id that stretch begins.
    async fn mine(
        &self,
        line: &Arc<dyn Line>,
        position: u64,
        is_reborn: bool,
        back_to: u64,
    ) -> Result<(Vec<(u64, Put)>, u64), Trouble> {
        let (mut mine, mut before, mut has_fork) = (Vec::new(), (u64::MAX, 0), false);
        loop {
            let page = lock(&self.kept).before(before, PAGE);
            let Some((oldest, put)) = page.last() else { break };
            before = (*oldest, put.tag);
            let ids: Vec<u64> = page.iter().map(|(id, _)| *id).collect();
            has_fork |= line.lacks(&ids).await?.len() < ids.len();
            mine.extend(page);
            if before.0 <= back_to && (is_reborn || has_fork) {
                break;
            }
        }
        let begun = self.begun.load(Ordering::Relaxed);
        let from = match mine.last() {
            _ if is_reborn => 0,
            Some((oldest, _)) => oldest.saturating_sub(1).max(begun),
            None => begun.min(position),
        };
        Ok((mine, from))
    }

    /// What the log has behind `from`: the tags of all of it, and what this node does not know though it is behind its
    /// position. The log took that from others while this node was elsewhere.
    async fn theirs(
        &self,
        line: &Arc<dyn Line>,
        from: u64,
        position: u64,
    ) -> Result<(HashSet<u64>, Vec<Put>), Trouble> {
        let (mut tags, mut unknown) = (HashSet::new(), Vec::new());
        let mut at = Position { events: from, now: u64::MAX };
        loop {
            let page = line.read(at, PAGE, Duration::ZERO).await?;
            let events: Vec<&Logged> = page.iter().filter(|logged| logged.stream == Stream::Events).collect();
            let Some(last) = events.last() else { return Ok((tags, unknown)) };
            at.events = last.id;
            for logged in events {
                let Ok(read) = entry::read(&logged.body, &self.several.names) else { continue };
                tags.insert(read.tag);
                if logged.id <= position && !lock(&self.kept).knows(read.tag) {
                    unknown.push(put(logged, &read));
                }
            }
        }
    }

    /// Puts these back in their order, each under its name, and returns how many no other node had put back.
    async fn put_back(
        &self,
        line: &Arc<dyn Line>,
        identity: &Identity,
        mut named: &[(CallName, Put)],
    ) -> Result<u64, Trouble> {
        let mut put_back = 0;
        while !named.is_empty() {
            let (some, left) = named.split_at(as_many(named));
            let bodies: Vec<Bytes> = some.iter().map(|(_, put)| entry::with_first(&put.body, put.first)).collect();
            let nothing = Bytes::new();
            let lost = some.iter().zip(&bodies).map(|((name, put), body)| {
                let answer = put.call.as_ref().map_or(&nothing, |(_, answer)| answer);
                Lost { body, ids: put.ids, call: Call { name, answer } }
            });
            let lost: Vec<Lost<'_>> = lost.collect();
            let (born, floor) = (&identity.born, self.newest());
            let firsts = line.put_back(PutBack { born, floor, lost: &lost }).await?;
            for (first, (_, put)) in firsts.into_iter().zip(some) {
                if let Some(first) = first {
                    self.saw(first + put.ids - 1);
                    put_back += 1;
                }
            }
            named = left;
        }
        Ok(put_back)
    }
}

/// How many of these are put back at once: the log does nothing else meanwhile.
fn as_many(named: &[(CallName, Put)]) -> usize {
    let mut bytes = 0;
    let fits = |(_, put): &&(CallName, Put)| {
        bytes += put.body.len();
        bytes <= AT_ONCE_BYTES
    };
    named.iter().take(AT_ONCE).take_while(fits).count().max(1)
}

/// Under which name it is put back once that came of no call, or is there under another id.
fn again(tag: u64) -> CallName {
    format!("again{tag:016x}").into()
}

/// An entry as it can be put back.
pub(super) fn put(logged: &Logged, read: &Read) -> Put {
    let (tag, first, body) = (read.tag, read.first.unwrap_or(logged.id), logged.body.clone());
    match &read.entry {
        Entry::Events(events) => {
            let call = events.call.as_ref();
            let call = call.map(|call| (call_name(&call.path, &call.key), answer_bytes(&call.answered)));
            Put { tag, first, body, ids: events.ids(), call }
        }
        _ => Put { tag, first, body, ids: 1, call: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(bytes: usize) -> (CallName, Put) {
        let put = Put { tag: 1, first: 1, body: vec![0; bytes].into(), ids: 1, call: None };
        (again(1), put)
    }

    #[test]
    fn what_is_put_back_at_once_is_bounded_in_number_and_in_bytes() {
        assert_eq!(as_many(&vec![named(10); AT_ONCE + 1]), AT_ONCE);
        assert_eq!(as_many(&vec![named(AT_ONCE_BYTES / 4); 9]), 4);
        assert_eq!(as_many(&[named(2 * AT_ONCE_BYTES), named(1)]), 1, "somehow it has to go");
    }
}
