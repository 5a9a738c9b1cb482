//! Which client listens to which channel, and the handing-over of a publication to all of them.
//!
//! Knows channels, publications and mailboxes. No I/O, no JSON, no SQL, no dialect; it never waits for anybody.

pub mod history;
pub mod mailbox;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use slab::Slab;

use crate::channel::Channel;
use crate::close::CloseReason;
use crate::publication::{Frame, Publication};
use crate::telemetry::metrics::Metrics;

use history::{History, Since};
use mailbox::{Mailbox, Push};

/// Mailboxes visited under one hold of a channel's lock, so that a subscribe never waits for a whole walk.
const WALK_SLICE: usize = 256;

/// The registry of subscriptions of this node.
#[derive(Debug)]
pub struct Hub {
    channels: DashMap<Channel, Arc<Members>>,
    /// Held while an event is handed out: all of them reach every mailbox in one order, that of their ids.
    history: Mutex<History>,
    metrics: Arc<Metrics>,
}

/// An event that has no id yet.
#[derive(Clone, Debug)]
pub struct Draft {
    pub channel: Channel,
    /// Its name where the transport has names.
    pub event: &'static str,
    pub frame: Frame,
}

/// Not everything that was missed can be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap;

/// The clients of one channel. A slab keeps each at its place, so a walk in slices misses nobody.
#[derive(Debug, Default)]
struct Members {
    mailboxes: Mutex<Slab<Arc<Mailbox>>>,
}

/// A place in a channel. Dropping it leaves the channel: there is no other way out.
#[derive(Debug)]
pub struct Membership {
    hub: Arc<Hub>,
    channel: Channel,
    place: usize,
}

impl Membership {
    pub fn channel(&self) -> &Channel {
        &self.channel
    }
}

impl Hub {
    /// `first_id`: no event of an earlier run had a greater one.
    pub fn new(first_id: u64, metrics: Arc<Metrics>) -> Self {
        Self { channels: DashMap::new(), history: Mutex::new(History::new(first_id)), metrics }
    }

    /// Adds a mailbox to a channel. The mailbox must have been told to expect the channel
    /// ([`Mailbox::expect_channel`]), or it takes nothing.
    pub fn join(self: &Arc<Self>, channel: Channel, mailbox: Arc<Mailbox>) -> Membership {
        // The entry's lock is held while the place is taken, so that an emptied channel cannot be removed in between.
        let place = self.channels.entry(channel.clone()).or_default().lock().insert(mailbox);
        if counts(&channel) {
            self.metrics.subscriptions.inc();
        }
        Membership { hub: Arc::clone(self), channel, place }
    }

    /// `channel` as those hold it who listen to it already: a crowd shares one text.
    pub fn shared(&self, channel: Channel) -> Channel {
        match self.channels.get(&channel) {
            Some(members) => members.key().clone(),
            None => channel,
        }
    }

    /// Adds a mailbox to channels of events, behind what it missed of them: between the two nothing is lost, and
    /// nothing comes twice.
    pub fn join_since(
        self: &Arc<Self>,
        channels: &[Channel],
        mailbox: &Arc<Mailbox>,
        since: Since,
    ) -> (Vec<Membership>, Result<(), Gap>) {
        let mut history = self.history();
        let memberships = channels
            .iter()
            .map(|channel| {
                mailbox.expect_channel(channel.clone());
                self.join(channel.clone(), Arc::clone(mailbox))
            })
            .collect();
        let missed = history.missed(channels, since);
        (memberships, missed.map(|events| self.replay(events, mailbox)))
    }

    /// As [`Self::join_since`] for one channel.
    pub fn join_one_since(
        self: &Arc<Self>,
        channel: Channel,
        mailbox: &Arc<Mailbox>,
        since: Since,
    ) -> (Membership, Result<(), Gap>) {
        let mut history = self.history();
        mailbox.expect_channel(channel.clone());
        let missed = history.missed(std::slice::from_ref(&channel), since);
        let membership = self.join(channel, Arc::clone(mailbox));
        (membership, missed.map(|events| self.replay(events, mailbox)))
    }

    fn replay(&self, events: Vec<Arc<Publication>>, mailbox: &Mailbox) {
        self.metrics.replayed.inc_by(events.len() as u64);
        mailbox.push_replay(events.into_iter());
    }

    /// Hands a state to every mailbox of its channel; returns how many took it.
    pub fn publish(&self, state: &Arc<Publication>) -> usize {
        self.hand_out(state, |mailbox| mailbox.push_state(state))
    }

    /// Hands events out, in their order and with nothing in between; returns how many took each.
    pub fn publish_events(&self, drafts: Vec<Draft>) -> Vec<usize> {
        let mut history = self.history();
        drafts
            .into_iter()
            .map(|Draft { channel, event, frame }| {
                let event = history.keep(|id| Publication::event(channel, id, event, frame));
                self.hand_out(&event, |mailbox| mailbox.push_event(&event))
            })
            .collect()
    }

    fn hand_out(&self, publication: &Publication, push: impl Fn(&Mailbox) -> Push) -> usize {
        self.metrics.broadcasts.inc();
        let mut taken = 0;
        self.walk(&publication.channel, |mailbox| match push(mailbox) {
            Push::Queued => taken += 1,
            Push::Replaced => {
                taken += 1;
                self.metrics.conflated.inc();
            }
            Push::Overflowed | Push::NotWanted => {}
        });
        taken
    }

    /// Ends the connections of a channel; returns how many.
    pub fn dismiss(&self, channel: &Channel, reason: CloseReason) -> usize {
        let mut dismissed = 0;
        self.walk(channel, |mailbox| {
            mailbox.dismiss(reason);
            dismissed += 1;
        });
        dismissed
    }

    fn walk(&self, channel: &Channel, mut visit: impl FnMut(&Mailbox)) {
        let Some(members) = self.channels.get(channel).map(|entry| Arc::clone(&entry)) else { return };
        let mut from = 0;
        loop {
            let slice: Vec<Arc<Mailbox>> = {
                let mailboxes = members.lock();
                if from >= mailboxes.capacity() {
                    return;
                }
                (from..from + WALK_SLICE).filter_map(|place| mailboxes.get(place).cloned()).collect()
            };
            from += WALK_SLICE;
            for mailbox in &slice {
                visit(mailbox);
            }
        }
    }

    /// Forgets events that are too old to be replayed.
    pub fn sweep(&self) {
        self.history().sweep();
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many mailboxes a channel has.
    pub fn subscribers(&self, channel: &Channel) -> usize {
        self.channels.get(channel).map_or(0, |members| members.lock().len())
    }

    /// The channels that somebody listens to.
    pub fn watched(&self) -> Vec<Channel> {
        self.channels.iter().map(|entry| entry.key().clone()).collect()
    }
}

impl Members {
    fn lock(&self) -> MutexGuard<'_, Slab<Arc<Mailbox>>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if let Some(members) = self.hub.channels.get(&self.channel) {
            members.lock().try_remove(self.place);
        }
        self.hub.channels.remove_if(&self.channel, |_, members| members.lock().is_empty());
        if counts(&self.channel) {
            self.hub.metrics.subscriptions.dec();
        }
    }
}

/// Nobody subscribes to being ended.
fn counts(channel: &Channel) -> bool {
    !matches!(channel, Channel::User(_))
}

#[cfg(test)]
mod tests;
