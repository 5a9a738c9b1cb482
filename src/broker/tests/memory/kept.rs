//! What a server in memory keeps.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use tokio::time::Instant;

use super::log::{Born, Call, KEPT_EVENTS, KEPT_FOR, KEPT_NOW, Logged, NodeId, Position, Stream, Trouble};

#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) born: Option<String>,
    pub(super) last: u64,
    pub(super) events: BTreeMap<u64, Bytes>,
    pub(super) now: BTreeMap<u64, Bytes>,
    /// Answers, and at which entry each was remembered.
    pub(super) calls: HashMap<String, (Bytes, u64)>,
    pub(super) dismissed: HashMap<String, i64>,
    pub(super) watches: HashMap<String, HashMap<NodeId, Instant>>,
    pub(super) listeners: HashMap<NodeId, (HashMap<String, u64>, Instant)>,
    pub(super) duties: HashMap<String, (NodeId, Instant)>,
    pub(super) registers: HashMap<String, u64>,
}

impl Log {
    pub(super) fn stream(&mut self, stream: Stream) -> &mut BTreeMap<u64, Bytes> {
        match stream {
            Stream::Events => &mut self.events,
            Stream::Now => &mut self.now,
        }
    }

    pub(super) fn may_be_appended_to(&self, born: &Born, is_full: bool) -> Result<(), Trouble> {
        if self.born.as_ref() != Some(born) {
            return Err(Trouble::Reborn);
        }
        if is_full { Err(Trouble::Full("no memory".to_owned())) } else { Ok(()) }
    }

    /// What is remembered of a call.
    pub(super) fn answer(&self, call: Call<'_>) -> Option<Bytes> {
        self.calls.get(call.name).map(|(answer, _)| answer.clone())
    }

    pub(super) fn append(
        &mut self,
        now: u64,
        stream: Stream,
        body: &Bytes,
        ids: u64,
        floor: u64,
        call: Option<Call<'_>>,
    ) -> u64 {
        let first = now.max(self.last + 1).max(floor + 1);
        self.last = first + ids - 1;
        self.stream(stream).insert(first, body.clone());
        if let Some(call) = call {
            self.calls.insert(call.name.to_owned(), (call.answer.clone(), first));
        }
        first
    }

    /// Loses its newest entries of events, and all that was remembered since.
    pub(super) fn forget(&mut self, entries: usize) {
        if entries >= self.events.len() {
            *self = Self::default();
            return;
        }
        if entries == 0 {
            return;
        }
        for _ in 0..entries {
            self.events.pop_last();
        }
        let last = self.events.last_key_value().map_or(0, |(id, _)| *id);
        self.now.retain(|id, _| *id <= last);
        self.calls.retain(|_, (_, id)| *id <= last);
        self.last = last;
    }

    pub(super) fn trim(&mut self, now: u64) {
        let oldest = now.saturating_sub(u64::try_from(KEPT_FOR.as_micros()).unwrap());
        self.events = self.events.split_off(&oldest);
        while self.events.len() > KEPT_EVENTS as usize {
            self.events.pop_first();
        }
        while self.now.len() > KEPT_NOW as usize {
            self.now.pop_first();
        }
    }

    pub(super) fn behind(&self, after: Position, most: usize) -> Vec<Logged> {
        let of = |stream, entries: &BTreeMap<u64, Bytes>, after: u64| {
            let behind = after.checked_add(1).map(|first| entries.range(first..)).into_iter().flatten().take(most);
            behind.map(|(id, body)| Logged { stream, id: *id, body: body.clone() }).collect::<Vec<_>>()
        };
        let mut logged = of(Stream::Events, &self.events, after.events);
        logged.extend(of(Stream::Now, &self.now, after.now));
        logged.sort_by_key(|logged| logged.id);
        logged
    }
}
