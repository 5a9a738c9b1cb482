//! One HTTP connection from its first byte to its last: a request is sent to whom it is for, an answer that waits for nothing
//! goes out.
//!
//! hyper reads and writes, and keeps 16 KiB of buffers for as long as it does: it comes with the first byte, is let go where an
//! answer may wait for long ([`Held`]), and comes back for that. Must not know what is asked or answered.

use std::convert::Infallible;
use std::future::{self, poll_fn};
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::{Either, TryFutureExt};
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
use super::engine::Source;
use super::held::{Giving, Held};
use super::hooks::{self, Called};
use super::mount::Additions;
use super::pace::{Pace, Phase};
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

/// What becomes of an answer that waits.
#[derive(Default)]
enum Turn {
    /// There is none.
    #[default]
    Http,
    Waiting(Held),
    /// It is there, for hyper to come back to.
    Answered(Response, Giving),
    /// hyper has it.
    Given(Giving),
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
        let Turn::Waiting(mut held) = visit.set(Turn::Http) else { return };
        let answer = tokio::select! {
            biased;
            answer = held.answer(&after) => answer,
            () = visit.pace.overrun() => {
                debug!("HTTP connection took too long");
                return;
            }
        };
        let Some(answer) = answer else { return };
        visit.pace.on_come();
        let again = held.head(visit.doors.port.hang_up.is_cancelled());
        visit.set(Turn::Answered(answer, held.giving));
        stream = after.behind(if early.is_empty() { again } else { [again, early].concat().into() });
    }
}

/// Answers requests until the connection ends, or an answer may wait for long: then there are the stream, and what has come
/// behind that request.
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
                if visit.pace.moment().phase() == Phase::Held {
                    let parts = connection.into_parts()?;
                    // A copy, for what is left of it would keep the whole buffer.
                    return Some((parts.io.into_inner(), Bytes::copy_from_slice(&parts.read_buf)));
                }
                if let Err(error) = ended {
                    debug!(%error, "HTTP connection ended");
                }
                return None;
            }
            // It ends as soon as it is looked at again.
            () = visit.pace.kept() => {}
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

/// The answer to one request, for hyper.
fn answer(
    visit: &Arc<Visit>,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + use<> {
    let Visit { doors, pace, .. } = &**visit;
    let port = &doors.port;
    pace.on_request();
    let answer = if let Some(answer) = visit.go_on() {
        Either::Left(Either::Left(future::ready(Ok(answer))))
    } else if !names_its_host(&request) {
        port.admission.sessions.metrics.refuse(RefusalReason::Host);
        let refusal = Refusal::bad_request(RefusalReason::Host, "a request names its host once (Host)");
        Either::Left(Either::Left(future::ready(Ok(refusal.into_response()))))
    } else {
        let peer = visit.peer;
        // What is large is boxed: its room, twice, would be every connection's, and leave holes in the heap of a storm.
        if is_below(request.uri().path()) {
            let source = Source { peer, line: Arc::clone(&visit.held) };
            Either::Left(Either::Right(Box::pin(engine::call(Arc::clone(port), source, request))))
        } else if let Some(called) = Called::at(request.uri().path()) {
            let called = Box::pin(hooks::call(Arc::clone(&port.hooks), called, peer, request));
            Either::Right(Either::Left(called.map_err(|never| match never {})))
        } else {
            // A map that is made for each request: only who goes by the routes pays for it.
            let extensions = request.extensions_mut();
            extensions.insert(peer);
            extensions.insert(Arc::clone(&visit.held));
            extensions.insert(Arc::clone(pace));
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
                poll_fn(|cx| visit.poll_answer(cx)).await
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

    /// The next request is here: the answer to it if it stands for one that has waited.
    fn go_on(&self) -> Option<Response> {
        let mut turn = self.lock();
        match mem::take(&mut *turn) {
            Turn::Answered(answer, giving) => {
                self.pace.on_given();
                *turn = Turn::Given(giving);
                Some(answer)
            }
            Turn::Given(giving) => {
                giving.done();
                None
            }
            Turn::Http | Turn::Waiting(_) => None,
        }
    }

    /// For hyper, which has not been let go of.
    fn poll_answer(&self, cx: &mut Context<'_>) -> Poll<Response> {
        let mut turn = self.lock();
        let Turn::Waiting(held) = &mut *turn else { return Poll::Pending };
        let response = ready!(held.poll_answer(cx));
        if let Turn::Waiting(held) = mem::take(&mut *turn) {
            self.pace.on_come();
            self.pace.on_given();
            *turn = Turn::Given(held.giving);
        }
        Poll::Ready(response)
    }

    fn set(&self, turn: Turn) -> Turn {
        mem::replace(&mut *self.lock(), turn)
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.pace.moment().phase() != Phase::Given
            && let Turn::Given(giving) = self.set(Turn::Http)
        {
            giving.done();
        }
    }
}

/// RFC 9112, 3.2: HTTP/1.1 says once which host it means; older requests need not, and twice is once too often.
fn names_its_host(request: &Request<Incoming>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        hosts => hosts == 1,
    }
}
