//! What it means for who listens here that events are given their ids elsewhere, and come with some delay.
//!
//! Must not know how they come.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::Hub;
use super::history::{History, Since};
use super::mailbox::Mailbox;
use crate::model::CloseReason;

/// A node that is further behind than this is told of as cut off.
const CATCHES_UP_WITHIN: Duration = Duration::from_secs(30);

/// Clients that came with a position newer than all events here: when, which, and who.
#[derive(Debug, Default)]
pub(super) struct Ahead(VecDeque<(Instant, u64, Weak<Mailbox>)>);

impl Hub {
    /// Clients that were on other nodes may know events that are on their way here: a position may be newer than the newest
    /// event by up to `ahead` from now on. 0: nobody can know more than this node.
    pub fn allow_ahead(&self, ahead: u64) {
        self.history().allow_ahead(ahead);
    }

    /// Events that are not newer are not for who joins from this position.
    pub(super) fn floor(&self, history: &History, mailbox: &Arc<Mailbox>, since: Since) -> u64 {
        let floor = history.floor(since);
        if floor > history.last_id() {
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            while ahead.0.front().is_some_and(|(at, ..)| at.elapsed() > CATCHES_UP_WITHIN) {
                ahead.0.pop_front();
            }
            ahead.0.push_back((Instant::now(), floor, Arc::downgrade(mailbox)));
        }
        floor
    }

    /// Who comes with a position after the one and up to the other is told of a gap; who came with one and is ahead of this node
    /// has to come again.
    pub fn doubt(&self, after: u64, up_to: u64) {
        self.history().doubt(after, up_to);
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.0.retain(|(_, position, mailbox)| {
            let is_in_doubt = after < *position && *position <= up_to;
            if is_in_doubt && let Some(mailbox) = mailbox.upgrade() {
                mailbox.dismiss(CloseReason::ComeAgain);
            }
            !is_in_doubt
        });
    }

    /// Events up to `id` may have happened of which nobody here knows. Who listens has to be ended, and told of a gap when it
    /// is back.
    pub fn forget_until(&self, id: u64) {
        self.history().forget_until(id);
    }

    /// Everybody who listens to events, each once for each channel.
    pub fn listeners_of_events(&self) -> Vec<Arc<Mailbox>> {
        let mut listeners = Vec::new();
        for channel in self.watched().iter().filter(|channel| channel.is_of_events()) {
            if let Some(members) = self.members(channel) {
                listeners.extend(members.lock().iter().map(|(_, mailbox)| Arc::clone(mailbox)));
            }
        }
        listeners
    }
}
