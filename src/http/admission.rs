//! Who may come in, and for what: origin, token, places.
//!
//! Must not know how the connection goes on.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

use http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use http::{HeaderMap, StatusCode};

use super::hooks::call::bearer_token;
use super::places::WebsocketPlace;
use super::query::Query;
use super::refusal::Refusal;
use super::{Gate, Peer, forwarded};
use crate::auth::token::Claims;
use crate::client::{Admitted, Purpose};
use crate::close::CloseReason;
use crate::config::Feed;
use crate::telemetry::metrics::RefusalReason;

/// Where clients connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `/ws`.
    Dashboard,
    /// `/ws/staff/orders/`.
    Staff,
    /// `/ws/kiosk/orders/`.
    Kiosk,
    /// `/echo`, for who embeds the server and asks for it.
    Echo,
}

impl Endpoint {
    fn feeds(self) -> &'static [Feed] {
        match self {
            Self::Dashboard => &[Feed::Stats, Feed::Pos, Feed::Channels],
            Self::Staff | Self::Kiosk => &[Feed::Clinic],
            Self::Echo => &Feed::ALL,
        }
    }

    fn has_tokens(self) -> bool {
        matches!(self, Self::Dashboard | Self::Staff)
    }
}

/// Whether the endpoint is there at all for a page of this origin, from this address.
pub(super) fn approach(gate: &Gate, endpoint: Endpoint, headers: &HeaderMap, address: IpAddr) -> Result<(), Refusal> {
    let environment = &gate.environment;
    if !environment.feeds.has_any(endpoint.feeds()) {
        return Err(Refusal::switched_off());
    }
    check_origin(gate, headers)?;
    if endpoint.has_tokens() && !environment.tokens.is_configured() {
        return Err(Refusal::not_configured("JWT_SECRET"));
    }
    if endpoint == Endpoint::Kiosk && environment.bad_devices.are_too_many(address) {
        let message = "too many unknown devices from this address; wait a minute";
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, RefusalReason::Device, "too_many_devices", message));
    }
    Ok(())
}

/// What the connection is for, and the places that it takes.
pub(super) fn admit(
    gate: &Gate,
    endpoint: Endpoint,
    headers: &HeaderMap,
    query: &str,
    peer: Peer,
    address: IpAddr,
) -> Result<(Admitted, WebsocketPlace), Refusal> {
    let query = Query::parse(query).map_err(|message| Refusal::bad_request(RefusalReason::Handshake, message))?;
    let since = query.since;
    let purpose = match endpoint {
        Endpoint::Dashboard => {
            let claims = claims(gate, headers, &query)?;
            let identity = claims.map(|claims| claims.identity()).transpose();
            Purpose::Dashboard { identity: identity.map_err(|refused| unauthorized(refused.to_string()))?, place: None }
        }
        // Refused by a close code, which a browser can read.
        Endpoint::Staff => Purpose::Staff(if let Ok(Some(claims)) = claims(gate, headers, &query) {
            claims.staff().ok_or(CloseReason::NotStaff)
        } else {
            gate.environment.metrics.refuse(RefusalReason::Token);
            Err(CloseReason::TokenRefused)
        }),
        Endpoint::Kiosk => Purpose::Kiosk(query.device_uid),
        Endpoint::Echo => Purpose::Echo,
    };
    let place = place(gate, peer, address)?;
    let purpose = match purpose {
        Purpose::Dashboard { identity: None, .. } => {
            let place = gate.places.unauthenticated().ok_or_else(|| busy(RefusalReason::TooManyUnauthenticated))?;
            Purpose::Dashboard { identity: None, place: Some(place) }
        }
        purpose => purpose,
    };
    Ok((Admitted { purpose, since, address }, place))
}

/// A place for one more connection that stays.
pub(super) fn place(gate: &Gate, peer: Peer, address: IpAddr) -> Result<WebsocketPlace, Refusal> {
    if gate.is_stopping.load(Ordering::Relaxed) {
        return Err(Refusal::busy(RefusalReason::ShuttingDown, "shutting down"));
    }
    let websocket = gate.places.websocket().ok_or_else(|| busy(RefusalReason::TooManyConnections))?;
    let from_address = if address == peer.0 {
        // Counted when it was accepted.
        None
    } else {
        gate.places.address(address).map_err(|_| busy(RefusalReason::TooManyFromAddress))?
    };
    Ok(WebsocketPlace::new(websocket, from_address))
}

/// Whose connection it is.
pub(super) fn address(gate: &Gate, peer: Peer, headers: &HeaderMap) -> IpAddr {
    forwarded::client_address(peer.0, headers, &gate.trusted_proxies)
}

pub(super) fn check_origin(gate: &Gate, headers: &HeaderMap) -> Result<(), Refusal> {
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

/// What the token claims that a handshake carries, in the query or in a header; `None` without a token.
pub(super) fn claims(gate: &Gate, headers: &HeaderMap, query: &Query) -> Result<Option<Claims>, Refusal> {
    let environment = &gate.environment;
    let Some(token) = token(headers, query.token.as_deref())? else { return Ok(None) };
    let claims = environment.tokens.claims(token, environment.clock.now());
    claims.map(Some).map_err(|refused| unauthorized(refused.to_string()))
}

fn token<'a>(headers: &'a HeaderMap, from_query: Option<&'a str>) -> Result<Option<&'a str>, Refusal> {
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
        (from_query, from_header) => Ok(from_query.or(from_header)),
    }
}

/// The only value of a header, as text.
pub(super) fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        _ => None,
    }
}

pub(super) fn busy(reason: RefusalReason) -> Refusal {
    Refusal::busy(reason, "too many connections")
}

pub(super) fn unauthorized(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, RefusalReason::Token, "invalid_token", message)
}
