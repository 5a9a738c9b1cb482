//! What a socket has been granted before it knows that it is connected, on its way from the check to the actor; and how the
//! actor hears that it is over.
//!
//! Must not know what is sent.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use socketioxide::extract::SocketRef;
use socketioxide::socket::DisconnectReason;

use super::Session;
use super::changes::Changes;
use crate::client::session::Expiry;
use crate::hub::Membership;
use crate::hub::mailbox::Mailbox;

/// What a socket has been granted before it knows that it is connected.
pub(super) struct Seat {
    pub(super) session: Arc<Session>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) memberships: Vec<Membership>,
    /// Of its token, if it has one.
    pub(super) expiry: Option<Expiry>,
    pub(super) feed: Feed,
}

/// What is said on a socket.
pub(super) enum Feed {
    /// Events, one by one.
    Events {
        /// The client understands ids: every event has a second argument.
        with_ids: bool,
        /// Not everything that it missed can be replayed.
        has_gap: bool,
    },
    /// That changes are pending, and which when it asks.
    Sync(Box<Changes>),
}

/// A seat on its way from the check to the actor. The library copies what it passes on.
#[derive(Clone)]
struct Reserved(Arc<Mutex<Option<Taken>>>);

pub(super) struct Taken {
    pub(super) seat: Seat,
    pub(super) ended: Arc<Ended>,
}

/// Said by the library when the socket is no longer connected, for whatever reason.
#[derive(Debug, Default)]
pub(super) struct Ended {
    reason: OnceLock<DisconnectReason>,
    actor: AtomicWaker,
}

impl Seat {
    /// Keeps the seat for the actor. If the socket is never connected it is given back with the socket.
    pub(super) fn take(self, socket: &SocketRef) {
        let ended = Arc::new(Ended::default());
        socket.on_disconnect({
            let ended = Arc::clone(&ended);
            async move |reason: DisconnectReason| {
                ended.say(reason);
            }
        });
        socket.extensions.insert(Reserved(Arc::new(Mutex::new(Some(Taken { seat: self, ended })))));
    }
}

impl Taken {
    /// The seat that a socket has taken, for its actor.
    pub(super) fn of(socket: &SocketRef) -> Option<Self> {
        let Reserved(reserved) = socket.extensions.remove::<Reserved>()?;
        reserved.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Ended {
    /// Why, once it is over.
    pub(super) fn reason(&self) -> Option<DisconnectReason> {
        self.reason.get().copied()
    }

    fn say(&self, reason: DisconnectReason) {
        let _ = self.reason.set(reason);
        self.actor.wake();
    }

    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Registered before looking: what is said in between wakes a task that is about to sleep.
        self.actor.register(cx.waker());
        if self.reason.get().is_some() { Poll::Ready(()) } else { Poll::Pending }
    }
}
