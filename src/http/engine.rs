//! From a request below `/socket.io` to a Socket.IO session: its origin, CORS, a place, and the stream of a WebSocket.
//!
//! Must not know namespaces, nor what is said in them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use http::{HeaderMap, Method, Request};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tower_http::cors::{AllowOrigin, Cors, CorsLayer};
use tower_service::Service;
use tracing::debug;
use warp::reply::Response;

use super::accept::ConnectionPlace;
use super::admission::{busy, check_origin};
use super::hooks::call::bearer_token;
use super::pace::Pace;
use super::refusal::Refusal;
use super::upgrade::{check_handshake, switching, take_stream};
use super::{Gate, Peer, admission};
use crate::socketio::{Namespaces, Polling, Query, Session};
use crate::telemetry::metrics::RefusalReason;

/// How long a browser may remember what a preflight said.
const PREFLIGHT_AGE: Duration = Duration::from_hours(1);

/// The door to Socket.IO.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    gate: Arc<Gate>,
    /// `None` if no feed needs it.
    inner: Option<(Namespaces, Cors<Polling>)>,
}

impl Engine {
    pub(super) fn new(gate: &Arc<Gate>) -> Self {
        let inner = gate.namespaces.clone().map(|namespaces| {
            let polling = tower_layer::Layer::layer(&cors(gate), namespaces.polling());
            (namespaces, polling)
        });
        Self { gate: Arc::clone(gate), inner }
    }

    pub(super) async fn answer(self, request: Request<Incoming>, pace: Arc<Pace>) -> Result<Response, Infallible> {
        let gate = Arc::clone(&self.gate);
        Ok(self.try_answer(request, &pace).await.unwrap_or_else(|refusal| {
            gate.environment.metrics.refuse(refusal.reason);
            debug!(?refusal, "Socket.IO request refused");
            refusal.into_response()
        }))
    }

    async fn try_answer(self, mut request: Request<Incoming>, pace: &Pace) -> Result<Response, Refusal> {
        let Some((namespaces, mut polling)) = self.inner else { return Err(Refusal::switched_off()) };
        let gate = &self.gate;
        check_origin(gate, request.headers())?;
        let query = Query::read(request.uri().query().unwrap_or_default());
        let is_get = *request.method() == Method::GET;
        if is_get && query.version == Some("4") && query.transport == Some("websocket") {
            return upgrade(gate, &namespaces, &mut request);
        }
        if is_get && query.sid.is_none() {
            let session = begin(gate, &namespaces, &request, true)?;
            request.extensions_mut().insert(session);
        } else if is_get {
            pace.on_poll(gate.environment.limits.ping_interval);
        }
        let Ok(answer) = polling.call(request).await;
        let mut answer = answer.map(Bytes::into);
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(answer)
    }
}

/// Answers a WebSocket's handshake and, if it is granted, hands the stream over.
fn upgrade(gate: &Arc<Gate>, namespaces: &Namespaces, request: &mut Request<Incoming>) -> Result<Response, Refusal> {
    let accept = check_handshake(request.method(), request.headers())?;
    let Some(on_upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(Refusal::bad_request(RefusalReason::Handshake, "this connection cannot become a WebSocket"));
    };
    let session = match Query::read(request.uri().query().unwrap_or_default()).sid {
        Some(sid) => namespaces
            .try_upgrade(sid)
            .ok_or_else(|| Refusal::bad_request(RefusalReason::Handshake, "unknown session, or a WebSocket already"))?,
        None => begin(gate, namespaces, request, false)?,
    };
    let connection = request.extensions_mut().remove::<Arc<ConnectionPlace>>();
    let namespaces = namespaces.clone();
    gate.clients.spawn(async move {
        let Ok(upgraded) = on_upgrade.await else { return };
        let Some((stream, early)) = take_stream(upgraded) else { return };
        namespaces.websocket(stream, early, &session, connection);
    });
    Ok(switching(&accept))
}

/// A place for a new session. A WebSocket's connection was counted when it was accepted; a polling session outlives its
/// connections, and counts as one of its address itself.
fn begin(
    gate: &Gate,
    namespaces: &Namespaces,
    request: &Request<Incoming>,
    is_polling: bool,
) -> Result<Arc<Session>, Refusal> {
    let peer = *request.extensions().get::<Peer>().ok_or_else(Refusal::not_found)?;
    let address = admission::address(gate, peer, request.headers());
    let place = admission::place(gate, peer, address)?;
    let counted = if is_polling && address == peer.0 {
        gate.places.address(address).map_err(|_| busy(RefusalReason::TooManyFromAddress))?
    } else {
        None
    };
    let unauthenticated = gate.places.unauthenticated().ok_or_else(|| busy(RefusalReason::TooManyUnauthenticated))?;
    Ok(namespaces.begin(address, bearer(request.headers()), Box::new((place, counted)), unauthenticated))
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

/// Pages of other origins may read the answers if they may connect at all.
fn cors(gate: &Arc<Gate>) -> CorsLayer {
    let gate = Arc::clone(gate);
    let may_connect = move |origin: &HeaderValue, request: &http::request::Parts| {
        let host = request.headers.get(HOST).and_then(|host| host.to_str().ok());
        origin.to_str().is_ok_and(|origin| gate.origins.may_connect(Some(origin), host))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(may_connect))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .max_age(PREFLIGHT_AGE)
}
