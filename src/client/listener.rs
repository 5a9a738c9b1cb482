//! A connection that only listens: a clinic's staff, a kiosk.
//!
//! Must not know sockets nor who may listen.

use std::sync::Arc;

use tokio::time::Instant;

use super::Environment;
use super::session::Expiry;
use crate::close::CloseReason;
use crate::dialect::{clinic, stats};
use crate::hub::Membership;
use crate::hub::mailbox::Mailbox;

pub(super) struct Listener {
    environment: Arc<Environment>,
    mailbox: Arc<Mailbox>,
    _memberships: Vec<Membership>,
    /// Of its token, if it has one.
    expiry: Option<Expiry>,
}

impl Listener {
    pub(super) fn new(
        environment: Arc<Environment>,
        mailbox: Arc<Mailbox>,
        memberships: Vec<Membership>,
        expiry: Option<Expiry>,
    ) -> Self {
        Self { environment, mailbox, _memberships: memberships, expiry }
    }

    /// Whatever it says is ignored, except a ping.
    pub(super) fn on_text(&self, text: &str) {
        if clinic::is_ping(text) {
            // A full mailbox is noticed when it is read.
            let _ = self.mailbox.push_answer(stats::pong());
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.expiry.as_ref().map(Expiry::due)
    }

    pub(super) fn on_time(&mut self, now: Instant) -> Result<(), CloseReason> {
        let is_over = self.expiry.as_mut().is_some_and(|expiry| expiry.is_over(now, &self.environment));
        if is_over { Err(CloseReason::TokenExpired) } else { Ok(()) }
    }
}
