//! A connection that only listens: a clinic's staff, a kiosk, a stream, a socket of Socket.IO.
//!
//! Must not know sockets nor who may listen.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::conversation::Talk;
use super::identity::Expiry;
use super::words;
use crate::hub::Membership;
use crate::hub::mailbox::Mailbox;
use crate::model::CloseReason;
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
        if words::is_ping(text) {
            // A full mailbox is noticed when it is read.
            let _ = self.mailbox.push_answer(words::PONG);
        }
    }
}

impl Talk for Listener {
    fn due(&self) -> Option<Instant> {
        self.expiry.as_ref().map(Expiry::due)
    }

    fn on_time(&mut self, now: Instant) -> Result<(), CloseReason> {
        let is_over = self.expiry.as_mut().is_some_and(|expiry| expiry.is_over(now, &self.context));
        if is_over { Err(CloseReason::TokenExpired) } else { Ok(()) }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
