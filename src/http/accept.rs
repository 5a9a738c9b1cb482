//! The accept loop, and one HTTP connection from its first byte to its last.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::Either;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;
use tracing::{debug, warn};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::annex::Additions;
use super::engine::Engine;
use super::hooks::{self, Hook};
use super::pace::{Pace, Paced};
use super::places::AddressPlace;
use super::{Gate, Peer, forwarded, routes};
use crate::socketio::is_below;
use crate::telemetry::metrics::RefusalReason;

/// Connections that may wait to be accepted: a short queue costs every dashboard of a storm a second.
const BACKLOG: i32 = 4_096;
/// A request head may have this many bytes; more is a 431.
const MAX_HEAD_BYTES: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;
/// After a failure to accept: long enough for a descriptor to come free, short enough for nobody to notice.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Refusals written at once; beyond them a connection is just dropped.
const MAX_REFUSALS: usize = 256;
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n\
    Connection: close\r\nContent-Length: 55\r\n\r\n{\"error\":\"busy\",\"message\":\"too many connections\"}     \n";

/// What a TCP connection occupies for as long as anybody uses it.
#[derive(Debug)]
pub struct ConnectionPlace {
    _permit: OwnedSemaphorePermit,
    _address: Option<Box<AddressPlace>>,
}

/// Where requests go.
struct Doors {
    routes: BoxedFilter<(Response,)>,
    engine: Engine,
}

/// Listens at `address`, with a backlog for a storm.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts connections until stopped; each lives on in `connections`.
pub async fn accept(
    listener: TcpListener,
    gate: Arc<Gate>,
    additions: Additions,
    connections: TaskTracker,
    stop: CancellationToken,
) {
    let doors = Arc::new(Doors { routes: routes::routes(&gate, additions).boxed(), engine: Engine::new(&gate) });
    let refusals = Arc::new(Semaphore::new(MAX_REFUSALS));
    let mut was_failing = false;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                was_failing = false;
                let address = peer.ip().to_canonical();
                match place(&gate, address) {
                    Ok(place) => {
                        connections.spawn(serve(stream, address, place, Arc::clone(&doors), Arc::clone(&gate)));
                    }
                    Err(reason) => {
                        gate.environment.metrics.refuse(reason);
                        if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
                            connections.spawn(refuse(stream, permit));
                        }
                    }
                }
            }
            Err(error) => {
                gate.environment.metrics.accept_errors.inc();
                if !was_failing {
                    warn!(%error, "cannot accept connections; trying again (is the descriptor limit too low?)");
                }
                was_failing = true;
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn place(gate: &Gate, address: IpAddr) -> Result<ConnectionPlace, RefusalReason> {
    let permit = gate.places.connection().ok_or(RefusalReason::TooManyConnections)?;
    let address = if forwarded::is_trusted(address, &gate.trusted_proxies) {
        // A proxy's connections are counted by whom they are for.
        None
    } else {
        gate.places.address(address).map_err(|_| RefusalReason::TooManyFromAddress)?
    };
    Ok(ConnectionPlace { _permit: permit, _address: address })
}

/// Says why, then closes; the peer's request is read so that the answer is not lost to a reset.
async fn refuse(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let say = async {
        stream.write_all(REFUSAL.as_bytes()).await?;
        stream.shutdown().await?;
        let mut sink = [0; 512];
        while stream.read(&mut sink).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // Whether a refused peer listened is its own affair.
    let _ = timeout(REFUSAL_TIMEOUT, say).await;
}

/// One connection. Until its first byte it costs a small task: in a storm thousands wait here at once, and what HTTP
/// needs for each of them would stay in the heap between the clients that they become.
async fn serve(stream: TcpStream, address: IpAddr, held: ConnectionPlace, doors: Arc<Doors>, gate: Arc<Gate>) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%address, %error, "the connection was gone at once");
        return;
    }
    let pace = Arc::new(Pace::new(&gate.limits));
    let mut first = [0];
    tokio::select! {
        biased;
        // A look, for a new connection is thought to be readable until somebody has tried. Who reads sees what it is.
        _ = stream.peek(&mut first) => {}
        () = pace.overrun() => {
            debug!(%address, "HTTP connection says nothing");
            return;
        }
        () = gate.hang_up.cancelled() => return,
    }
    Box::pin(exchange(stream, pace, address, held, doors, gate)).await;
}

/// HTTP, from the first byte to the last.
async fn exchange(
    stream: TcpStream,
    pace: Arc<Pace>,
    address: IpAddr,
    held: ConnectionPlace,
    doors: Arc<Doors>,
    gate: Arc<Gate>,
) {
    let held = Arc::new(held);
    let service = service_fn({
        let (pace, gate) = (Arc::clone(&pace), Arc::clone(&gate));
        move |mut request: http::Request<hyper::body::Incoming>| {
            pace.on_request();
            request.extensions_mut().insert(Peer(address));
            request.extensions_mut().insert(Arc::clone(&held));
            request.extensions_mut().insert(Arc::clone(&pace));
            let pace = Arc::clone(&pace);
            let answer = if is_below(request.uri().path()) {
                Either::Left(doors.engine.clone().answer(request, Arc::clone(&pace)))
            } else if let Some(hook) = Hook::from_path(request.uri().path()) {
                Either::Right(Either::Left(hooks::call(Arc::clone(&gate), hook, request)))
            } else {
                Either::Right(Either::Right(warp::service(doors.routes.clone()).call(request)))
            };
            async move {
                let response = answer.await;
                pace.on_answer();
                response
            }
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        // The pace keeps the time.
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_HEAD_BYTES + 8 * 1024);
    let io = TokioIo::new(Paced::new(stream, Arc::clone(&pace)));
    let mut connection = std::pin::pin!(http.serve_connection(io, service).with_upgrades());
    let mut is_hanging_up = false;
    loop {
        tokio::select! {
            // A handshake is done at the first poll: no timer is armed for it.
            biased;
            ended = &mut connection => {
                if let Err(error) = ended {
                    debug!(%address, %error, "HTTP connection ended");
                }
                return;
            }
            () = pace.overrun() => {
                debug!(%address, "HTTP connection took too long");
                return;
            }
            () = gate.hang_up.cancelled(), if !is_hanging_up => {
                is_hanging_up = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
