//! Hands publications to the mailboxes of their channel: on the fan-out thread, or at once where they are few.
//!
//! Knows mailboxes and nothing of what they hold.

use std::sync::{Arc, Weak};

use super::mailbox::{Begun, Mailbox, Push};
use super::ring::Ring;
use super::{Hub, Members};
use crate::model::Channel;
use crate::publication::Publication;
use crate::telemetry::metrics::Metrics;

/// Mailboxes visited under one hold of a channel's lock, so that a subscribe never waits for a whole walk; and sent to by
/// one call where there is io_uring.
pub(super) const WALK_SLICE: usize = 256;
/// Up to so many are handed a publication by whoever publishes it: waking the thread costs as much.
pub(super) const AT_ONCE: usize = 64;

/// What became of one publication.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Mailboxes that took it.
    pub(super) taken: usize,
    sent: u64,
    replaced: u64,
    /// Mailboxes in which it waits.
    waiting: u64,
}

impl Outcome {
    fn count(&mut self, push: Push) {
        match push {
            Push::Sent => self.sent += 1,
            Push::Replaced => {
                self.replaced += 1;
                self.waiting += 1;
            }
            Push::Queued => self.waiting += 1,
            Push::Overflowed | Push::NotWanted => return,
        }
        self.taken += 1;
    }

    fn report(&self, publication: &Publication, metrics: &Metrics) {
        metrics.deliveries.inc_by(self.sent);
        metrics.conflated.inc_by(self.replaced);
        publication.on_handed_out(self.sent, self.waiting, metrics);
    }
}

/// Works off what waits, until the hub says that no more will come, or is gone.
pub(super) fn run(hub: &Weak<Hub>, mut ring: Option<Ring>) {
    let Some(fifo) = hub.upgrade().map(|hub| Arc::clone(&hub.fifo)) else { return };
    let mut slice = Vec::with_capacity(WALK_SLICE);
    while let Some(publication) = fifo.next() {
        let Some(hub) = hub.upgrade() else { return };
        if let Some(members) = hub.members(&publication.channel) {
            let mut outcome = Outcome::default();
            members.walk(&mut slice, |slice| match &mut ring {
                Some(ring) => send_together(ring, slice, &publication, &mut outcome),
                None => push_each(slice, &publication, &mut outcome),
            });
            outcome.report(&publication, &hub.metrics);
        }
        fifo.done(&publication);
    }
}

/// Hands a publication out on the caller's thread.
pub(super) fn hand_out(members: &Members, publication: &Arc<Publication>, metrics: &Metrics) -> usize {
    let mut outcome = Outcome::default();
    members.walk(&mut Vec::new(), |slice| push_each(slice, publication, &mut outcome));
    outcome.report(publication, metrics);
    outcome.taken
}

fn push_each(slice: &[Arc<Mailbox>], publication: &Arc<Publication>, outcome: &mut Outcome) {
    prepare(slice, publication);
    for mailbox in slice {
        outcome.count(mailbox.push(publication));
    }
}

/// Those of one channel mostly get the same.
fn prepare(slice: &[Arc<Mailbox>], publication: &Publication) {
    if let Some(mailbox) = slice.first() {
        mailbox.prepare(publication);
    }
}

/// One system call for all whose line is clear.
fn send_together(ring: &mut Ring, slice: &[Arc<Mailbox>], publication: &Arc<Publication>, outcome: &mut Outcome) {
    prepare(slice, publication);
    let mut begun: [Option<&Mailbox>; WALK_SLICE] = [None; WALK_SLICE];
    let mut count = 0;
    for mailbox in slice {
        match mailbox.begin(publication) {
            Begun::Done(push) => outcome.count(push),
            Begun::Send => {
                begun[count] = Some(mailbox);
                count += 1;
            }
        }
    }
    let begun = || begun[..count].iter().copied().flatten();
    let sends = begun().filter_map(|mailbox| Some((mailbox.outlet()?, mailbox.bytes_of(publication).as_ref())));
    let sent = ring.send_all(sends);
    for (mailbox, sent) in begun().zip(sent) {
        outcome.count(mailbox.finish(publication, *sent));
    }
}

impl Members {
    /// Visits all, a slice at a time; `slice` is the caller's to use again.
    pub(super) fn walk(&self, slice: &mut Vec<Arc<Mailbox>>, mut visit: impl FnMut(&[Arc<Mailbox>])) {
        let mut from = 0;
        while self.take_slice(&mut from, slice) {
            visit(slice);
        }
    }

    /// The next of a walk, which goes on at `from`; false at its end.
    pub(super) fn take_slice(&self, from: &mut usize, slice: &mut Vec<Arc<Mailbox>>) -> bool {
        slice.clear();
        let mailboxes = self.lock();
        let is_there = *from < mailboxes.capacity();
        slice.extend((*from..*from + WALK_SLICE).filter_map(|place| mailboxes.get(place).cloned()));
        *from += WALK_SLICE;
        is_there
    }
}

impl Hub {
    /// The mailboxes of a channel, if it has any.
    pub(super) fn members(&self, channel: &Channel) -> Option<Arc<Members>> {
        self.channels.get(channel).map(|entry| Arc::clone(&entry))
    }
}
