//! A connection that only listens: a clinic's staff, a kiosk, a stream, a socket of Socket.IO.
//!
//! Must not know sockets nor who may listen.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::conversation::Talk;
use super::expiry::Expiry;
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
}

impl Listener {
    pub fn new(
        context: Arc<SessionContext>,
        mailbox: Arc<Mailbox>,
        memberships: Vec<Membership>,
        expiry: Option<Expiry>,
    ) -> Self {
        Self { context, mailbox, _memberships: memberships, expiry }
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
        self.expiry.as_ref().map(Expiry::due)
    }

    fn on_time(&mut self, now: Instant) -> Result<(), CloseReason> {
        let Some(expiry) = &mut self.expiry else { return Ok(()) };
        if let Some(expires) = expiry.look(now, &self.context)? {
            self.say(second::expiring(expires));
        }
        Ok(())
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
