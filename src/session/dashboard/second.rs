//! The same conversation in the second version: every question has its answer, and channels of feeds are asked for by name.
//!
//! Must not know sockets.

use std::slice;
use std::sync::Arc;

use tracing::info;

use super::super::code::Code;
use super::super::enter::named::{self, Before, hello};
use super::super::identity::Session;
use super::super::subscriptions::Question;
use super::super::words::second::{self, Heard, Left, Message, Name};
use super::super::words::{Misunderstood, denial};
use super::{Dashboard, own, subscriptions};
use crate::access::grant::{Denial, Grant, Speech};
use crate::access::token::{Claims, Identity, Person};
use crate::config::Feed;
use crate::feeds::{clinic, restaurant};
use crate::hub::Membership;
use crate::hub::history::Since;
use crate::hub::mailbox::Mailbox;
use crate::model::{Channel, CloseReason, Wording};
use crate::session::SessionContext;
use crate::telemetry::metrics::{RefusalReason, RenewalResult};

/// Channels that a token opens to who asks for them. One pointer, for every dashboard has it, and most tokens open none.
#[derive(Debug, Default)]
pub(super) struct Opens(Option<Box<Box<[Channel]>>>);

impl Opens {
    pub(super) fn new(channels: Vec<Channel>) -> Self {
        Self((!channels.is_empty()).then(|| Box::new(channels.into())))
    }

    fn has(&self, channel: &Channel) -> bool {
        self.0.as_ref().is_some_and(|channels| channels.contains(channel))
    }
}

/// What may be said and heard with a token: of one that names no user it opens what a feed has for such.
pub(super) fn opened(claims: &Claims, context: &SessionContext) -> Result<Grant, Denial> {
    let (feeds, bounds) = (context.feeds, context.bounds());
    let mut opens = Vec::new();
    if feeds.has(Feed::Clinic) {
        opens.extend(clinic::listen::staff(claims, bounds).into_iter().flat_map(|grant| grant.channels));
    }
    if feeds.has(Feed::Restaurant) {
        opens.extend(restaurant::listen::room(claims).into_iter().flat_map(|grant| grant.channels));
    }
    let identity = match claims.identity() {
        Ok(identity) => Some(identity),
        Err(_) if !opens.is_empty() => None,
        Err(refused) => return Err(refused.into()),
    };
    let own = identity.as_ref().map(|identity| own(identity, context)).unwrap_or_default();
    Ok(Grant { speech: Speech::AskByName { identity, opens }, ..Grant::by_token(claims, own) })
}

impl Dashboard {
    /// Of who came with a token.
    pub(in crate::session) fn of_bearer(
        grant: Grant,
        since: Option<Since>,
        context: &Arc<SessionContext>,
        mailbox: &Arc<Mailbox>,
    ) -> Self {
        let session = Session::of_newcomer(None, context);
        let mut dashboard = Self {
            session,
            subscriptions: subscriptions(since, context, mailbox),
            own: Vec::new(),
            opens: Opens::default(),
            context: Arc::clone(context),
            mailbox: Arc::clone(mailbox),
        };
        dashboard.enter(grant, None);
        dashboard
    }

    pub(super) fn is_second(&self) -> bool {
        self.mailbox.wording() == Wording::Second
    }

    pub(super) fn on_named_text(&mut self, text: &str) -> Result<(), CloseReason> {
        let Heard { message, channel, reference } = Heard::decode(text);
        let (spelling, named) = (channel.as_deref().unwrap_or_default(), channel.as_deref());
        match message {
            Err(why) => {
                self.context.metrics.refuse(RefusalReason::Message);
                self.answer(second::error(why.into(), &why.to_string(), named, reference.as_deref()));
            }
            Ok(Message::Auth(token)) => return self.on_named_auth(&token, reference.as_deref()),
            Ok(_) if self.session.is_unknown() => self.refuse(Denial::NoToken, named, reference.as_deref()),
            Ok(Message::Ping) => self.answer(second::pong(reference.as_deref())),
            Ok(Message::Subscribe(name, _) | Message::Unsubscribe(name)) if !self.has_named(&name) => {
                self.context.metrics.refuse(RefusalReason::Message);
                let message = Misunderstood::UnknownChannel.to_string();
                self.answer(second::error(Code::FeedOff, &message, named, reference.as_deref()));
            }
            Ok(Message::Subscribe(Name::Owned(name), since)) => match self.session.identity() {
                Some(identity) => {
                    let question = Box::new(Question::new(spelling, reference, since));
                    self.subscriptions.subscribe(&name, identity, Some(question));
                }
                None => self.refuse(Denial::NotAllowed, named, reference.as_deref()),
            },
            Ok(Message::Unsubscribe(Name::Owned(name))) => self.subscriptions.unsubscribe(&name, reference.as_deref()),
            Ok(Message::Subscribe(Name::Feed(channel), since)) => {
                self.join_own(&channel, since, spelling, reference.as_deref());
            }
            Ok(Message::Unsubscribe(Name::Feed(channel))) => self.leave_own(&channel, reference.as_deref()),
        }
        Ok(())
    }

    fn on_named_auth(&mut self, token: &str, reference: Option<&str>) -> Result<(), CloseReason> {
        let (tokens, now) = (&self.context.tokens, self.context.clock.now());
        let claims = if self.session.is_unknown() {
            // The first message stands in for the handshake's token.
            tokens.claims(token, now)
        } else {
            tokens.renewed_claims(token, now)
        };
        let granted = claims.map_err(Denial::from).and_then(|claims| opened(&claims, &self.context));
        match granted {
            Ok(grant) => {
                let is_hers = self.session.is_unknown()
                    || self.session.user().map(Person::id) == identity(&grant).map(|identity| identity.user.id());
                if !is_hers {
                    self.count_renewal(RenewalResult::AnotherUser);
                    return Err(CloseReason::AnotherUser);
                }
                self.count_renewal(RenewalResult::Renewed);
                self.enter(grant, reference);
            }
            Err(denial) => {
                self.count_renewal(RenewalResult::Refused);
                info!("{}", super::words::denial(denial));
                self.refuse(denial, None, reference);
            }
        }
        Ok(())
    }

    /// Goes on with what a token has opened.
    fn enter(&mut self, grant: Grant, reference: Option<&str>) {
        let (context, mailbox) = (Arc::clone(&self.context), Arc::clone(&self.mailbox));
        let joined = self.session.identity().map(|identity| own(identity, &context)).unwrap_or_default();
        let expires_at = grant.expires_at.unwrap_or_default();
        let allowed = if let Speech::AskByName { opens, .. } = &grant.speech { opens.as_slice() } else { &[] };
        let before = Before { joined: &joined, allowed };
        let is_new = self.session.is_unknown();
        let since = if is_new { self.subscriptions.from() } else { Since::Now };
        named::enter(&grant, &mut self.own, &before, since, &context, &mailbox, |position| {
            if is_new {
                hello(&grant, position, reference, &context)
            } else {
                second::authenticated(context.clock.unix(), expires_at, reference)
            }
        });
        if is_new {
            for channel in &grant.channels {
                // It has just been, and will not be when it is left and joined again.
                let _ = self.subscriptions.replayed(channel);
            }
        }
        let Speech::AskByName { identity, opens } = grant.speech else { return };
        if let Some(identity) = &identity {
            self.subscriptions.on_new_token(identity);
        }
        self.session = Session::of(identity, expires_at, mailbox.wording(), &context);
        self.opens = Opens::new(opens);
    }

    fn join_own(&mut self, channel: &Channel, since: Option<Since>, spelling: &str, reference: Option<&str>) {
        let (hub, mailbox) = (&self.context.hub, &self.mailbox);
        // A full mailbox is noticed when it is read.
        let say = |text: String| {
            let _ = mailbox.push_answer(text);
        };
        if self.own.iter().any(|membership| membership.channel() == channel) {
            hub.tell_position(|position| say(second::subscribed(channel, position, reference)));
        } else if self.opens(channel) {
            let replayed = self.subscriptions.replayed(channel);
            let since = since.unwrap_or(replayed);
            let joined = hub.join_telling(slice::from_ref(channel), mailbox, since, |standing| {
                say(second::subscribed(channel, standing.position, reference));
                if !standing.holes.is_empty() {
                    say(second::resync(&standing.holes, standing.position));
                }
            });
            self.own.reserve_exact(joined.len());
            self.own.extend(joined);
        } else {
            self.refuse(Denial::NotAllowed, Some(spelling), reference);
        }
    }

    fn leave_own(&mut self, channel: &Channel, reference: Option<&str>) {
        let is_left = |membership: &Membership| membership.channel() == channel;
        if self.own.iter().any(is_left) {
            self.own.retain(|membership| !is_left(membership));
            self.mailbox.forget_channel(channel);
        }
        self.answer(second::unsubscribed(&channel.wire().to_string(), Left::Asked, reference));
    }

    /// Whether the token opens a channel of a feed's.
    fn opens(&self, channel: &Channel) -> bool {
        self.opens.has(channel)
            || self.session.identity().is_some_and(|identity| own(identity, &self.context).contains(channel))
    }

    fn has_named(&self, name: &Name) -> bool {
        self.context.feeds.has(feed_of(name))
    }

    fn refuse(&self, why: Denial, channel: Option<&str>, reference: Option<&str>) {
        self.context.metrics.refuse(why.reason());
        self.answer(second::error(why.into(), &denial(why), channel, reference));
    }
}

/// Whose channel it is.
pub(super) fn feed_of(name: &Name) -> Feed {
    match name {
        Name::Owned(name) => super::feed_of(name),
        Name::Feed(Channel::StaffOrders(_)) => Feed::Clinic,
        Name::Feed(Channel::Restaurante(_)) => Feed::Restaurant,
        Name::Feed(_) => Feed::Pos,
    }
}

fn identity(grant: &Grant) -> Option<&Identity> {
    if let Speech::AskByName { identity, .. } = &grant.speech { identity.as_ref() } else { None }
}
