//! The polling sessions of this node, by their ids: how a request finds the session that it is for.
//!
//! Must not know HTTP, nor what is said.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use dashmap::DashMap;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::Held;
use super::inbox::{Answer, Asked, Awaited, Inbox};
use super::sid::Sid;
use super::upgrade::{Upgraded, try_upgrade};
use crate::config::ClientLimits;
use crate::model::CloseReason;
use crate::session::life::Ending;
use crate::telemetry::log::connection::Connection;
use crate::transport::websocket::reader::Reader;

#[derive(Debug, Default)]
pub(super) struct Registry(DashMap<Sid, Found>);

/// What a request finds by its session's id.
#[derive(Clone, Debug)]
pub enum Found {
    Polling(Polled),
    /// A session that has become a WebSocket.
    Upgraded,
}

/// A polling session, for a request of its client's.
#[derive(Clone, Debug)]
pub struct Polled {
    inbox: Arc<Inbox>,
    connection: Connection,
}

/// A session's place in the registry: when it is dropped no request finds the session any more, and those that wait hear
/// that it is over.
#[derive(Debug)]
pub(super) struct Registered {
    name: Name,
    inbox: Open,
}

/// Who waits in it hears when this is dropped.
#[derive(Debug)]
struct Open(Arc<Inbox>);

/// The name of a session: it is free when this is dropped.
#[derive(Debug)]
pub(super) struct Name {
    registry: Arc<Registry>,
    sid: Sid,
}

/// To be held until the answer to packets is on its way: there are clients that take what the packets led to for nothing if
/// it comes before.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "held for its end")]
pub struct Posted(Arc<Unanswered>);

#[derive(Debug)]
struct Unanswered(Arc<Inbox>);

/// The right to try an upgrade.
#[derive(Debug)]
pub struct Claim {
    session: Polled,
    /// Dropped with the session.
    over: oneshot::Receiver<Infallible>,
}

impl Registry {
    pub(super) fn enter(self: &Arc<Self>, sid: Sid, inbox: Arc<Inbox>, connection: Connection) -> Registered {
        self.0.insert(sid, Found::Polling(Polled { inbox: Arc::clone(&inbox), connection }));
        Registered { name: Name { registry: Arc::clone(self), sid }, inbox: Open(inbox) }
    }

    pub(super) fn find(&self, sid: &str) -> Option<Found> {
        self.0.get(&Sid::parse(sid)?).map(|found| found.clone())
    }
}

impl Registered {
    /// A WebSocket has taken over: the name goes with it.
    pub(super) fn upgraded(self) -> Name {
        let Self { name, inbox } = self;
        name.registry.0.insert(name.sid, Found::Upgraded);
        drop(inbox);
        name
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        self.registry.0.remove(&self.sid);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.put(Asked::Answered);
    }
}

impl Polled {
    /// What waits, as soon as something does.
    pub fn get(&self) -> Awaited {
        self.inbox.ask(Asked::Get)
    }

    /// Has packets carried out. `None`: the session is over.
    pub async fn post(&self, body: Bytes) -> (Option<Answer>, Posted) {
        let posted = Posted(Arc::new(Unanswered(Arc::clone(&self.inbox))));
        (self.inbox.ask(|answer| Asked::Post(body, answer)).await, posted)
    }

    /// Packets were more than a client may send at once.
    pub fn on_too_big(&self) {
        self.inbox.put(Asked::End(Ending::Close(CloseReason::TooBig)));
    }

    /// Packets broke off: nobody knows what they were.
    pub fn on_broken(&self) {
        self.inbox.put(Asked::End(Ending::Lost));
    }
}

impl Found {
    /// For a WebSocket that wants to take over; `None` while another does, or where one has.
    pub fn try_claim(&self) -> Option<Claim> {
        let Self::Polling(session) = self else { return None };
        session.inbox.try_claim().map(|over| Claim { session: session.clone(), over })
    }
}

impl Claim {
    /// The session's, as the log names it.
    pub fn connection(&self) -> Connection {
        self.session.connection
    }

    /// Lets a WebSocket take over if it shows that it works before the session is over. `early`: what came behind its
    /// handshake; `held` is given back when it is closed.
    pub async fn upgrade(mut self, stream: TcpStream, early: Vec<u8>, held: Held, limits: &ClientLimits) {
        let inbox = &self.session.inbox;
        let reader = Reader::new(early, limits);
        let upgraded = try_upgrade(stream, reader, || inbox.put(Asked::Probed), &mut self.over).await;
        if let Some((stream, reader)) = upgraded {
            inbox.put(Asked::Upgraded(Box::new(Upgraded { stream, reader, held })));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.session.inbox.unclaim();
    }
}
