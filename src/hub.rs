//! Which client listens to which channel, and the handing-over of a publication to all of them.
//!
//! Knows channels, publications and mailboxes. No JSON, no SQL, no dialect; the only I/O is a send that never waits. It
//! never waits for anybody.

mod elsewhere;
mod fanout;
mod fifo;
pub mod history;
mod inner;
pub mod mailbox;
mod outgoing;
pub mod outlet;
mod queue;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(not(target_os = "linux"))]
#[path = "hub/no_ring.rs"]
mod ring;
mod standing;
mod survey;
mod sync;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use dashmap::DashMap;
use slab::Slab;
use tokio::time::Instant;
use tracing::info;

use crate::model::Channel;
use crate::model::CloseReason;
use crate::publication::Publication;
use crate::telemetry::metrics::Metrics;

use elsewhere::Ahead;
use fanout::AT_ONCE;
use fifo::Fifo;
pub use fifo::{Full, MAX_WAITING, MAX_WAITING_BYTES};
use history::{History, Since};
use mailbox::Mailbox;
use ring::Ring;
pub use standing::Standing;

/// The registry of subscriptions of this node.
#[derive(Debug)]
pub struct Hub {
    channels: DashMap<Channel, Arc<Members>>,
    /// Held while an event is kept and gets its place in line: all of them reach every mailbox in the order of their ids.
    history: Mutex<History>,
    /// What the fan-out thread has to do.
    fifo: Arc<Fifo>,
    /// Who has read elsewhere what is on its way here.
    ahead: Mutex<Ahead>,
    /// When it was last asked how much waits.
    surveyed: Mutex<Option<Instant>>,
    metrics: Arc<Metrics>,
}

/// What a client is told, beside events, when it joins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words {
    /// First, where not everything that it missed can be replayed.
    pub resync: Option<&'static str>,
    /// Where it stands, before any event.
    pub position: bool,
}

/// Not everything that was missed can be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap;

/// Events on their way in, one behind the other, with the lock held that they are all kept under.
#[derive(Debug)]
pub struct Sequence<'a> {
    hub: &'a Hub,
    history: MutexGuard<'a, History>,
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

impl Membership {
    pub fn channel(&self) -> &Channel {
        &self.channel
    }
}

impl Hub {
    /// Big channels wait for [`Self::start`].
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let (channels, history) = (DashMap::new(), Mutex::new(History::new(0)));
        Self { channels, history, fifo: Arc::default(), ahead: Mutex::default(), surveyed: Mutex::default(), metrics }
    }

    /// Starts the fan-out thread, which ends after [`Self::stop`]; `held` is dropped when it does.
    /// `io_uring`: whether it may be used where it is to be had.
    pub fn start(self: &Arc<Self>, io_uring: bool, held: impl Send + 'static) -> io::Result<()> {
        let hub = Arc::downgrade(self);
        thread::Builder::new().name("fan-out".into()).spawn(move || {
            let _held = held;
            let ring = io_uring.then(set_up_ring).flatten();
            fanout::run(&hub, ring);
        })?;
        Ok(())
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

    /// `floor`: events that are not newer are refused. Versions of states are another count.
    fn join_above(self: &Arc<Self>, channel: Channel, mailbox: &Arc<Mailbox>, floor: u64) -> Membership {
        let floor = if channel.is_of_states() { 0 } else { floor };
        // The entry's lock is held while the place is taken, so that an emptied channel cannot be removed in between.
        let members = self.channels.entry(channel).or_default();
        // All members share one spelling of the channel's name.
        let channel = members.key().clone();
        let is_heard = is_heard(&channel);
        if is_heard {
            mailbox.expect_channel(channel.clone(), floor);
        }
        let place = members.add(mailbox);
        drop(members);
        if is_heard {
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
    /// nothing comes twice. Before that it is told what `words` says.
    pub fn join_since(
        self: &Arc<Self>,
        channels: &[Channel],
        mailbox: &Arc<Mailbox>,
        since: Since,
        words: Words,
    ) -> (Vec<Membership>, Result<(), Gap>) {
        let mut history = self.history();
        let floor = self.floor(&history, mailbox, since);
        let join = |channel: &Channel| self.join_above(channel.clone(), mailbox, floor);
        let memberships = channels.iter().map(join).collect();
        let missed = self.tell(&mut history, channels, mailbox, since, words);
        (memberships, missed.map(|events| self.replay(events, mailbox)))
    }

    /// As [`Self::join_since`] for one channel of a client that hears `resync` where there is a gap.
    pub fn join_one_since(
        self: &Arc<Self>,
        channel: Channel,
        mailbox: &Arc<Mailbox>,
        since: Since,
        resync: &'static str,
    ) -> Membership {
        let mut history = self.history();
        let membership = self.join_above(channel, mailbox, self.floor(&history, mailbox, since));
        let words = Words { resync: Some(resync), position: false };
        let missed = self.tell(&mut history, std::slice::from_ref(&membership.channel), mailbox, since, words);
        if let Ok(events) = missed {
            self.replay(events, mailbox);
        }
        membership
    }

    /// Under the history's lock, so that nothing new comes before: that there is a gap, and where the client stands.
    /// Returns what it missed.
    fn tell(
        &self,
        history: &mut History,
        channels: &[Channel],
        mailbox: &Mailbox,
        since: Since,
        words: Words,
    ) -> Result<Vec<Arc<Publication>>, Gap> {
        let missed = history.missed(channels, since);
        if missed.is_err() {
            self.metrics.resyncs.inc();
            if let Some(resync) = words.resync {
                // A full mailbox is noticed when it is read.
                let _ = mailbox.push_answer(resync);
            }
        }
        if words.position {
            mailbox.push_position(match (&missed, since) {
                (Ok(_), Since::After(id)) => id,
                _ => history.last_id(),
            });
        }
        missed
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

    /// The way in for events: while it is held no others are delivered. [`Full`] if too much waits for the fan-out thread.
    pub fn sequence(&self) -> Result<Sequence<'_>, Full> {
        let history = self.history();
        if self.fifo.has_room() { Ok(Sequence { hub: self, history }) } else { Err(Full) }
    }

    /// No event will come that is not newer than `id`, and what came up to it nobody knows here.
    pub fn begin_after(&self, id: u64) {
        *self.history() = History::new(id);
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

    /// From now on nobody hears anything of these channels, nor what waits of them, but who joins anew. Who is in stays in.
    pub fn silence(&self, is: impl Fn(&Channel) -> bool) {
        let silenced: Vec<_> =
            self.channels.iter().filter(|entry| is(entry.key())).map(|entry| entry.key().clone()).collect();
        for channel in silenced {
            let Some(members) = self.members(&channel) else { continue };
            members.walk(&mut Vec::new(), |slice| slice.iter().for_each(|mailbox| mailbox.forget_channel(&channel)));
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

impl Sequence<'_> {
    /// The id of the newest event.
    pub fn last_id(&self) -> u64 {
        self.history.last_id()
    }

    /// Keeps an event from before anybody listened.
    pub fn keep(&mut self, event: Publication) {
        self.history.keep(event);
    }

    /// Keeps an event and hands it out; returns how many it is for. Its id is greater than [`Self::last_id`].
    pub fn deliver(&mut self, event: Publication) -> usize {
        let hub = self.hub;
        let event = self.history.keep(event);
        hub.metrics.broadcasts.inc();
        let Some((members, count)) = hub.audience(&event.channel) else { return 0 };
        // Never past an event that still waits: it comes from under this lock, too.
        if count <= AT_ONCE && !hub.fifo.has_events() {
            return fanout::hand_out(&members, &event, &hub.metrics);
        }
        hub.fifo.push_event(&event);
        count
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
        if is_heard(&self.channel) {
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

/// Whether anything is published there: some are only for ending connections together.
fn is_heard(channel: &Channel) -> bool {
    !matches!(channel, Channel::User(_) | Channel::Kiosk(_) | Channel::Key(_))
}

#[cfg(test)]
mod tests;
