//! Socket.IO: namespaces for clients that speak it, on the port, the hub and the limits of everybody else.
//!
//! A session polls or is a WebSocket ([`polling`], [`line`]) and may go over from the one to the other ([`upgrade`]); what is
//! said in it ([`session`], [`talk`]) is the same. What is published is encoded once for all clients. Must not know routes,
//! origins or SQL.

mod auth;
mod farewell;
mod heartbeat;
mod inbox;
mod line;
pub mod message;
mod namespace;
pub mod packet;
pub mod payload;
mod polling;
mod polls;
pub mod query;
mod registry;
mod session;
mod sid;
mod talk;
mod upgrade;
mod words;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::config::SyncConfig;
use crate::hub::mailbox::Mailbox;
use crate::hub::outlet::Outlet;
use crate::newcomers::NewcomerPlace;
use crate::publication::Encoding;
use crate::session::SessionContext;
use crate::session::life::Carried;
use crate::telemetry::log::connection::Connection;
use crate::telemetry::metrics::Counted;
use crate::transport::websocket::Transport;
use crate::transport::websocket::reader::Reader;
use crate::transport::websocket::socket::Socket;

pub use auth::connect_error;
use inbox::Inbox;
pub use inbox::{Answer, Awaited};
use line::Line;
use namespace::Namespace;
use polling::Polling;
pub use query::{Query, is_below, is_sessions};
pub use registry::{Claim, Found, Polled, Posted};
use registry::{Registered, Registry};
use session::Session;
use sid::Sid;
use talk::Talk;
use upgrade::Upgraded;
pub use upgrade::turn_away;

/// Something that is given back by being dropped.
pub type Held = Box<dyn Any + Send + Sync>;

const ENCODING: Encoding = Encoding::Packets { with_ids: false };

/// All Socket.IO sessions of this node.
#[derive(Clone, Debug)]
pub struct SocketIo(Arc<Doors>);

/// Where sessions begin.
struct Doors {
    context: Arc<SessionContext>,
    sync: SyncConfig,
    /// The tasks of all clients.
    tasks: TaskTracker,
    polling: Arc<Registry>,
}

/// Whoever begins a session, and what it brings along.
pub struct Arrival {
    pub connection: Connection,
    /// The token in the header of its first request.
    pub bearer: Option<String>,
    /// Given back when the session is over.
    pub held: Held,
    /// Given back when it has shown who it is.
    pub place: NewcomerPlace,
}

/// A session and what goes with it, whatever carries it.
struct Begun {
    sid: Sid,
    session: Session,
    mailbox: Arc<Mailbox>,
    connection: Connection,
    held: (Counted, Held),
}

impl SocketIo {
    /// `None` if no feed that needs Socket.IO is on. Its clients' tasks live in `tasks`.
    pub fn new(context: &Arc<SessionContext>, sync: &SyncConfig, tasks: &TaskTracker) -> Option<Self> {
        if !context.feeds.any(|feed| !feed.namespaces.is_empty()) {
            return None;
        }
        let (context, sync, tasks) = (Arc::clone(context), sync.clone(), tasks.clone());
        Some(Self(Arc::new(Doors { context, sync, tasks, polling: Arc::default() })))
    }

    /// Begins a session that polls; returns the packet that opens it.
    pub fn poll(&self, arrival: Arrival) -> String {
        let doors = &self.0;
        let limits = &doors.context.limits;
        let begun = doors.begin(arrival, Mailbox::new(limits.outbound_buffer, ENCODING));
        let inbox = Arc::new(Inbox::default());
        let registered = doors.polling.enter(begun.sid, Arc::clone(&inbox), begun.connection);
        let packet = words::open(begun.sid, true, limits);
        let polling = Polling::new(Arc::clone(&begun.mailbox), inbox);
        doors.tasks.spawn(begun.connection.scope(poll(Arc::clone(doors), begun, polling, registered)));
        packet
    }

    /// Begins a session on a WebSocket. `early`: bytes that came right behind the handshake.
    pub fn open(&self, stream: TcpStream, early: Vec<u8>, arrival: Arrival) {
        let doors = &self.0;
        let limits = &doors.context.limits;
        let mailbox = Mailbox::with_outlet(limits.outbound_buffer, Outlet::new(stream), ENCODING);
        let begun = doors.begin(arrival, mailbox);
        // A new mailbox has room.
        let _ = begun.mailbox.push_answer(words::open(begun.sid, false, limits));
        doors.serve(begun, Reader::new(early, limits), ());
    }

    /// The session of this id, if it began by polling.
    pub fn find(&self, sid: &str) -> Option<Found> {
        self.0.polling.find(sid)
    }
}

impl Doors {
    /// Whether a namespace is there at all.
    fn are_open(&self, namespace: Namespace) -> bool {
        self.context.feeds.has(namespace.feed())
    }

    fn begin(self: &Arc<Self>, arrival: Arrival, mailbox: Mailbox) -> Begun {
        let Arrival { connection, bearer, held, place } = arrival;
        let (context, mailbox) = (Arc::clone(&self.context), Arc::new(mailbox));
        let counted = context.metrics.clients.enter("socketio", None);
        let talk = Talk::new(Arc::clone(self), Arc::clone(&mailbox), bearer, place);
        let session = Session::new(context, Arc::clone(&mailbox), talk);
        Begun { sid: Sid::random(), session, mailbox, connection, held: (counted, held) }
    }

    /// Starts the task of a session whose mailbox has the WebSocket that carries it. `held` goes with that.
    fn serve(&self, begun: Begun, reader: Reader, held: impl Send + 'static) {
        let Begun { session, mailbox, connection, held: place, .. } = begun;
        let line = Line::new(Socket::resume(Transport::new(Arc::clone(&mailbox)), reader, Arc::clone(&mailbox)));
        let carried = Carried::new(line, mailbox, connection, session, Arc::clone(&self.context));
        self.tasks.spawn(carried.serve((place, held)));
    }
}

/// A polling session, to its end or until a WebSocket takes over.
async fn poll(doors: Arc<Doors>, begun: Begun, polling: Polling, registered: Registered) {
    let Begun { sid, session, mailbox, connection, held } = begun;
    let mut carried = Carried::new(polling, mailbox, connection, session, Arc::clone(&doors.context));
    let ending = carried.run().await;
    if let Some(upgraded) = carried.carrier().take_upgraded() {
        let Upgraded { stream, reader, held: line } = *upgraded;
        let (session, mailbox) = carried.into_conversation();
        mailbox.attach(Outlet::new(stream));
        doors.serve(Begun { sid, session, mailbox, connection, held }, reader, (line, registered.upgraded()));
    } else {
        // Its place is another's before the farewell, which may take a while.
        drop(held);
        Box::pin(carried.leave(ending)).await;
        drop(registered);
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").field("polling", &self.polling).finish_non_exhaustive()
    }
}
