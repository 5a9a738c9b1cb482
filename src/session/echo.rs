//! A connection that hears back what it says: for those who test how this server speaks WebSocket.
//!
//! There only where a program that embeds the server asks for it. Must not know sockets.

use std::sync::Arc;

use crate::hub::mailbox::Mailbox;
use crate::publication::frame;

pub struct Echo(Arc<Mailbox>);

impl Echo {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self(mailbox)
    }

    pub(super) fn on_text(&self, text: &str) {
        // A full mailbox is noticed when it is read.
        let _ = self.0.push_answer(text);
    }

    pub(super) fn on_binary(&self, bytes: &[u8]) {
        let _ = self.0.push_encoded(frame::binary(bytes));
    }
}
