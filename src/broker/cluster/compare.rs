//! What is done when the log is another than before, or another server has it: whatever it has lost and this node has is put
//! back, once for all nodes, with the id that it had first.
//!
//! Must not know how a line is made.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::info;

use super::{Cluster, answer_bytes, call_name, lock};
use crate::broker::entry::{self, Entry, Read};
use crate::broker::kept::{CallName, Put};
use crate::broker::log::{Append, Appended, Call, Identity, Line, Logged, Position, Stream, Trouble};
use crate::broker::spoiled::{Rule, is_left_out};

/// Entries asked for at once.
const PAGE: usize = 256;
/// What clients have that this node had not read yet when the log went away, in ids: µs.
const BEHIND: u64 = 1_000_000;
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
        let (mine, from) = self.mine(line, position, is_reborn, confirmed).await?;
        let (present, unknown) = self.theirs(line, from, position).await?;
        let fork = mine.iter().filter(|(_, put)| present.contains(&put.tag)).map(|(id, _)| *id).max();
        if let Some(fork) = fork {
            self.doubt(fork.min(position), position);
        }
        // Of a log that began anew, what everybody has is worth nothing any more; of another, what is older than all that it has.
        let floor = if is_reborn { confirmed } else { identity.oldest };
        let unread = lock(&self.kept).unread().into_iter();
        let read = mine.into_iter().filter(|(id, _)| *id > floor).map(|(_, put)| put);
        let mut lost: Vec<Put> = read.chain(unread).filter(|put| !present.contains(&put.tag)).collect();
        lost.sort_by_key(|put| put.first);
        if is_left_out(Rule::EverybodyPutsBack) {
            let read = |put: &Put| entry::read(&put.body, &self.several.names);
            lost.retain(|put| read(put).is_ok_and(|read| read.node == self.node));
        }
        let mut put_back = 0;
        for put in lost {
            let name = put.call.as_ref().map_or_else(|| again(put.tag), |(name, _)| Arc::clone(name));
            put_back += u64::from(self.put_back(line, identity, &put, &name).await?);
        }
        for put in unknown {
            put_back += u64::from(self.put_back(line, identity, &put, &again(put.tag)).await?);
        }
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
        confirmed: u64,
    ) -> Result<(Vec<(u64, Put)>, u64), Trouble> {
        let (mut mine, mut before, mut has_fork) = (Vec::new(), (u64::MAX, 0), false);
        loop {
            let page = lock(&self.kept).before(before, PAGE);
            let Some((oldest, put)) = page.last() else { break };
            before = (*oldest, put.tag);
            let ids: Vec<u64> = page.iter().map(|(id, _)| *id).collect();
            has_fork |= line.lacks(&ids).await?.len() < ids.len();
            mine.extend(page);
            if before.0 <= confirmed && (is_reborn || has_fork) {
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

    /// False if another node was faster.
    async fn put_back(
        &self,
        line: &Arc<dyn Line>,
        identity: &Identity,
        put: &Put,
        name: &CallName,
    ) -> Result<bool, Trouble> {
        let body = entry::with_first(&put.body, put.first);
        let nothing = bytes::Bytes::new();
        let answer = put.call.as_ref().map_or(&nothing, |(_, answer)| answer);
        let call = Some(Call { name, answer });
        let (stream, born, floor) = (Stream::Events, &identity.born, self.newest());
        let append = Append { stream, body: &body, ids: put.ids, floor, born, call, watched: None };
        match line.append(append).await? {
            Appended::At { first, .. } => {
                self.saw(first + put.ids - 1);
                Ok(true)
            }
            Appended::Repeated(_) => Ok(false),
        }
    }
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
