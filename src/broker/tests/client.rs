//! A client that comes, reads or does not, goes, comes back to any node, and checks whatever it is sent.

use std::collections::HashMap;
use std::sync::Arc;

use super::Node;
use crate::hub::history::Since;
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::hub::{Gap, Membership, Words};
use crate::model::Channel;
use crate::publication::{Encoding, Kind, Publication};

const RESYNC: &str = "resync";

/// What a client says of the events that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The truth.
    Position,
    /// A word that is no id.
    Nonsense,
    /// An id from before the node began.
    AnotherRun,
    /// The truth, after so much that what followed is not kept any more.
    ForgottenPosition,
}

pub(super) struct Client {
    channels: Vec<Channel>,
    capacity: usize,
    line: Option<Line>,
    /// Where it began to listen.
    start: Option<u64>,
    /// It has the events up to here, or was told of a gap.
    position: Option<u64>,
    /// Every event, over all its connections: id and number.
    pub(super) seen: Vec<(u64, usize)>,
    /// After the one and up to the other it was told that something may be missing.
    gaps: Vec<(u64, u64)>,
}

/// One connection.
struct Line {
    mailbox: Arc<Mailbox>,
    _memberships: Vec<Membership>,
    may_have_a_gap: bool,
    has_a_gap: bool,
    /// The newest version that it was sent of each channel of states.
    versions: HashMap<Channel, u64>,
    /// The newest version that it has to be sent.
    owed: HashMap<Channel, u64>,
    is_owed_a_ring: bool,
}

impl Client {
    pub(super) fn new(channels: Vec<Channel>, capacity: usize) -> Self {
        Self { channels, capacity, line: None, start: None, position: None, seen: Vec::new(), gaps: Vec::new() }
    }

    pub(super) fn is_here(&self) -> bool {
        self.line.is_some()
    }

    pub(super) fn connect(&mut self, node: &Node, claim: Claim) {
        let mailbox = Arc::new(Mailbox::new(self.capacity, Encoding::Lines));
        let since = match (claim, self.position) {
            (Claim::Nonsense, _) => Since::Unknown,
            (Claim::AnotherRun, _) => Since::After(1),
            (_, None) => Since::Now,
            (_, Some(id)) => Since::After(id),
        };
        let may_have_a_gap = matches!(claim, Claim::Nonsense | Claim::AnotherRun | Claim::ForgottenPosition);
        let words = Words { resync: Some(RESYNC), position: true };
        let (memberships, missed) = node.hub.join_since(&self.channels, &mailbox, since, words);
        assert_eq!(missed, if may_have_a_gap { Err(Gap) } else { Ok(()) }, "{since:?}");
        self.line = Some(Line {
            mailbox,
            _memberships: memberships,
            may_have_a_gap,
            has_a_gap: false,
            versions: HashMap::new(),
            owed: HashMap::new(),
            is_owed_a_ring: false,
        });
    }

    /// What waits for it is lost with the connection.
    pub(super) fn leave(&mut self) {
        self.line = None;
    }

    /// A state of this version is told from now on.
    pub(super) fn owe(&mut self, channel: &Channel, version: u64) {
        if let Some(line) = self.line.as_mut().filter(|_| self.channels.contains(channel)) {
            let owed = line.owed.entry(channel.clone()).or_default();
            *owed = version.max(*owed);
        }
    }

    /// Changes are pending from now on.
    pub(super) fn owe_a_ring(&mut self, channel: &Channel) {
        if let Some(line) = self.line.as_mut().filter(|_| self.channels.contains(channel)) {
            line.is_owed_a_ring = true;
        }
    }

    /// Reads all that waits. Who was too slow is gone after it.
    pub(super) fn read(&mut self) {
        while let Some(next) = self.line.as_ref().and_then(|line| line.mailbox.try_next()) {
            match next {
                Next::Message(Outgoing::Published(one), _) if one.kind == Kind::Event => self.on_event(&one),
                Next::Message(Outgoing::Published(one), _) => self.on_state(&one),
                Next::Message(Outgoing::Answer(text), _) => self.on_answer(std::str::from_utf8(&text).unwrap()),
                Next::Overflowed => self.line = None,
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn on_event(&mut self, event: &Publication) {
        assert!(self.channels.contains(&event.channel), "what it does not listen to");
        let before = self.position.replace(event.version);
        assert!(before.is_some_and(|before| before < event.version), "{} after {before:?}", event.version);
        self.seen.push((event.version, event.payload.parse().unwrap()));
    }

    fn on_state(&mut self, state: &Publication) {
        let Some(line) = &mut self.line else { return };
        if state.payload.is_empty() {
            line.is_owed_a_ring = false;
        }
        let before = line.versions.insert(state.channel.clone(), state.version);
        assert!(before.is_none_or(|before| before < state.version), "{} after {before:?}", state.version);
    }

    fn on_answer(&mut self, text: &str) {
        let Some(line) = &mut self.line else { return };
        if text == format!("data: {RESYNC}\n\n") {
            assert!(line.may_have_a_gap, "a gap where there is none");
            line.has_a_gap = true;
            return;
        }
        let stands_at = text.strip_prefix("id: ").unwrap().trim_end().parse().unwrap();
        assert_eq!(line.has_a_gap, line.may_have_a_gap, "a gap that is not said");
        self.start.get_or_insert(stands_at);
        match self.position.replace(stands_at) {
            Some(before) if line.has_a_gap => {
                // A node that is behind tells once more what came after.
                self.seen.retain(|(id, _)| *id <= stands_at);
                self.start = self.start.map(|start| start.min(stands_at));
                self.gaps.iter_mut().for_each(|(_, up_to)| *up_to = stands_at.min(*up_to));
                self.gaps.push((before, stands_at));
            }
            before => assert!(line.has_a_gap || before.is_none_or(|before| before == stands_at), "it stands elsewhere"),
        }
    }

    /// Nothing more will come: checks that it has what it has to have of `events`, which are all there were.
    pub(super) fn check(&self, events: &[(u64, usize)], channel_of: impl Fn(usize) -> Channel) {
        let is_owed = |id: u64, number: usize| {
            self.channels.contains(&channel_of(number))
                && self.start.is_some_and(|start| id > start)
                && !self.gaps.iter().any(|(after, up_to)| id > *after && id <= *up_to)
        };
        let owed: Vec<_> = events.iter().copied().filter(|(id, number)| is_owed(*id, *number)).collect();
        assert_eq!(self.seen, owed, "of {:?} from {:?} on, without {:?}", self.channels, self.start, self.gaps);
        let line = self.line.as_ref().expect("it is here at the end");
        for (channel, owed) in &line.owed {
            assert_eq!(line.versions.get(channel), Some(owed), "not the newest of {channel:?}");
        }
        assert!(!line.is_owed_a_ring, "not told that changes are pending");
    }
}
