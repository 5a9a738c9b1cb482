//! `GET /sse?channel=…`: server-sent events, for networks that break WebSockets. The same tokens, rights, ids and limits.
//!
//! A stream is refused by its HTTP status, which ends a browser's attempts; must not know what is sent on it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HeaderName,
    HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::mpsc;
use warp::Reply;
use warp::reply::Response;

use super::accept::ConnectionPlace;
use super::admission::{self, Endpoint};
use super::pace::Pace;
use super::query::Query;
use super::refusal::Refusal;
use super::{Gate, Peer};
use crate::auth::token::{Claims, Identity};
use crate::channel::Channel;
use crate::client::{self, Admitted, Purpose, kiosk_channel, staff_channels};
use crate::close::CloseReason;
use crate::config::Feed;
use crate::dialect::stats::ChannelName;
use crate::hub::history::Since;
use crate::negocio::NegocioId;
use crate::store::Ownership;
use crate::telemetry::metrics::RefusalReason;

/// Messages on their way from a stream's actor to its socket; all others wait in the mailbox.
const UNDER_WAY: usize = 1;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A request for a stream and what it came on.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) query: String,
    pub(super) peer: Peer,
    pub(super) connection: Arc<ConnectionPlace>,
    pub(super) pace: Arc<Pace>,
}

/// What a stream may be of.
enum Topic {
    /// `estadisticas:<negocio>`, `canal:<negocio>:<name>`.
    Named(ChannelName),
    /// `negocio:<negocio>`, or `negocio` alone where there is one business: the events of the point of sale.
    Sales(Option<String>),
    /// `staff_orders`.
    Staff,
    /// `device`, with `device_uid`.
    Kiosk,
}

pub(super) async fn stream(gate: Arc<Gate>, request: Request) -> Response {
    match open(&gate, request).await {
        Ok(response) => response,
        Err(refusal) => {
            gate.environment.metrics.refuse(refusal.reason);
            refusal.into_response()
        }
    }
}

async fn open(gate: &Arc<Gate>, request: Request) -> Result<Response, Refusal> {
    let Request { method, headers, query, peer, connection, pace } = request;
    if method != Method::GET {
        return Err(Refusal::not_allowed("GET"));
    }
    let query = Query::parse(&query).map_err(|message| Refusal::bad_request(RefusalReason::Handshake, message))?;
    let topic = Topic::parse(query.channel.as_deref()).ok_or_else(|| {
        let message = "channel must be estadisticas:…, canal:…:…, negocio:…, staff_orders or device (with device_uid)";
        Refusal::bad_request(RefusalReason::Channels, message)
    })?;
    let address = admission::address(gate, peer, &headers);
    if !gate.environment.feeds.has(topic.feed()) {
        return Err(Refusal::switched_off());
    }
    admission::approach(gate, topic.endpoint(), &headers, address)?;
    let since = match headers.get(LAST_EVENT_ID) {
        Some(id) => Some(Since::parse(id.to_str().unwrap_or("?"))),
        None => query.since,
    };
    let purpose = match topic {
        Topic::Kiosk => {
            let channel = kiosk_channel(query.device_uid.as_deref(), address, &gate.environment).await;
            Purpose::Listen { channels: vec![channel.map_err(kiosk_refused)?], issued_at: None, expires_at: None }
        }
        Topic::Staff => staff(gate, &claims(gate, &headers, &query)?)?,
        Topic::Sales(named) => sales(gate, &claims(gate, &headers, &query)?, named.as_deref())?,
        Topic::Named(name) => watch(gate, &claims(gate, &headers, &query)?, name).await?,
    };
    let place = admission::place(gate, peer, address)?;
    let (out, mut messages) = mpsc::channel::<Bytes>(UNDER_WAY);
    let environment = Arc::clone(&gate.environment);
    let patience = environment.limits.ping_interval + environment.limits.write_timeout;
    gate.clients.spawn(async move {
        client::stream(Admitted { purpose, since, address }, out, environment).await;
        drop((connection, place));
    });
    let body = poll_fn(move |cx| {
        // Asked for more, so what was given before is on its way: only a peer that takes nothing overruns.
        pace.on_stream(patience);
        messages.poll_recv(cx).map(|message| message.map(Ok::<_, std::convert::Infallible>))
    });
    let mut response = warp::reply::stream(body).into_response();
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold events back.
    answer.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    allow_origin(&headers, answer);
    Ok(response)
}

/// The origin has been checked: a page of another one may read what it was allowed to ask for.
fn allow_origin(request: &HeaderMap, answer: &mut HeaderMap) {
    if let Some(origin) = request.get(ORIGIN) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        answer.insert(VARY, HeaderValue::from_static("Origin"));
    }
}

fn claims(gate: &Gate, headers: &HeaderMap, query: &Query) -> Result<Claims, Refusal> {
    admission::claims(gate, headers, query)?.ok_or_else(|| admission::unauthorized("a token is needed"))
}

fn identity(claims: &Claims) -> Result<Identity, Refusal> {
    claims.identity().map_err(|refused| admission::unauthorized(refused.to_string()))
}

fn staff(gate: &Gate, claims: &Claims) -> Result<Purpose, Refusal> {
    let staff = claims.staff().ok_or_else(forbidden)?;
    let channels = staff_channels(&staff, &gate.environment);
    Ok(Purpose::Listen { channels, issued_at: staff.issued_at, expires_at: Some(staff.expires_at) })
}

fn sales(gate: &Gate, claims: &Claims, named: Option<&str>) -> Result<Purpose, Refusal> {
    let identity = identity(claims)?;
    let id_type = gate.environment.database.id_type();
    let parse = |named: &str| NegocioId::named(named, id_type);
    let wanted = named.map(|named| parse(named).ok_or_else(forbidden)).transpose()?;
    let is_own = match &wanted {
        None => gate.environment.single_business,
        Some(wanted) => {
            !gate.environment.single_business && identity.negocios.iter().any(|own| parse(own).as_ref() == Some(wanted))
        }
    };
    if !is_own {
        return Err(forbidden());
    }
    let channels = vec![Channel::User(identity.user), Channel::Negocio(wanted)];
    Ok(Purpose::Listen { channels, issued_at: identity.issued_at, expires_at: Some(identity.expires_at) })
}

async fn watch(gate: &Gate, claims: &Claims, name: ChannelName) -> Result<Purpose, Refusal> {
    let identity = identity(claims)?;
    let environment = &gate.environment;
    let (ChannelName::Estadisticas(spelling) | ChannelName::Canal { negocio: spelling, .. }) = &name;
    let id_type = environment.database.id_type().ok_or_else(Refusal::no_database)?;
    let negocio = id_type.parse(spelling).ok_or_else(forbidden)?;
    if !environment.access.is_granted_by_token(&identity, &negocio, id_type) {
        let asked = Ownership { negocio, user: identity.user.clone() };
        let owns = environment.access.owns(asked).await;
        if !owns.map_err(|_| Refusal::no_database())? {
            return Err(forbidden());
        }
    }
    Ok(Purpose::Watch { identity, name })
}

impl Topic {
    fn parse(channel: Option<&str>) -> Option<Self> {
        let channel = channel?;
        match channel {
            "staff_orders" => return Some(Self::Staff),
            "device" => return Some(Self::Kiosk),
            "negocio" => return Some(Self::Sales(None)),
            _ => {}
        }
        if let Some(negocio) = channel.strip_prefix("negocio:") {
            return (!negocio.is_empty()).then(|| Self::Sales(Some(negocio.to_owned())));
        }
        ChannelName::parse(channel).map(Self::Named)
    }

    fn feed(&self) -> Feed {
        match self {
            Self::Named(ChannelName::Estadisticas(_)) => Feed::Stats,
            Self::Named(ChannelName::Canal { .. }) => Feed::Channels,
            Self::Sales(_) => Feed::Pos,
            Self::Staff | Self::Kiosk => Feed::Clinic,
        }
    }

    fn endpoint(&self) -> Endpoint {
        match self {
            Self::Named(_) | Self::Sales(_) => Endpoint::Dashboard,
            Self::Staff => Endpoint::Staff,
            Self::Kiosk => Endpoint::Kiosk,
        }
    }
}

fn kiosk_refused(reason: CloseReason) -> Refusal {
    if reason == CloseReason::CannotCheck { Refusal::no_database() } else { forbidden() }
}

fn forbidden() -> Refusal {
    let message = "not allowed to listen to this channel";
    Refusal::new(StatusCode::FORBIDDEN, RefusalReason::Ownership, "forbidden", message)
}
