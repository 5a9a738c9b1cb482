//! Joining for who is told, in the step in which it joins, where it stands and of which channels it has missed something.
//!
//! Must not know in which words.

use std::slice;
use std::sync::Arc;

use super::history::{History, Since};
use super::mailbox::Mailbox;
use super::{Gap, Hub, Membership};
use crate::model::Channel;

/// How a client stands that joins: said before anything is heard of what it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who comes back with it misses nothing, and hears nothing twice.
    pub position: u64,
    /// Those of which not all that it missed can be replayed.
    pub holes: Vec<Channel>,
}

impl Hub {
    /// Adds a mailbox to channels, behind what it missed of each since then: of one that has a hole, nothing is replayed.
    /// `tell`, which may not wait, is called while nothing new comes, before the mailbox is in any of them.
    pub fn join_telling(
        self: &Arc<Self>,
        channels: &[Channel],
        mailbox: &Arc<Mailbox>,
        since: Since,
        tell: impl FnOnce(&Standing),
    ) -> Vec<Membership> {
        let mut history = self.history();
        let floor = self.floor(&history, mailbox, since);
        let (mut holes, mut missed, mut whole) = (Vec::new(), Vec::new(), 0);
        for channel in channels.iter().filter(|channel| channel.is_of_events()) {
            match history.missed(slice::from_ref(channel), since) {
                Ok(events) => {
                    missed.extend(events);
                    whole += 1;
                }
                Err(Gap) => holes.push(channel.clone()),
            }
        }
        missed.sort_by_key(|event| event.version);
        if !holes.is_empty() {
            self.metrics.resyncs.inc();
        }
        // What it says it has stays where it goes on from, for as long as that tells of anything.
        let said = history.position(since).filter(|_| whole > 0 || holes.is_empty());
        let position = said.unwrap_or_else(|| self.handed_out(&history));
        tell(&Standing { position, holes });
        let memberships = channels.iter().map(|channel| self.join_above(channel.clone(), mailbox, floor)).collect();
        self.replay(missed, mailbox);
        memberships
    }

    /// As [`Self::join_telling`] for who is in already: tells only where it stands.
    pub fn tell_position(&self, tell: impl FnOnce(u64)) {
        let history = self.history();
        tell(self.handed_out(&history));
    }

    /// Events up to here have been handed to all who are to hear them.
    fn handed_out(&self, history: &History) -> u64 {
        self.fifo.oldest_event().map_or(history.last_id(), |oldest| oldest.saturating_sub(1))
    }
}
