//! Socket.IO: namespaces for clients that speak it, on the port, the hub and the limits of everybody else.
//!
//! The library owns the protocol; who may enter, what is sent, buffers, limits and the end are decided here. Must not
//! know routes, origins or SQL.

mod actor;
mod auth;
mod changes;
mod line;
mod polling;
mod query;
mod restaurant;
mod seat;
mod session;
mod sync;

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use http::{Request, Response};
use http_body_util::Full;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::service::SocketIoService;
use socketioxide::socket::Sid;
use socketioxide::{ParserConfig, SocketIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;
use tower_service::Service;
use tracing::info;

use crate::client::Environment;
use crate::config::{ClientLimits, Feed, SyncConfig};
use crate::telemetry::metrics::RefusalReason;

use auth::{Auth, Refused};
use line::Line;
pub use polling::Polling;
pub use query::{Query, is_below};
use seat::Seat;
pub use session::{Held, Session};

/// Packets that the library may hold for one session. Few, for it holds a copy of each; behind them publications wait in
/// the socket's mailbox, shared by all. A session whose buffer is full when its ping is due is taken for gone.
const LIBRARY_BUFFER: usize = 64;
/// Events that may wait for a polling client's next request: with what the library itself has to say no more than the 16
/// packets that some clients take in one answer.
const POLL_WINDOW: usize = 12;
/// One answer to a polling client takes all that waits. What did not fit would be lost in an upgrade; requests have a
/// limit of our own.
const MAX_PAYLOAD: u64 = 100_000_000;
/// Read at once from a WebSocket; every idle one holds it. The answer to a ping is seven bytes.
const READ_BUFFER: usize = 128;
/// Binary attachments of one event. No event of ours has any; what comes is ignored once it is complete.
const MAX_ATTACHMENTS: usize = 8;
/// For the attachments of an event, and for a polling session to become a WebSocket.
const COMPLETION: Duration = Duration::from_secs(10);

type Library = SocketIoService<Elsewhere>;

/// All Socket.IO sessions of this node.
#[derive(Clone, Debug)]
pub struct Namespaces(Arc<Core>);

struct Core {
    environment: Arc<Environment>,
    /// The tasks of all clients.
    tasks: TaskTracker,
    library: Library,
    /// Sessions that began by polling: their later requests have to be told whose they are.
    polling: DashMap<Sid, Weak<Session>>,
}

impl Namespaces {
    /// `None` if no feed that needs Socket.IO is on. Its clients' tasks live in `tasks`.
    pub fn new(environment: &Arc<Environment>, sync: &SyncConfig, tasks: &TaskTracker) -> Option<Self> {
        let feeds = environment.feeds;
        if !feeds.has_any(&[Feed::Restaurant, Feed::Sync]) {
            return None;
        }
        let (library, io) = library(&environment.limits);
        if feeds.has(Feed::Restaurant) {
            open(&io, restaurant::NAMESPACE, environment, tasks, restaurant::admit);
        }
        if feeds.has(Feed::Sync) {
            let sync = Arc::new(sync.clone());
            let admit = move |environment: &Environment, session: &_, socket: &SocketRef, auth: &Auth| {
                sync::admit(environment, &sync, session, socket, auth)
            };
            open(&io, sync::NAMESPACE, environment, tasks, admit);
        }
        let (environment, tasks) = (Arc::clone(environment), tasks.clone());
        Some(Self(Arc::new(Core { environment, tasks, library, polling: DashMap::new() })))
    }

    /// What the HTTP requests of polling sessions are put to.
    pub fn polling(&self) -> Polling {
        Polling::new(Arc::clone(&self.0))
    }

    /// A session that is about to begin. What it holds is given back when it is over.
    pub fn begin(
        &self,
        address: IpAddr,
        bearer: Option<String>,
        held: Held,
        unauthenticated: OwnedSemaphorePermit,
    ) -> Arc<Session> {
        Arc::new(Session::new(Arc::downgrade(&self.0), address, bearer, held, unauthenticated))
    }

    /// The polling session `sid` if it may become a WebSocket now.
    pub fn try_upgrade(&self, sid: &str) -> Option<Arc<Session>> {
        let session = self.0.polling(sid.parse().ok()?)?;
        session.claim_line().then_some(session)
    }

    /// Hands a WebSocket to the library: a session's first transport, or the one that takes over from polling.
    /// `early`: bytes that came right behind the handshake. `held` lives as long as the stream.
    pub fn websocket<S, H>(&self, stream: S, early: Vec<u8>, session: &Arc<Session>, held: H)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        H: Send + Unpin + 'static,
    {
        // Boxed, for the library's task has room for several of it, one at a time.
        let line = Box::new(Line::new(stream, early, Arc::clone(session), held, &self.0.environment.limits));
        let mut request = Request::new(());
        *request.uri_mut() = query::uri("websocket", session.sid());
        if session.sid().is_none() {
            request.extensions_mut().insert(Arc::clone(session));
        }
        // The library starts a task of its own. It refuses requests that it cannot read, and this one is ours.
        let mut library = self.0.library.clone();
        drop(Service::<(Box<Line<S, H>>, Request<()>)>::call(&mut library, (line, request)));
    }

    /// Ends the polling sessions that are left: their requests would keep the HTTP connections.
    pub fn close(&self) {
        let sessions: Vec<_> = self.0.polling.iter().filter_map(|entry| entry.value().upgrade()).collect();
        for session in sessions {
            session.leave();
        }
    }
}

impl Core {
    fn polling(&self, sid: Sid) -> Option<Arc<Session>> {
        self.polling.get(&sid).and_then(|session| session.upgrade())
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("polling", &self.polling.len()).finish_non_exhaustive()
    }
}

fn library(limits: &ClientLimits) -> (Library, SocketIo) {
    let parser = ParserConfig::common()
        .max_incoming_binaries(MAX_ATTACHMENTS)
        .max_incoming_binary_buf_size(limits.max_message_bytes)
        .packet_completion_timeout(COMPLETION);
    SocketIo::builder()
        .req_path(query::PATH)
        .ping_interval(limits.ping_interval)
        .ping_timeout(limits.pong_timeout)
        .upgrade_timeout(COMPLETION)
        .connect_timeout(limits.auth_timeout)
        .max_buffer_size(LIBRARY_BUFFER)
        .max_payload(MAX_PAYLOAD)
        .ws_read_buffer_size(READ_BUFFER)
        .ws_max_message_size(limits.max_message_bytes)
        .ws_max_frame_size(limits.max_message_bytes)
        .with_parser(parser)
        .build_with_inner_svc(Elsewhere)
}

/// Opens a namespace to those who are admitted. A socket has its seat before it knows that it is connected, so that it
/// misses nothing.
fn open<F>(io: &SocketIo, namespace: &'static str, environment: &Arc<Environment>, tasks: &TaskTracker, admit: F)
where
    F: Fn(&Environment, &Arc<Session>, &SocketRef, &Auth) -> Result<Seat, Refused> + Clone + Send + Sync + 'static,
{
    let serve = {
        let (environment, tasks) = (Arc::clone(environment), tasks.clone());
        async move |socket: SocketRef| actor::start(socket, environment, &tasks)
    };
    let environment = Arc::clone(environment);
    let check = async move |socket: SocketRef, TryData(auth): TryData<Auth>| {
        let session = socket.req_parts().extensions.get::<Arc<Session>>().ok_or(Refused::NoSession);
        let seat = session.and_then(|session| admit(&environment, session, &socket, &auth.unwrap_or_default()));
        seat.map(|seat| seat.take(&socket)).inspect_err(|refused| {
            environment.metrics.refuse(RefusalReason::Token);
            info!(namespace, "{refused}");
        })
    };
    io.ns(namespace, serve.with(check));
}

/// What the library would pass on to. Only requests of its own path are ever put to it.
#[derive(Clone, Copy, Debug)]
struct Elsewhere;

impl<B> Service<Request<B>> for Elsewhere {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Ok(Response::new(Full::default())))
    }
}
