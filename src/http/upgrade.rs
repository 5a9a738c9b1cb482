//! From a request for `/ws` to a client: the handshake, the token, the origin and a place.
//!
//! Done here and not by the router's own WebSocket support, which keeps 128 KiB for every idle client.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, Method, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::{debug, info};
use warp::reply::Response;

use super::accept::ConnectionPlace;
use super::hooks::bearer_token;
use super::pace::Paced;
use super::places::WebsocketPlace;
use super::refusal::Refusal;
use super::{Gate, Peer, forwarded};
use crate::auth::token::Identity;
use crate::client::{self, Admitted, Purpose};
use crate::telemetry::metrics::RefusalReason;

/// A request for `/ws` and what it came on.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) query: String,
    pub(super) peer: Peer,
    pub(super) connection: Arc<ConnectionPlace>,
    pub(super) on_upgrade: Option<OnUpgrade>,
}

/// Answers a handshake and, if it is granted, starts the client.
pub(super) fn upgrade(gate: &Arc<Gate>, handshake: Handshake) -> Response {
    let address = forwarded::client_address(handshake.peer.0, &handshake.headers, &gate.trusted_proxies);
    match admit(gate, &handshake, address) {
        Ok((accept, admitted, place)) => {
            let Some(on_upgrade) = handshake.on_upgrade else { return upgrade_required().into_response() };
            let held = (handshake.connection, place);
            let environment = Arc::clone(&gate.environment);
            let clients = gate.clients.clone();
            gate.clients.spawn(async move {
                let Ok(upgraded) = on_upgrade.await else { return };
                let Some((stream, early)) = take_stream(upgraded) else { return };
                // A fresh task: this one would keep the size of its largest branch for the life of the connection.
                clients.spawn(async move {
                    client::serve(stream, early, admitted, environment).await;
                    drop(held);
                });
            });
            switching(&accept)
        }
        Err(refusal) => {
            gate.environment.metrics.refuse(refusal.reason);
            if refusal.reason == RefusalReason::Token {
                // Its message is the reason, in words of our own, and never a part of the token.
                info!(%address, "{}", refusal.message());
            } else {
                debug!(%address, ?refusal, "upgrade refused");
            }
            refusal.into_response()
        }
    }
}

fn admit(gate: &Gate, handshake: &Handshake, address: IpAddr) -> Result<(String, Admitted, WebsocketPlace), Refusal> {
    let accept = check_handshake(&handshake.method, &handshake.headers)?;
    check_origin(gate, &handshake.headers)?;
    let token = token_of(&handshake.headers, &handshake.query)?;
    let identity = token.map(|token| verify(gate, &token)).transpose()?;
    if gate.is_stopping.load(Ordering::Relaxed) {
        return Err(Refusal::busy(RefusalReason::ShuttingDown, "shutting down"));
    }
    let busy = |reason| move || Refusal::busy(reason, "too many connections");
    let websocket = gate.places.websocket().ok_or_else(busy(RefusalReason::TooManyConnections))?;
    let from_address = if address == handshake.peer.0 {
        // Counted when it was accepted.
        None
    } else {
        gate.places.address(address).map_err(|_| busy(RefusalReason::TooManyFromAddress)())?
    };
    let unauthenticated = match identity {
        Some(_) => None,
        None => Some(gate.places.unauthenticated().ok_or_else(busy(RefusalReason::TooManyUnauthenticated))?),
    };
    let place = WebsocketPlace::new(websocket, from_address);
    let purpose = Purpose::Dashboard { identity, place: unauthenticated };
    Ok((accept, Admitted { purpose, since: None, address }, place))
}

/// The value of `Sec-WebSocket-Accept`, if the request is a handshake to the letter.
fn check_handshake(method: &Method, headers: &HeaderMap) -> Result<String, Refusal> {
    if method != Method::GET {
        return Err(bad_request("a WebSocket begins with GET"));
    }
    if !has_word(headers, &UPGRADE, "websocket") || !has_word(headers, &CONNECTION, "upgrade") {
        return Err(upgrade_required());
    }
    if sole(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(upgrade_required());
    }
    let key = sole(headers, &SEC_WEBSOCKET_KEY);
    match key.filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)) {
        Some(key) => Ok(derive_accept_key(key.as_bytes())),
        None => Err(bad_request("Sec-WebSocket-Key must be 16 bytes in base64")),
    }
}

fn check_origin(gate: &Gate, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let origin = match (origins.next(), origins.next()) {
        (None, _) => None,
        // Two origins, or one that is no text, are no origin that could be allowed.
        (Some(origin), None) => Some(origin.to_str().unwrap_or("?")),
        (Some(_), Some(_)) => Some("?"),
    };
    let host = sole(headers, &HOST);
    if gate.origins.may_connect(origin, host) {
        return Ok(());
    }
    let message = "this origin is not allowed to connect; see WS_ALLOWED_ORIGINS";
    Err(Refusal::new(StatusCode::FORBIDDEN, RefusalReason::Origin, "origin_not_allowed", message))
}

/// The token that a handshake carries, in the query or in a header.
fn token_of(headers: &HeaderMap, query: &str) -> Result<Option<String>, Refusal> {
    let from_query = token_in_query(query).map_err(bad_request)?;
    let mut headers = headers.get_all(AUTHORIZATION).iter();
    let from_header = match (headers.next(), headers.next()) {
        (None, _) => None,
        (Some(_), Some(_)) => return Err(unauthorized("Invalid JWT token: Authorization is given twice")),
        (Some(header), None) => {
            let header = header.to_str().map_err(|_| unauthorized("Invalid JWT token: it is malformed"))?;
            bearer_token(header.trim_start()).or_else(|| header.eq_ignore_ascii_case("bearer").then_some(""))
        }
    };
    match (from_query, from_header) {
        (Some(query), Some(header)) if query != header => {
            Err(unauthorized("Invalid JWT token: the query's and the header's differ"))
        }
        (Some(token), _) => Ok(Some(token)),
        (None, Some(token)) => Ok(Some(token.to_owned())),
        (None, None) => Ok(None),
    }
}

/// The `token` of a query in which nothing is given twice and nothing is hidden.
fn token_in_query(query: &str) -> Result<Option<String>, &'static str> {
    let mut names = Vec::new();
    let mut token = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if names.contains(&name) {
            return Err("a query parameter is given twice");
        }
        if name.chars().chain(value.chars()).any(char::is_control) {
            return Err("the query contains control characters");
        }
        if name == "token" {
            token = Some(value.into_owned());
        }
        names.push(name);
    }
    Ok(token)
}

fn verify(gate: &Gate, token: &str) -> Result<Identity, Refusal> {
    let environment = &gate.environment;
    environment.tokens.verify(token, environment.clock.now()).map_err(|refused| unauthorized(refused.to_string()))
}

/// The TCP stream beneath an upgraded connection, without hyper's buffer around it, and what that buffer held.
fn take_stream(upgraded: Upgraded) -> Option<(TcpStream, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<Paced<TcpStream>>>().ok()?;
    // A copy, for `read_buf` keeps the whole of the buffer alive, also when nothing is left in it.
    Some((parts.io.into_inner().into_inner(), parts.read_buf.to_vec()))
}

/// The only value of a header, as text.
fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        _ => None,
    }
}

fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case(word))
}

fn switching(accept: &str) -> Response {
    let mut response = Response::new(String::new().into());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

fn upgrade_required() -> Refusal {
    let message = "this is a WebSocket endpoint, version 13";
    Refusal::new(StatusCode::UPGRADE_REQUIRED, RefusalReason::Handshake, "upgrade_required", message)
}

fn bad_request(message: &'static str) -> Refusal {
    Refusal::bad_request(RefusalReason::Handshake, message)
}

fn unauthorized(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, RefusalReason::Token, "invalid_token", message)
}
