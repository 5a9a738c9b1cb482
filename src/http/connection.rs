//! One HTTP connection from its first byte to its last: a request is sent to whom it is for, an answer that waits for nothing
//! goes out.
//!
//! hyper reads and writes, and keeps 16 KiB of buffers for as long as it does: it comes with the first byte, is let go where an
//! answer has to wait ([`Held`]), and comes back for that. Must not know what is asked or answered.

use std::convert::Infallible;
use std::future::pending;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::{Either, TryFutureExt, ready};
use http::header::{CONNECTION, HOST, HeaderValue};
use http::{Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;
use tracing::debug;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::accept::ConnectionPlace;
use super::held::Held;
use super::hooks::{self, Called};
use super::mount::Additions;
use super::pace::Pace;
use super::paced::Paced;
use super::refusal::Refusal;
use super::{Peer, Port, engine, routes};
use crate::address::Address;
use crate::config::MAX_HEAD_BYTES;
use crate::telemetry::metrics::RefusalReason;
use crate::transport::socketio::is_below;

const MAX_HEADERS: usize = 100;

/// Where requests go, and how they are read.
pub(super) struct Doors {
    pub(super) port: Arc<Port>,
    routes: BoxedFilter<(Response,)>,
    http: http1::Builder,
}

/// One connection and what its requests bring along.
struct Visit {
    doors: Arc<Doors>,
    pace: Arc<Pace>,
    peer: Peer,
    held: Arc<ConnectionPlace>,
    turn: Mutex<Turn>,
}

/// Whose turn it is.
#[derive(Default)]
enum Turn {
    /// hyper's.
    #[default]
    Http,
    /// An answer's that waits.
    Waiting(Held),
    /// hyper's again: this is the answer.
    Answered(Response),
}

impl Doors {
    pub(super) fn new(port: Arc<Port>, additions: Additions) -> Self {
        let mut http = http1::Builder::new();
        // What arrived is carried out, and who only closed the sending side is answered.
        http.half_close(true)
            // The pace keeps the time.
            .header_read_timeout(None)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(MAX_HEAD_BYTES + 8 * 1024);
        Self { routes: routes::routes(&port, additions).boxed(), http, port }
    }
}

/// One connection. Until its first byte it costs a small task: in a storm thousands wait here at once, and what HTTP
/// needs for each of them would stay in the heap between the clients that they become.
pub(super) async fn serve(stream: TcpStream, address: IpAddr, held: ConnectionPlace, doors: Arc<Doors>) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "the connection was gone at once");
        return;
    }
    let port = &doors.port;
    let pace = Pace::new(&port.admission.places.visitors, Address::of(address), &port.limits);
    let mut first = [0];
    tokio::select! {
        biased;
        // A look, for a new connection is thought to be readable until somebody has tried. Who reads sees what it is.
        _ = stream.peek(&mut first) => {}
        () = pace.overrun() => {
            debug!("HTTP connection says nothing");
            return;
        }
        () = port.hang_up.cancelled() => return,
    }
    let stream = Paced::new(stream, Arc::clone(&pace));
    let (peer, held) = (Peer(address), Arc::new(held));
    Box::pin(exchange(stream, Arc::new(Visit { doors, pace, peer, held, turn: Mutex::default() }))).await;
}

/// HTTP, from the first byte to the last.
async fn exchange(mut stream: Paced<TcpStream>, visit: Arc<Visit>) {
    loop {
        // Boxed, so that its room is another's while an answer waits.
        let Some((after, early)) = Box::pin(converse(stream, &visit)).await else { return };
        let Some(waiting) = visit.waiting() else { return };
        let answer = tokio::select! {
            biased;
            answer = waiting.answer(&after) => answer,
            () = visit.pace.overrun() => {
                debug!("HTTP connection took too long");
                return;
            }
        };
        let Some(answer) = answer else { return };
        visit.give(answer);
        let head = waiting.head(visit.doors.port.hang_up.is_cancelled());
        stream = after.behind(if early.is_empty() { head } else { [head, early].concat().into() });
    }
}

/// Answers requests until the connection ends, or one's answer waits: then there are the stream, and what has come behind that
/// request.
async fn converse(stream: Paced<TcpStream>, visit: &Arc<Visit>) -> Option<(Paced<TcpStream>, Bytes)> {
    let service = service_fn({
        let visit = Arc::clone(visit);
        move |request| answer(&visit, request)
    });
    let doors = &visit.doors;
    let mut connection = doors.http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut is_hanging_up = false;
    loop {
        tokio::select! {
            // A handshake is done at the first poll: no timer is armed for it.
            biased;
            ended = &mut connection => {
                if visit.is_waiting() {
                    let parts = connection.into_parts()?;
                    // A copy, for what is left of it would keep the whole buffer.
                    return Some((parts.io.into_inner(), Bytes::copy_from_slice(&parts.read_buf)));
                }
                if let Err(error) = ended {
                    debug!(%error, "HTTP connection ended");
                }
                return None;
            }
            () = visit.pace.overrun() => {
                debug!("HTTP connection took too long");
                return None;
            }
            () = doors.port.hang_up.cancelled(), if !is_hanging_up => {
                is_hanging_up = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

/// The answer to one request, for hyper; one that waits lets hyper end instead.
fn answer(
    visit: &Arc<Visit>,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + use<> {
    let Visit { doors, pace, .. } = &**visit;
    let port = &doors.port;
    pace.on_request();
    let answer = if let Some(answer) = visit.answered() {
        Either::Left(Either::Left(ready(Ok(answer))))
    } else if !names_its_host(&request) {
        port.admission.sessions.metrics.refuse(RefusalReason::Host);
        let refusal = Refusal::bad_request(RefusalReason::Host, "a request names its host once (Host)");
        Either::Left(Either::Left(ready(Ok(refusal.into_response()))))
    } else {
        let extensions = request.extensions_mut();
        extensions.insert(visit.peer);
        extensions.insert(Arc::clone(&visit.held));
        if is_below(request.uri().path()) {
            Either::Left(Either::Right(engine::call(Arc::clone(port), request)))
        } else if let Some(called) = Called::at(request.uri().path()) {
            let called = hooks::call(Arc::clone(&port.hooks), called, request);
            Either::Right(Either::Left(called.map_err(|never| match never {})))
        } else {
            request.extensions_mut().insert(Arc::clone(pace));
            let routed = warp::service(doors.routes.clone()).call(request);
            Either::Right(Either::Right(routed.map_err(|never| match never {})))
        }
    };
    let visit = Arc::clone(visit);
    async move {
        let mut response = match answer.await {
            Ok(response) => response,
            Err(held) => {
                visit.hold(held);
                pending().await
            }
        };
        // Who has become a WebSocket is no visitor any more.
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            visit.pace.on_answer();
            if visit.doors.port.admission.departure.is_announced() {
                // A balancer's kept connection would bring more.
                response.headers_mut().append(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        Ok(response)
    }
}

impl Visit {
    fn hold(&self, held: Held) {
        self.pace.on_poll(self.doors.port.admission.sessions.limits.ping_interval);
        self.set(Turn::Waiting(held));
    }

    fn is_waiting(&self) -> bool {
        matches!(*self.turn.lock().unwrap_or_else(PoisonError::into_inner), Turn::Waiting(_))
    }

    /// The answer that waits.
    fn waiting(&self) -> Option<Held> {
        match self.set(Turn::Http) {
            Turn::Waiting(held) => Some(held),
            Turn::Http | Turn::Answered(_) => None,
        }
    }

    fn give(&self, answer: Response) {
        self.set(Turn::Answered(answer));
    }

    /// The answer that has waited, once.
    fn answered(&self) -> Option<Response> {
        match self.set(Turn::Http) {
            Turn::Answered(answer) => Some(answer),
            Turn::Http | Turn::Waiting(_) => None,
        }
    }

    /// Whose turn it was.
    fn set(&self, turn: Turn) -> Turn {
        std::mem::replace(&mut *self.turn.lock().unwrap_or_else(PoisonError::into_inner), turn)
    }
}

/// RFC 9112, 3.2: HTTP/1.1 says once which host it means; older requests need not, and twice is once too often.
fn names_its_host(request: &Request<Incoming>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        hosts => hosts == 1,
    }
}
