//! The conversation on `/ws`: a token, subscriptions, and the events of the token's own businesses.
//!
//! Every answer goes through the mailbox. Must not know sockets.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::info;

use super::Environment;
use super::session::{Session, end_if_dismissed};
use super::subscriptions::{Settled, Subscriptions};
use crate::auth::token::Identity;
use crate::channel::Channel;
use crate::close::CloseReason;
use crate::config::Feed;
use crate::dialect::stats::{self as words, ChannelName, ClientMessage, Denial, Misunderstood};
use crate::hub::Membership;
use crate::hub::history::Since;
use crate::hub::mailbox::Mailbox;
use crate::negocio::NegocioId;
use crate::publication::Frame;
use crate::telemetry::metrics::RefusalReason;

pub(super) struct Dashboard {
    environment: Arc<Environment>,
    mailbox: Arc<Mailbox>,
    /// For the log.
    address: IpAddr,
    session: Session,
    subscriptions: Subscriptions,
    /// What comes without being asked for.
    own: Vec<Membership>,
    /// From where the first events are replayed; then it is used up.
    since: Since,
}

impl Dashboard {
    /// `place`: one of the few for connections without a token.
    pub(super) fn new(
        environment: Arc<Environment>,
        mailbox: Arc<Mailbox>,
        address: IpAddr,
        identity: Option<Identity>,
        place: Option<OwnedSemaphorePermit>,
        since: Option<Since>,
    ) -> Self {
        let session = Session::new(identity, place, &environment);
        let since = since.unwrap_or(Since::Now);
        let subscriptions = Subscriptions::new(Arc::clone(&environment), Arc::clone(&mailbox), since);
        let mut dashboard = Self { environment, mailbox, address, session, subscriptions, own: Vec::new(), since };
        dashboard.join_own();
        dashboard
    }

    /// Watches one channel and hears nothing else.
    pub(super) fn watching(
        environment: Arc<Environment>,
        mailbox: Arc<Mailbox>,
        address: IpAddr,
        identity: Identity,
        name: ChannelName,
        since: Option<Since>,
    ) -> Self {
        let since = since.unwrap_or(Since::Now);
        let mut subscriptions = Subscriptions::new(Arc::clone(&environment), Arc::clone(&mailbox), since);
        subscriptions.subscribe(name, &identity);
        let user = Channel::User(identity.user.clone());
        let own = vec![environment.hub.join(user, &mailbox)];
        end_if_dismissed(&environment, &identity.user, identity.issued_at, &mailbox);
        let session = Session::new(Some(identity), None, &environment);
        Self { environment, mailbox, address, session, subscriptions, own, since: Since::Now }
    }

    pub(super) fn on_text(&mut self, text: &str) -> Result<(), CloseReason> {
        let message = match ClientMessage::decode(text) {
            Ok(message) => message,
            Err(misunderstood) => {
                self.misunderstood(misunderstood);
                return Ok(());
            }
        };
        match (message, self.session.identity()) {
            (ClientMessage::Auth(token), _) => return self.on_auth(&token),
            (_, None) => self.answer(words::error(&Denial::NotAuthenticated)),
            (ClientMessage::Ping, Some(_)) => self.answer(words::pong()),
            (ClientMessage::Subscribe(name) | ClientMessage::Unsubscribe(name), Some(_)) if !self.has(&name) => {
                self.misunderstood(Misunderstood::UnknownChannel);
            }
            (ClientMessage::Unsubscribe(name), Some(_)) => self.subscriptions.unsubscribe(&name),
            (ClientMessage::Subscribe(name), Some(identity)) => self.subscriptions.subscribe(name, identity),
        }
        Ok(())
    }

    pub(super) fn on_binary(&self) {
        self.misunderstood(Misunderstood::Binary);
    }

    fn on_auth(&mut self, token: &str) -> Result<(), CloseReason> {
        let (tokens, now) = (&self.environment.tokens, self.environment.clock.now());
        let verified = match self.session.identity() {
            Some(_) => tokens.verify_renewal(token, now),
            // The first message stands in for the handshake's token.
            None => tokens.verify(token, now),
        };
        match verified {
            Ok(identity) => {
                if !self.session.renew(identity, &self.environment) {
                    return Err(CloseReason::AnotherUser);
                }
                self.join_own();
                if let Some(identity) = self.session.identity() {
                    self.subscriptions.on_new_token(identity);
                }
            }
            Err(refused) => {
                self.environment.metrics.refuse(RefusalReason::Token);
                info!(address = %self.address, "{refused}");
                self.answer(words::error(&refused));
            }
        }
        Ok(())
    }

    /// Listens to what the token names, and no longer to what it does not name any more.
    fn join_own(&mut self) {
        let Some(identity) = self.session.identity() else { return };
        let wanted = own_channels(identity, &self.environment);
        self.own.retain(|own| {
            let is_wanted = wanted.contains(own.channel());
            if !is_wanted {
                self.mailbox.forget_channel(own.channel());
            }
            is_wanted
        });
        let new: Vec<Channel> =
            wanted.into_iter().filter(|channel| !self.own.iter().any(|own| own.channel() == channel)).collect();
        let since = std::mem::replace(&mut self.since, Since::Now);
        let (memberships, outcome) = self.environment.hub.join_since(&new, &self.mailbox, since);
        self.own.reserve_exact(memberships.len());
        self.own.extend(memberships);
        end_if_dismissed(&self.environment, &identity.user, identity.issued_at, &self.mailbox);
        if outcome.is_err() {
            self.environment.metrics.resyncs.inc();
            self.answer(words::resync());
        }
    }

    fn has(&self, name: &ChannelName) -> bool {
        self.environment.feeds.has(match name {
            ChannelName::Estadisticas(_) => Feed::Stats,
            ChannelName::Canal { .. } => Feed::Channels,
        })
    }

    pub(super) fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<Settled> {
        self.subscriptions.poll_settled(cx)
    }

    pub(super) fn on_settled(&mut self, settled: Settled) {
        self.subscriptions.on_settled(settled, self.session.user());
    }

    pub(super) fn due(&self) -> Instant {
        self.subscriptions.due().into_iter().fold(self.session.due(), Instant::min)
    }

    pub(super) fn on_time(&mut self, now: Instant) -> Result<(), CloseReason> {
        if let Some(reason) = self.session.is_over(now, &self.environment) {
            return Err(reason);
        }
        self.subscriptions.on_time(now, self.session.identity());
        Ok(())
    }

    fn misunderstood(&self, why: Misunderstood) {
        self.environment.metrics.refuse(RefusalReason::Message);
        self.answer(words::error(&why));
    }

    fn answer(&self, frame: Frame) {
        // A full mailbox is noticed when it is read.
        let _ = self.mailbox.push_answer(frame);
    }
}

/// The channels that a token's holder hears without asking.
fn own_channels(identity: &Identity, environment: &Environment) -> Vec<Channel> {
    let mut channels = vec![Channel::User(identity.user.clone())];
    if !environment.feeds.has(Feed::Pos) {
        return channels;
    }
    if environment.single_business {
        channels.push(Channel::Negocio(None));
        return channels;
    }
    let id_type = environment.database.id_type();
    for named in identity.negocios.iter().take(environment.limits.max_channels) {
        let channel = NegocioId::named(named, id_type).map(|negocio| Channel::Negocio(Some(negocio)));
        channels.extend(channel.filter(|channel| !channels.contains(channel)));
    }
    channels
}
