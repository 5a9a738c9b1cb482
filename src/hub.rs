//! Which client listens to which channel, and the handing-over of a publication to all of them.
//!
//! Knows channels, publications and mailboxes. No JSON, no SQL, no dialect; the only I/O is a send that never waits. It
//! never waits for anybody.

mod fanout;
mod fifo;
pub mod history;
pub mod mailbox;
pub mod outlet;
mod queue;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(not(target_os = "linux"))]
#[path = "hub/no_ring.rs"]
mod ring;
mod sync;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use dashmap::DashMap;
use slab::Slab;
use tokio::sync::oneshot;
use tracing::info;

use crate::channel::Channel;
use crate::close::CloseReason;
use crate::publication::{Frame, Publication};
use crate::telemetry::metrics::Metrics;

use fanout::AT_ONCE;
use fifo::Fifo;
pub use fifo::{Full, MAX_WAITING, MAX_WAITING_BYTES};
use history::{History, Since};
use mailbox::Mailbox;
use ring::Ring;

/// The registry of subscriptions of this node.
#[derive(Debug)]
pub struct Hub {
    channels: DashMap<Channel, Arc<Members>>,
    /// Held while an event gets its id and its place in line: all of them reach every mailbox in the order of their ids.
    history: Mutex<History>,
    /// What the fan-out thread has to do.
    fifo: Arc<Fifo>,
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
    /// `first_id`: no event of an earlier run had a greater one. Big channels wait for [`Self::start`].
    pub fn new(first_id: u64, metrics: Arc<Metrics>) -> Self {
        let (channels, history) = (DashMap::new(), Mutex::new(History::new(first_id)));
        Self { channels, history, fifo: Arc::default(), metrics }
    }

    /// Starts the fan-out thread; what is returned resolves when it has ended, which it does after [`Self::stop`].
    /// `io_uring`: whether it may be used where it is to be had.
    pub fn start(self: &Arc<Self>, io_uring: bool) -> io::Result<oneshot::Receiver<()>> {
        let (ended, end) = oneshot::channel();
        let hub = Arc::downgrade(self);
        thread::Builder::new().name("fan-out".into()).spawn(move || {
            let ring = io_uring.then(set_up_ring).flatten();
            fanout::run(&hub, ring);
            drop(ended);
        })?;
        Ok(end)
    }

    /// Lets the fan-out thread end when it has handed out what waits.
    pub fn stop(&self) {
        self.fifo.close();
    }

    /// Waits until all that was published has been handed out.
    pub async fn until_handed_out(&self) {
        self.fifo.until_idle().await;
    }

    /// Adds a mailbox to a channel.
    pub fn join(self: &Arc<Self>, channel: Channel, mailbox: &Arc<Mailbox>) -> Membership {
        self.join_above(channel, mailbox, 0)
    }

    /// `floor`: what is not newer is refused.
    fn join_above(self: &Arc<Self>, channel: Channel, mailbox: &Arc<Mailbox>, floor: u64) -> Membership {
        // The entry's lock is held while the place is taken, so that an emptied channel cannot be removed in between.
        let members = self.channels.entry(channel).or_default();
        // All members share one spelling of the channel's name.
        let channel = members.key().clone();
        mailbox.expect_channel(channel.clone(), floor);
        let place = members.add(mailbox);
        drop(members);
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
        let floor = history.last_id();
        let join = |channel: &Channel| self.join_above(channel.clone(), mailbox, floor);
        let memberships = channels.iter().map(join).collect();
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
        let missed = history.missed(std::slice::from_ref(&channel), since);
        let membership = self.join_above(channel, mailbox, history.last_id());
        (membership, missed.map(|events| self.replay(events, mailbox)))
    }

    fn replay(&self, events: Vec<Arc<Publication>>, mailbox: &Mailbox) {
        self.metrics.replayed.inc_by(events.len() as u64);
        mailbox.push_replay(events);
    }

    /// Hands a state to every mailbox of its channel: at once if they are few, else by the fan-out thread, in whose line
    /// it never waits behind more than [`MAX_WAITING`] others. Returns how many it is for.
    pub fn publish(&self, state: &Arc<Publication>) -> usize {
        self.metrics.broadcasts.inc();
        let Some((members, count)) = self.audience(&state.channel) else { return 0 };
        if count <= AT_ONCE {
            // Whatever the line still has of the channel is older, and no mailbox takes it after this.
            return fanout::hand_out(&members, state, &self.metrics);
        }
        if self.fifo.push_state(state) {
            self.metrics.conflated.inc_by(count as u64);
        }
        count
    }

    /// Hands events out, in their order and with nothing in between; returns how many each is for. [`Full`] if too much
    /// waits for the fan-out thread: then none of them is taken.
    pub fn publish_events(&self, drafts: Vec<Draft>) -> Result<Vec<usize>, Full> {
        let mut history = self.history();
        if !self.fifo.has_room() {
            return Err(Full);
        }
        let publish = |Draft { channel, event, frame }| {
            let event = history.keep(|id| Publication::event(channel, id, event, frame));
            self.metrics.broadcasts.inc();
            let Some((members, count)) = self.audience(&event.channel) else { return 0 };
            // Never past an event that still waits: it comes from under this lock, too.
            if count <= AT_ONCE && !self.fifo.has_events() {
                return fanout::hand_out(&members, &event, &self.metrics);
            }
            self.fifo.push_event(&event);
            count
        };
        Ok(drafts.into_iter().map(publish).collect())
    }

    fn audience(&self, channel: &Channel) -> Option<(Arc<Members>, usize)> {
        let members = self.members(channel)?;
        let count = members.lock().len();
        (count > 0).then_some((members, count))
    }

    /// Ends the connections of a channel; returns how many.
    pub fn dismiss(&self, channel: &Channel, reason: CloseReason) -> usize {
        let Some(members) = self.members(channel) else { return 0 };
        let mut dismissed = 0;
        members.walk(&mut Vec::new(), |slice| {
            for mailbox in slice {
                mailbox.dismiss(reason);
            }
            dismissed += slice.len();
        });
        dismissed
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
    fn add(&self, mailbox: &Arc<Mailbox>) -> usize {
        let mut mailboxes = self.lock();
        if mailboxes.capacity() == 0 {
            // Most users have one connection: a vector's own way would be room for four.
            mailboxes.reserve_exact(1);
        }
        mailboxes.insert(Arc::clone(mailbox))
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Arc<Mailbox>>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.fifo.close();
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

fn set_up_ring() -> Option<Ring> {
    match Ring::set_up() {
        Ok(ring) => {
            info!("many sends by one call: io_uring is used");
            Some(ring)
        }
        Err(error) => {
            info!(%error, "io_uring is not to be had here: one call a send");
            None
        }
    }
}

/// Nobody subscribes to being ended.
fn counts(channel: &Channel) -> bool {
    !matches!(channel, Channel::User(_))
}

#[cfg(test)]
mod tests;
