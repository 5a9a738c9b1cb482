//! The one way of a granted connection into the hub: joined, told what it missed, and ended if its user was dismissed, or
//! the key of its token withdrawn, meanwhile.
//!
//! Must not know what carries it, nor who granted it.

pub(super) mod named;

use std::sync::Arc;

use super::words;
use crate::access::grant::Grant;
use crate::hub::history::Since;
use crate::hub::mailbox::Mailbox;
use crate::hub::{Gap, Membership, Words};
use crate::model::{Channel, CloseReason};
use crate::session::SessionContext;

/// What a connection is told by its mailbox when it enters, before any event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// `resync`, if not everything that it missed can be replayed.
    Gap,
    /// The same, and where it stands: a stream comes back with that.
    GapAndPosition,
    /// The same in its transport's own words.
    GapAs(&'static str),
}

/// Where a connection is in the hub, and whether there is a gap.
#[derive(Debug)]
pub struct Entered {
    pub memberships: Vec<Membership>,
    pub missed: Result<(), Gap>,
}

/// Joins all that is granted, behind what was missed of it since `since`.
pub fn enter(
    grant: &Grant,
    since: Option<Since>,
    told: Told,
    context: &SessionContext,
    mailbox: &Arc<Mailbox>,
) -> Entered {
    let mut memberships = Vec::new();
    let missed = enter_again(grant, &mut memberships, since, told, context, mailbox);
    Entered { memberships, missed }
}

/// As [`enter`], for who is in already by an earlier grant: leaves what is not granted any more and joins what is new.
pub fn enter_again(
    grant: &Grant,
    memberships: &mut Vec<Membership>,
    since: Option<Since>,
    told: Told,
    context: &SessionContext,
    mailbox: &Arc<Mailbox>,
) -> Result<(), Gap> {
    let granted = || grant.found_by.iter().chain(&grant.channels);
    memberships.retain(|membership| {
        let is_granted = granted().any(|channel| channel == membership.channel());
        if !is_granted {
            mailbox.forget_channel(membership.channel());
        }
        is_granted
    });
    let is_new = |channel: &&Channel| !memberships.iter().any(|membership| membership.channel() == *channel);
    let new: Vec<Channel> = granted().filter(is_new).cloned().collect();
    let words = match told {
        Told::Gap => Words { resync: Some(words::RESYNC), position: false },
        Told::GapAndPosition => Words { resync: Some(words::RESYNC), position: true },
        Told::GapAs(resync) => Words { resync: Some(resync), position: false },
    };
    // Of states the newest is enough: there is nothing to go on from.
    let (since, words) = match since {
        _ if grant.channels.iter().any(Channel::is_of_states) => (Since::Now, Words::default()),
        since => (since.unwrap_or(Since::Now), words),
    };
    let (joined, missed) = context.hub.join_since(&new, mailbox, since, words);
    // Kept by every connection: no more room than is needed.
    memberships.reserve_exact(joined.len());
    memberships.extend(joined);
    end_if_dismissed(grant, context, mailbox);
    missed
}

/// Once it can be found by every name of hers: she may have been dismissed while it came in.
fn end_if_dismissed(grant: &Grant, context: &SessionContext, mailbox: &Mailbox) {
    if context.tokens.has_dismissed(grant.names(), grant.issued_at) {
        mailbox.dismiss(CloseReason::SessionEnded);
    }
    if grant.key().is_some_and(|key| !context.tokens.holds(key)) {
        mailbox.dismiss(CloseReason::KeyWithdrawn);
    }
}
