//! The accept loop: a place for each connection, and what is said to those that get none.
//!
//! Must not know what is said on a connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http_body_util::BodyExt;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::connection::{Doors, serve};
use super::mount::Additions;
use super::places::AddressPlace;
use super::{Port, health};
use crate::address::Address;
use crate::model::ConnectionId;
use crate::telemetry::log::connection::Connection;
use crate::telemetry::log::seldom::Seldom;
use crate::telemetry::metrics::RefusalReason;

/// Connections that may wait to be accepted: a short queue costs every dashboard of a storm a second.
const BACKLOG: i32 = 4_096;
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
    pub(super) id: ConnectionId,
    _permit: OwnedSemaphorePermit,
    _address: Option<Box<AddressPlace>>,
}

/// Where connections come in.
struct Entrance {
    doors: Arc<Doors>,
    /// What each lives on in.
    connections: TaskTracker,
    refusals: Arc<Semaphore>,
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

/// Accepts connections until stopped; each lives on in `connections`. Those that stand in the queue then are let in too.
pub async fn accept(
    listener: TcpListener,
    port: Arc<Port>,
    additions: Additions,
    connections: TaskTracker,
    stop: CancellationToken,
) {
    let doors = Arc::new(Doors::new(port, additions));
    let entrance = Entrance { doors, connections, refusals: Arc::new(Semaphore::new(MAX_REFUSALS)) };
    let admission = &entrance.doors.port.admission;
    let said = Seldom::default();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => entrance.let_in(stream, peer.ip().to_canonical()).await,
            Err(error) => {
                admission.sessions.metrics.accept_errors.inc();
                // Where it is for want of descriptors, an idle connection has one.
                admission.places.visitors.make_room();
                if let Some(left_out) = said.due() {
                    warn!(%error, left_out, "cannot accept connections; trying again (is the descriptor limit too low?)");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // They have sent their requests by now, and with the door the kernel would close on them.
    let Ok(queue) = listener.into_std() else { return };
    while let Ok((stream, peer)) = queue.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            entrance.let_in(stream, peer.ip().to_canonical()).await;
        }
    }
}

impl Entrance {
    async fn let_in(&self, stream: TcpStream, address: IpAddr) {
        let port = &self.doors.port;
        match place(port, address).await {
            Ok(place) => {
                let connection = Connection { id: place.id, address: Address::of(address) };
                let served = serve(stream, address, place, Arc::clone(&self.doors));
                self.connections.spawn(connection.scope(served));
            }
            Err(reason) => {
                port.admission.sessions.metrics.refuse(reason);
                if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
                    self.connections.spawn(refuse(stream, permit, reason, Arc::clone(port)));
                }
            }
        }
    }
}

async fn place(port: &Port, address: IpAddr) -> Result<ConnectionPlace, RefusalReason> {
    let address = if port.admission.proxies.are(address) {
        // A proxy's connections are counted by whom they are for.
        None
    } else {
        port.admission.places.address(Address::of(address)).map_err(|_| RefusalReason::TooManyFromAddress)?
    };
    let permit = port.admission.places.connection().await.ok_or(RefusalReason::TooManyConnections)?;
    Ok(ConnectionPlace { id: ConnectionId::new(), _permit: permit, _address: address })
}

/// Says why, then closes; the peer's request is read so that the answer is not lost to a reset.
/// An orchestrator is answered all the same: a node without room is alive.
async fn refuse(mut stream: TcpStream, _permit: OwnedSemaphorePermit, reason: RefusalReason, port: Arc<Port>) {
    let say = async {
        let answer = match reason {
            RefusalReason::TooManyConnections => probed(&stream, &port).await,
            _ => None,
        };
        stream.write_all(answer.as_deref().unwrap_or(REFUSAL.as_bytes())).await?;
        stream.shutdown().await?;
        let mut sink = [0; 512];
        while stream.read(&mut sink).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // Whether a refused peer listened is its own affair.
    let _ = timeout(REFUSAL_TIMEOUT, say).await;
}

/// The answer to a request for `/health` or `/ready`; `None` to any other, and to none.
async fn probed(stream: &TcpStream, port: &Port) -> Option<Vec<u8>> {
    let mut head = [0; 16];
    let read = timeout(REFUSAL_TIMEOUT / 2, stream.peek(&mut head)).await.ok()?.ok()?;
    let path = head.get(..read)?.strip_prefix(b"GET ")?;
    let is_at = |name: &[u8]| path.strip_prefix(name).is_some_and(|rest| matches!(rest, [b' ' | b'?' | b'/', ..]));
    let answer = match () {
        () if is_at(b"/health") => health::health(),
        () if is_at(b"/ready") => health::ready(&port.hooks, &HeaderMap::new()),
        () => return None,
    };
    let status = answer.status();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    let mut whole = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    whole.extend_from_slice(&body);
    Some(whole)
}
