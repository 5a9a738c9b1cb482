//! From a request below `/socket.io` to a Socket.IO session: its origin, a place, what it asks and what is answered.
//!
//! Must not know namespaces, nor what is said in them.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use serde_json::json;
use tracing::debug;
use warp::reply::Response;

use super::accept::ConnectionPlace;
use super::admission::{Admission, busy};
use super::cors::Cors;
use super::held::Held;
use super::hooks::call::bearer_token;
use super::refusal::Refusal;
use super::upgrade::{check_handshake, switching, take_stream};
use super::{Peer, Port, answer};
use crate::model::ConnectionId;
use crate::telemetry::log::connection::Connection;
use crate::telemetry::metrics::{HandshakeResult, RefusalReason};
use crate::transport::socketio::{self, Answer, Arrival, Found, Polled, Query, SocketIo, is_sessions, turn_away};

/// As it is counted.
const ENDPOINT: &str = "/socket.io/";

/// Where a request comes from.
pub(super) struct Source {
    pub(super) peer: Peer,
    pub(super) line: Arc<ConnectionPlace>,
}

/// What becomes of a request.
enum Answering {
    Now(Response),
    /// Until the session has something to give; the request has nothing more to say.
    Waits(Polled, Request<()>),
}

/// What is wrong with a request, in the protocol's own numbers.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Transport = 0,
    Session = 1,
    Method = 2,
    Request = 3,
    Version = 5,
}

/// `Err`: the answer has to wait.
pub(super) async fn call(port: Arc<Port>, source: Source, request: Request<Incoming>) -> Result<Response, Held> {
    let cors = Cors::of(&port.admission, request.headers());
    let mut response = match cors.preflight(request.method(), request.headers(), "GET, POST") {
        Some(preflight) => preflight,
        None => match try_answer(&port, source, request).await {
            Ok(Answering::Now(response)) => response,
            Ok(Answering::Waits(session, request)) => return Err(Held::new(session, &cors, &request)),
            Err(refusal) => {
                let metrics = &port.admission.sessions.metrics;
                metrics.refuse(refusal.reason);
                metrics.clients.shook_hands(ENDPOINT, HandshakeResult::Refused(refusal.reason));
                debug!(?refusal, "Socket.IO request refused");
                refusal.into_response()
            }
        },
    };
    cors.allow(&mut response);
    Ok(response)
}

async fn try_answer(port: &Port, source: Source, request: Request<Incoming>) -> Result<Answering, Refusal> {
    let Some(socketio) = &port.socketio else { return Err(Refusal::switched_off()) };
    let admission = &port.admission;
    admission.check_origin(request.headers())?;
    let query = Query::read(request.uri().query().unwrap_or_default());
    if query.transport.is_none() && !is_sessions(request.uri().path()) {
        return Err(Refusal::no_script());
    }
    let is_get = *request.method() == Method::GET;
    let response = match (query.transport, query.sid) {
        _ if query.is_script => wrong(Wrong::Request, "JSONP is not spoken here"),
        (Some("websocket"), None) if query.version != Some("4") => unsupported(),
        (Some("websocket"), sid) if is_get => {
            let sid = sid.map(str::to_owned);
            upgrade(admission, socketio, sid.as_deref(), source, request)?
        }
        (Some("polling"), None) if !is_get => wrong(Wrong::Method, "Bad handshake method"),
        (Some("polling"), None) if query.version != Some("4") => unsupported(),
        (Some("polling"), None) => packets(socketio.poll(arrive(admission, source, request.headers(), true)?)),
        (Some("polling"), Some(sid)) => match socketio.find(sid) {
            Some(Found::Polling(session)) => return Ok(exchange(admission, session, request).await),
            Some(Found::Upgraded) | None => unknown(),
        },
        _ => wrong(Wrong::Transport, "Transport unknown"),
    };
    Ok(Answering::Now(response))
}

/// A request of a session that polls.
async fn exchange(admission: &Admission, session: Polled, request: Request<Incoming>) -> Answering {
    let method = request.method().clone();
    if method != Method::GET && method != Method::POST {
        return Answering::Now(wrong(Wrong::Method, "Bad request method"));
    }
    let (head, body) = request.into_parts();
    let body = match collect(body, admission.sessions.limits.max_message_bytes).await {
        Ok(body) => body,
        Err(true) => {
            session.on_too_big();
            let message = json!({ "code": Wrong::Request as u8, "message": "Payload too large" });
            return Answering::Now(answer::json(StatusCode::PAYLOAD_TOO_LARGE, &message));
        }
        Err(false) => {
            session.on_broken();
            return Answering::Now(wrong(Wrong::Request, "Bad request"));
        }
    };
    if method == Method::GET {
        // What a body of its own may say means nothing.
        return Answering::Waits(session, Request::from_parts(head, ()));
    }
    let (answered, posted) = session.post(body).await;
    let mut response = respond(answered);
    // Let go when the answer is written.
    response.extensions_mut().insert(posted);
    Answering::Now(response)
}

/// The answer to a request for what waits.
pub(super) fn respond(answered: Option<Answer>) -> Response {
    match answered {
        Some(Answer::Packets(body)) => packets(body),
        Some(Answer::Done) => packets("ok".to_owned()),
        Some(Answer::Malformed | Answer::Overlap) => wrong(Wrong::Request, "Bad request"),
        None => unknown(),
    }
}

/// The whole body. `Err`: it is not, for it is too big or else has broken off.
async fn collect(body: Incoming, most: usize) -> Result<Bytes, bool> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    // Of what says that it is too big nothing is waited for.
    if body.size_hint().lower() > most as u64 {
        return Err(true);
    }
    let whole = Limited::new(body, most).collect().await;
    whole.map(http_body_util::Collected::to_bytes).map_err(|error| error.is::<LengthLimitError>())
}

/// Answers a WebSocket's handshake and, if it is granted, hands the stream over: to a session of its own, or to the one
/// that polls and wants to go over.
fn upgrade(
    admission: &Arc<Admission>,
    socketio: &SocketIo,
    sid: Option<&str>,
    source: Source,
    mut request: Request<Incoming>,
) -> Result<Response, Refusal> {
    let accept = check_handshake(request.method(), request.headers())?;
    let Some(on_upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(Refusal::bad_request(RefusalReason::Handshake, "this connection cannot become a WebSocket"));
    };
    if let Some(sid) = sid {
        let Some(session) = socketio.find(sid) else { return Ok(unknown()) };
        let Some(claim) = session.try_claim() else {
            // Opened and closed, as by the original: a client takes a refusal for something else.
            admission.clients.spawn(async move {
                let Ok(upgraded) = on_upgrade.await else { return };
                if let Some((stream, _)) = take_stream(upgraded) {
                    turn_away(&stream);
                }
            });
            return Ok(switching(&accept));
        };
        let held: socketio::Held = Box::new(source.line);
        let sessions = Arc::clone(&admission.sessions);
        admission.clients.spawn(claim.connection().scope(async move {
            let Ok(upgraded) = on_upgrade.await else { return };
            let Some((stream, early)) = take_stream(upgraded) else { return };
            claim.upgrade(stream, early, held, &sessions.limits).await;
        }));
    } else {
        let arrival = arrive(admission, source, request.headers(), false)?;
        let socketio = socketio.clone();
        admission.clients.spawn(arrival.connection.scope(async move {
            let Ok(upgraded) = on_upgrade.await else { return };
            let Some((stream, early)) = take_stream(upgraded) else { return };
            socketio.open(stream, early, arrival);
        }));
    }
    Ok(switching(&accept))
}

/// A place for a new session. A WebSocket's connection was counted when it was accepted, and goes with it; a polling session
/// outlives its connections, and counts as one of its address itself.
fn arrive(admission: &Admission, source: Source, headers: &HeaderMap, polls: bool) -> Result<Arrival, Refusal> {
    let Source { peer, line } = source;
    let address = admission.address(peer, headers);
    admission.may_connect(address)?;
    let place = admission.place(peer, address)?;
    let counted = if polls && address.ip() == peer.0 {
        admission.places.address(address).map_err(|_| busy(RefusalReason::TooManyFromAddress))?
    } else {
        None
    };
    let line = (!polls).then_some(line);
    let id = line.as_ref().map_or_else(ConnectionId::new, |line| line.id);
    let arrival = Arrival {
        connection: Connection { id, address },
        bearer: bearer(headers),
        held: Box::new((place, counted, line)),
        place: admission.newcomer(address)?,
    };
    admission.sessions.metrics.clients.shook_hands(ENDPOINT, HandshakeResult::Accepted);
    Ok(arrival)
}

/// The bearer token, if that is what `Authorization` holds. What cannot be read is no good token.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next()?, values.next()) {
        (value, None) => match value.to_str() {
            Ok(value) => bearer_token(value.trim_start()).map(str::to_owned),
            Err(_) => Some("not a token".to_owned()),
        },
        (_, Some(_)) => Some("not a token".to_owned()),
    }
}

fn packets(body: String) -> Response {
    answer::with_type(StatusCode::OK, "text/plain; charset=UTF-8", body)
}

fn unknown() -> Response {
    wrong(Wrong::Session, "Session ID unknown")
}

fn unsupported() -> Response {
    wrong(Wrong::Version, "Unsupported protocol version")
}

fn wrong(wrong: Wrong, message: &str) -> Response {
    answer::json(StatusCode::BAD_REQUEST, &json!({ "code": wrong as u8, "message": message }))
}
