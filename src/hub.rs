//! Which client listens to which channel, and the handing-over of a publication to all of them.
//!
//! Knows channels, publications and mailboxes. No I/O, no JSON, no SQL, no dialect; it never waits for anybody.

pub mod mailbox;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use slab::Slab;

use crate::channel::Channel;
use crate::publication::Publication;
use crate::telemetry::metrics::Metrics;

use mailbox::{Mailbox, Push};

/// Mailboxes visited under one hold of a channel's lock, so that a subscribe never waits for a whole walk.
const WALK_SLICE: usize = 256;

/// The registry of subscriptions of this node.
#[derive(Debug)]
pub struct Hub {
    channels: DashMap<Channel, Arc<Members>>,
    metrics: Arc<Metrics>,
}

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

impl Hub {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { channels: DashMap::new(), metrics }
    }

    /// Adds a mailbox to a channel. The mailbox must have been told to expect the channel
    /// ([`Mailbox::expect_channel`]), or it takes nothing.
    pub fn join(self: &Arc<Self>, channel: Channel, mailbox: Arc<Mailbox>) -> Membership {
        // The entry's lock is held while the place is taken, so that an emptied channel cannot be removed in between.
        let place = self.channels.entry(channel.clone()).or_default().lock().insert(mailbox);
        self.metrics.subscriptions.inc();
        Membership { hub: Arc::clone(self), channel, place }
    }

    /// Hands a publication to every mailbox of its channel; returns how many took it.
    pub fn publish(&self, publication: &Arc<Publication>) -> usize {
        self.metrics.broadcasts.inc();
        let Some(members) = self.channels.get(&publication.channel).map(|entry| Arc::clone(&entry)) else {
            return 0;
        };
        let mut taken = 0;
        let mut from = 0;
        loop {
            let slice: Vec<Arc<Mailbox>> = {
                let mailboxes = members.lock();
                if from >= mailboxes.capacity() {
                    return taken;
                }
                (from..from + WALK_SLICE).filter_map(|place| mailboxes.get(place).cloned()).collect()
            };
            from += WALK_SLICE;
            for mailbox in slice {
                match mailbox.push_state(publication) {
                    Push::Queued => taken += 1,
                    Push::Replaced => {
                        taken += 1;
                        self.metrics.conflated.inc();
                    }
                    Push::Overflowed | Push::NotWanted => {}
                }
            }
        }
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
        self.hub.metrics.subscriptions.dec();
    }
}

#[cfg(test)]
mod tests;
