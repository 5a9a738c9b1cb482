//! What goes out to a client, and what becomes of it.
//!
//! Must not know who sends it, nor when.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::CloseReason;
use crate::publication::Publication;

/// A message on its way out.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// What is for this client alone, encoded as it gets it.
    Answer(Bytes),
    /// What the transport itself has to say, a pong for instance: of what waits, the newest of its kind is enough.
    Control(Bytes),
    /// A state or an event of a channel.
    Published(Arc<Publication>),
}

impl Outgoing {
    /// How long what it says is, whatever is put around it to be sent.
    pub fn size(&self) -> usize {
        match self {
            Self::Answer(bytes) | Self::Control(bytes) => bytes.len(),
            Self::Published(publication) => publication.payload.len(),
        }
    }
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// The socket has taken it whole.
    Sent,
    Queued,
    /// It took the place of an older, unsent state of its channel.
    Replaced,
    /// The mailbox is full: the client is a slow consumer and gets nothing more.
    Overflowed,
    /// Not newer than what was pushed before, not subscribed, or closed already.
    NotWanted,
}

/// What the client's task finds in its mailbox.
#[derive(Debug)]
pub enum Next {
    /// A message, and how many of its bytes are out already: never any where there is no outlet.
    Message(Outgoing, usize),
    Overflowed,
    /// The connection has to end, whatever waits.
    Dismissed(CloseReason),
}
