//! From where the channels of events of one connection are replayed: each once.

use crate::hub::history::Since;
use crate::model::Channel;

/// The first subscription to a channel of events has what was missed of it replayed.
pub(super) struct Replay {
    since: Since,
    /// Those that had theirs.
    done: Vec<Channel>,
}

impl Replay {
    /// `None` for who wants nothing of it; boxed, for that is nearly everybody.
    pub(super) fn new(since: Since) -> Option<Box<Self>> {
        (since != Since::Now).then(|| Box::new(Self { since, done: Vec::new() }))
    }

    pub(super) fn since(&self) -> Since {
        self.since
    }

    /// From where `channel` is replayed now; `most` of them are.
    pub(super) fn take(&mut self, channel: &Channel, most: usize) -> Since {
        if self.done.len() >= most || self.done.contains(channel) {
            return Since::Now;
        }
        self.done.push(channel.clone());
        self.since
    }
}
