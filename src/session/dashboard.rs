//! The conversation on `/ws`: a token, subscriptions, and the events of the token's own businesses.
//!
//! Every answer goes through the mailbox. Must not know sockets.

mod names;
mod second;

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;
use tracing::info;

use super::enter::{Told, enter_again};
use super::identity::Session;
use super::subscriptions::{Settled, Subscriptions};
use super::words::{self, ClientMessage, Misunderstood};
use crate::access::grant::{Denial, Grant};
use crate::access::token::{Claims, Identity};
use crate::config::Feed;
use crate::feeds::pos;
use crate::hub::Membership;
use crate::hub::history::Since;
use crate::hub::mailbox::Mailbox;
use crate::model::{Channel, ChannelName, CloseReason, Topic, Wording};
use crate::newcomers::NewcomerPlace;
use crate::session::SessionContext;
use crate::telemetry::metrics::{RefusalReason, RenewalResult};

pub use names::Names;
use second::Opens;

pub struct Dashboard {
    context: Arc<SessionContext>,
    mailbox: Arc<Mailbox>,
    session: Session,
    subscriptions: Subscriptions,
    /// What comes without being asked for.
    own: Vec<Membership>,
    /// What the token opens besides, to who asks for it in the second version.
    opens: Opens,
}

impl Dashboard {
    /// Of whom nobody knows yet. `place`: one of the few for that.
    pub(super) fn of_newcomer(
        place: Option<NewcomerPlace>,
        since: Option<Since>,
        context: &Arc<SessionContext>,
        mailbox: &Arc<Mailbox>,
    ) -> Self {
        Self {
            session: Session::of_newcomer(place, context),
            subscriptions: subscriptions(since, context, mailbox),
            own: Vec::new(),
            opens: Opens::default(),
            context: Arc::clone(context),
            mailbox: Arc::clone(mailbox),
        }
    }

    /// Of a user who may ask for more than she was granted.
    pub(super) fn of_user(
        identity: Identity,
        own: Vec<Membership>,
        since: Option<Since>,
        context: &Arc<SessionContext>,
        mailbox: &Arc<Mailbox>,
    ) -> Self {
        Self {
            session: Session::of_user(identity, mailbox.wording(), context),
            subscriptions: subscriptions(since, context, mailbox),
            own,
            opens: Opens::default(),
            context: Arc::clone(context),
            mailbox: Arc::clone(mailbox),
        }
    }

    /// That watches `topic` and hears nothing else.
    pub(super) fn watching(mut self, topic: Topic, channel: Membership, by_database: bool) -> Self {
        self.subscriptions.adopt(topic, channel, by_database);
        self
    }

    pub(super) fn on_text(&mut self, text: &str) -> Result<(), CloseReason> {
        if self.is_second() {
            return self.on_named_text(text);
        }
        let message = match ClientMessage::decode(text) {
            Ok(message) => message,
            Err(misunderstood) => {
                self.misunderstood(misunderstood);
                return Ok(());
            }
        };
        match (message, self.session.identity()) {
            (ClientMessage::Auth(token), _) => return self.on_auth(&token),
            (_, None) => self.answer(words::denied(Denial::NoToken)),
            (ClientMessage::Ping, Some(_)) => self.answer(words::PONG),
            (ClientMessage::Subscribe(name) | ClientMessage::Unsubscribe(name), Some(_)) if !self.has(&name) => {
                self.misunderstood(Misunderstood::UnknownChannel);
            }
            (ClientMessage::Unsubscribe(name), Some(_)) => self.subscriptions.unsubscribe(&name, None),
            (ClientMessage::Subscribe(name), Some(identity)) => self.subscriptions.subscribe(&name, identity, None),
        }
        Ok(())
    }

    pub(super) fn on_binary(&self) {
        self.misunderstood(Misunderstood::Binary);
    }

    fn on_auth(&mut self, token: &str) -> Result<(), CloseReason> {
        let (tokens, now) = (&self.context.tokens, self.context.clock.now());
        let verified = match self.session.identity() {
            Some(_) => tokens.verify_renewal(token, now),
            // The first message stands in for the handshake's token.
            None => tokens.verify(token, now),
        };
        match verified {
            Ok(identity) => {
                if self.session.user().is_some_and(|user| user.id() != identity.user.id()) {
                    self.count_renewal(RenewalResult::AnotherUser);
                    return Err(CloseReason::AnotherUser);
                }
                self.count_renewal(RenewalResult::Renewed);
                let grant = Grant::of_user(&identity, own(&identity, &self.context));
                // From where the first events are replayed: once.
                let since = self.session.is_unknown().then(|| self.subscriptions.from());
                // A gap has been said then.
                let _ = enter_again(&grant, &mut self.own, since, Told::Gap, &self.context, &self.mailbox);
                self.subscriptions.on_new_token(&identity);
                self.session = Session::of_user(identity, self.mailbox.wording(), &self.context);
            }
            Err(refused) => {
                self.count_renewal(RenewalResult::Refused);
                let denial = Denial::from(refused);
                self.context.metrics.refuse(denial.reason());
                info!("{refused}");
                self.answer(words::denied(denial));
            }
        }
        Ok(())
    }

    /// Of a token that follows another.
    fn count_renewal(&self, result: RenewalResult) {
        if !self.session.is_unknown() {
            self.context.metrics.clients.renewed(result);
        }
    }

    fn has(&self, name: &ChannelName) -> bool {
        self.context.feeds.has(feed_of(name))
    }

    pub(super) fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<Settled> {
        self.subscriptions.poll_settled(cx)
    }

    pub(super) fn on_settled(&mut self, settled: Settled) {
        self.subscriptions.on_settled(settled, self.session.identity());
    }

    pub(super) fn due(&self) -> Instant {
        self.subscriptions.due().into_iter().fold(self.session.due(), Instant::min)
    }

    pub(super) fn on_time(&mut self, now: Instant) -> Result<(), CloseReason> {
        if let Some(expires) = self.session.look(now, &self.context)? {
            self.answer(words::second::expiring(expires));
        }
        self.subscriptions.on_time(now, self.session.identity());
        Ok(())
    }

    fn misunderstood(&self, why: Misunderstood) {
        self.context.metrics.refuse(RefusalReason::Message);
        if self.is_second() {
            self.answer(words::second::error(why.into(), &why.to_string(), None, None));
        } else {
            self.answer(words::error(&why));
        }
    }

    fn answer(&self, text: impl AsRef<str>) {
        // A full mailbox is noticed when it is read.
        let _ = self.mailbox.push_answer(text);
    }
}

/// What somebody may whose token a dashboard shows: hear what the token itself opens, and ask for more.
pub fn granted(claims: &Claims, wording: Wording, context: &SessionContext) -> Result<Grant, Denial> {
    match wording {
        Wording::First => {
            let identity = claims.identity()?;
            let own = own(&identity, context);
            Ok(Grant::to_ask(identity, own))
        }
        Wording::Second => second::opened(claims, context),
    }
}

fn feed_of(name: &ChannelName) -> Feed {
    match name {
        ChannelName::Estadisticas(_) => Feed::Appointments,
        ChannelName::Canal { .. } => Feed::Channels,
        ChannelName::Consulta { .. } => Feed::Queries,
    }
}

fn own(identity: &Identity, context: &SessionContext) -> Vec<Channel> {
    if context.feeds.has(Feed::Pos) { pos::listen::own(identity, context.bounds()) } else { Vec::new() }
}

fn subscriptions(since: Option<Since>, context: &Arc<SessionContext>, mailbox: &Arc<Mailbox>) -> Subscriptions {
    Subscriptions::new(Arc::clone(context), Arc::clone(mailbox), since.unwrap_or(Since::Now))
}
