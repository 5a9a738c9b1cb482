//! From a request to a WebSocket client: the handshake to the letter, and the stream beneath it.
//!
//! Done here and not by the router's own WebSocket support, which keeps 128 KiB for every idle client.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, Method, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::{debug, info};
use warp::reply::Response;

use super::Peer;
use super::accept::ConnectionPlace;
use super::admission::{Admission, Endpoint, sole};
use super::paced::Paced;
use super::refusal::Refusal;
use crate::model::ErrorWord;
use crate::telemetry::log::connection::Connection;
use crate::telemetry::metrics::RefusalReason;
use crate::transport::websocket;

/// A request for a WebSocket and what it came on.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) endpoint: Endpoint,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) query: String,
    pub(super) peer: Peer,
    pub(super) connection: Arc<ConnectionPlace>,
    pub(super) on_upgrade: Option<OnUpgrade>,
}

/// Answers a handshake and, if it is granted, starts the client.
pub(super) fn upgrade(admission: &Arc<Admission>, handshake: Handshake) -> Response {
    let address = admission.address(handshake.peer, &handshake.headers);
    let connection = Connection { id: handshake.connection.id, address };
    connection.during(|| answer(admission, handshake, connection))
}

fn answer(admission: &Arc<Admission>, handshake: Handshake, connection: Connection) -> Response {
    let Handshake { endpoint, method, headers, query, peer, connection: place, on_upgrade } = handshake;
    let (address, endpoint) = (connection.address, endpoint.asked_by(&query));
    let admitted = check_handshake(&method, &headers).and_then(|accept| {
        admission.approach(endpoint, &headers, address)?;
        let (admitted, wording, websocket_place) = admission.admit(endpoint, &headers, &query, peer, address)?;
        Ok((accept, admitted, wording, websocket_place))
    });
    let refused = admitted.as_ref().err().map(|refusal| refusal.reason);
    admission.sessions.metrics.clients.shook_hands(endpoint.path(), refused.into());
    match admitted {
        Ok((accept, admitted, wording, websocket_place)) => {
            let Some(on_upgrade) = on_upgrade else { return upgrade_required().into_response() };
            let held = (place, websocket_place);
            let context = Arc::clone(&admission.sessions);
            let clients = admission.clients.clone();
            admission.clients.spawn(connection.scope(async move {
                let Ok(upgraded) = on_upgrade.await else { return };
                let Some((stream, early)) = take_stream(upgraded) else { return };
                let Some(client) = websocket::enter(stream, early, connection, admitted, wording, context).await else {
                    return;
                };
                // A fresh task: this one would keep the size of its largest branch for the life of the connection.
                clients.spawn(client.serve(held));
            }));
            switching(&accept)
        }
        Err(refusal) => {
            admission.sessions.metrics.refuse(refusal.reason);
            if refusal.reason == RefusalReason::Token {
                // Its message is the reason, in words of our own, and never a part of the token.
                info!("{}", refusal.message());
            } else {
                debug!(?refusal, "upgrade refused");
            }
            refusal.into_response()
        }
    }
}

/// The value of `Sec-WebSocket-Accept`, if the request is a handshake to the letter.
pub(super) fn check_handshake(method: &Method, headers: &HeaderMap) -> Result<String, Refusal> {
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

/// The TCP stream beneath an upgraded connection, without hyper's buffer around it, and what that buffer held.
pub(super) fn take_stream(upgraded: Upgraded) -> Option<(TcpStream, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<Paced<TcpStream>>>().ok()?;
    let (stream, behind) = parts.io.into_inner().into_parts();
    // A copy, for `read_buf` keeps the whole of the buffer alive, also when nothing is left in it.
    Some((stream, [parts.read_buf, behind].concat()))
}

pub(super) fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case(word))
}

pub(super) fn switching(accept: &str) -> Response {
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
    Refusal::new(RefusalReason::Handshake, ErrorWord::UpgradeRequired, message)
}

fn bad_request(message: &'static str) -> Refusal {
    Refusal::bad_request(RefusalReason::Handshake, message)
}
