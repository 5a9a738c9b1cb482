//! The way into the hub of who is spoken to in the second version: told first whose it is and where it stands, and every
//! channel that it joins or leaves.
//!
//! Must not know what carries it, nor who granted it.

use std::iter;
use std::sync::Arc;

use super::end_if_dismissed;
use crate::access::grant::Grant;
use crate::hub::history::Since;
use crate::hub::mailbox::Mailbox;
use crate::hub::{Membership, Standing};
use crate::model::{Channel, UserId};
use crate::session::SessionContext;
use crate::session::words::second::{self, Hello, Left};

/// What is in by an earlier grant.
#[derive(Debug, Default)]
pub(in crate::session) struct Before<'a> {
    /// What that joined by itself: the client may have left some of it since.
    pub(in crate::session) joined: &'a [Channel],
    /// What the new one does not join and allows.
    pub(in crate::session) allowed: &'a [Channel],
}

/// Joins what is granted, and leaves what is granted no more. `first`: what is said before anything else, for a position.
pub(in crate::session) fn enter(
    grant: &Grant,
    memberships: &mut Vec<Membership>,
    before: &Before<'_>,
    since: Since,
    context: &SessionContext,
    mailbox: &Arc<Mailbox>,
    first: impl FnOnce(u64) -> String,
) {
    let is_granted = |channel: &Channel| {
        grant.found_by.iter().chain(&grant.channels).chain(before.allowed).any(|granted| granted == channel)
    };
    let mut left = Vec::new();
    memberships.retain(|membership| {
        let channel = membership.channel();
        let stays = is_granted(channel);
        if !stays {
            mailbox.forget_channel(channel);
            left.extend(is_heard(channel).then(|| channel.clone()));
        }
        stays
    });
    let is_in = |channel: &Channel| memberships.iter().any(|membership| membership.channel() == channel);
    let is_new = |channel: &&Channel| !is_in(channel) && !before.joined.contains(channel);
    let new: Vec<Channel> = grant.found_by.iter().chain(&grant.channels).filter(is_new).cloned().collect();
    let joined = context.hub.join_telling(&new, mailbox, since, |standing| {
        let left = left.iter().map(|channel| second::unsubscribed(&channel.wire().to_string(), Left::User, None));
        let joined = new.iter().filter(|channel| is_heard(channel));
        let joined = joined.map(|channel| second::subscribed(channel, standing.position, None));
        say(iter::once(first(standing.position)).chain(left).chain(joined).collect(), standing, mailbox);
    });
    // Kept by every connection: no more room than is needed.
    memberships.reserve_exact(joined.len());
    memberships.extend(joined);
    end_if_dismissed(grant, context, mailbox);
}

/// Joins what is granted for the first time. `tell`: all that is said then, for a position.
pub(in crate::session) fn begin(
    grant: &Grant,
    since: Since,
    context: &SessionContext,
    mailbox: &Arc<Mailbox>,
    tell: impl FnOnce(u64) -> Vec<String>,
) -> Vec<Membership> {
    let channels: Vec<Channel> = grant.found_by.iter().chain(&grant.channels).cloned().collect();
    let joined = context.hub.join_telling(&channels, mailbox, since, |standing| {
        say(tell(standing.position), standing, mailbox);
    });
    end_if_dismissed(grant, context, mailbox);
    joined
}

/// Says all this and, behind it, what has a hole. A browser is not to keep a position before it knows of that: its line may end
/// in between.
fn say(mut texts: Vec<String>, standing: &Standing, mailbox: &Mailbox) {
    let mut place = 0;
    if !standing.holes.is_empty() {
        place = texts.len();
        texts.push(second::resync(&standing.holes, standing.position));
    }
    // A full mailbox is noticed when it is read.
    let _ = mailbox.push_beginning(&texts, place, standing.position);
}

/// Whose connection it is.
pub(in crate::session) fn hello(
    grant: &Grant,
    position: u64,
    reference: Option<&str>,
    context: &SessionContext,
) -> String {
    let limits = &context.limits;
    let hello = Hello {
        user: grant.names().next().map(UserId::as_str),
        negocios: &grant.about.negocios,
        restaurant: grant.about.restaurant.as_deref(),
        role: grant.about.role.as_deref(),
        now: context.clock.unix(),
        expires: grant.expires_at,
        ping: limits.ping_interval.as_millis(),
        silence: (limits.ping_interval + limits.pong_timeout).as_millis(),
    };
    second::hello(&hello, position, reference)
}

fn is_heard(channel: &Channel) -> bool {
    channel.is_of_events() || channel.is_of_states()
}
