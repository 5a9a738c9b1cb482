//! A connection that only listens: a clinic's staff, a kiosk, a stream, a socket of Socket.IO.
//!
//! Must not know sockets nor who may listen.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::conversation::Talk;
use super::expiring::Expiring;
use super::identity::Expiry;
use super::words::second::{self, Heard, Message};
use super::words::{self, Misunderstood};
use crate::hub::Membership;
use crate::hub::mailbox::Mailbox;
use crate::model::{CloseReason, Wording};
use crate::session::SessionContext;

pub struct Listener {
    context: Arc<SessionContext>,
    mailbox: Arc<Mailbox>,
    _memberships: Vec<Membership>,
    /// Of its token, if it has one.
    expiry: Option<Expiry>,
    /// In the second version, until it has been said.
    expiring: Option<Box<Expiring>>,
}

impl Listener {
    pub fn new(
        context: Arc<SessionContext>,
        mailbox: Arc<Mailbox>,
        memberships: Vec<Membership>,
        expiry: Option<Expiry>,
    ) -> Self {
        Self { context, mailbox, _memberships: memberships, expiry, expiring: None }
    }

    /// Told when its token ends soon.
    #[must_use]
    pub(super) fn warned(self, expires_at: Option<i64>) -> Self {
        let expiring = expires_at.map(|expires_at| Box::new(Expiring::new(expires_at, &self.context)));
        Self { expiring, ..self }
    }

    /// Whatever it says is ignored, except a ping.
    pub(super) fn on_text(&self, text: &str) {
        match self.mailbox.wording() {
            Wording::First if words::is_ping(text) => self.say(words::PONG),
            Wording::First => {}
            Wording::Second => match Heard::decode(text) {
                Heard { message: Ok(Message::Ping), reference, .. } => self.say(second::pong(reference.as_deref())),
                Heard { message: Err(why @ Misunderstood::NoReference), .. } => {
                    self.say(second::error(why.into(), &why.to_string(), None, None));
                }
                _ => {}
            },
        }
    }

    fn say(&self, text: impl AsRef<str>) {
        // A full mailbox is noticed when it is read.
        let _ = self.mailbox.push_answer(text);
    }
}

impl Talk for Listener {
    fn due(&self) -> Option<Instant> {
        let warning = self.expiring.as_ref().map(|expiring| expiring.due());
        self.expiry.as_ref().map(Expiry::due).into_iter().chain(warning).min()
    }

    fn on_time(&mut self, now: Instant) -> Result<(), CloseReason> {
        let is_over = self.expiry.as_mut().is_some_and(|expiry| expiry.is_over(now, &self.context));
        let warning = self.expiring.as_mut().and_then(|expiring| expiring.is_soon(now, &self.context));
        if let Some(expires) = warning.filter(|_| !is_over) {
            self.expiring = None;
            self.say(second::expiring(expires));
        }
        if is_over { Err(CloseReason::TokenExpired) } else { Ok(()) }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
