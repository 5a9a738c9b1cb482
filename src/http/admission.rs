//! Who may come in, and for what: origin, token, places. Who may hear what is said by the feeds.
//!
//! Must not know how the connection goes on.

use std::ptr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};

use super::Peer;
use super::departure::Departure;
use super::hooks::call::bearer_token;
use super::places::{Places, WebsocketPlace};
use super::proxies::Proxies;
use super::query::Query;
use super::refusal::Refusal;
use super::routes::without_slash;
use tokio_util::task::TaskTracker;

use crate::access::grant::Denial;
use crate::access::origin::OriginPolicy;
use crate::access::token::{Claims, TokenError, bare};
use crate::address::Address;
use crate::config::Feed;
use crate::feeds;
use crate::feeds::definition::DASHBOARDS;
use crate::feeds::listening::{Granting, Guest, Listening};
use crate::hub::history::Since;
use crate::model::{ErrorWord, Wording};
use crate::newcomers::{NewcomerPlace, NoPlaces};
use crate::session::SessionContext;
use crate::session::{Admitted, Purpose, granted};
use crate::telemetry::metrics::RefusalReason;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Where clients connect.
#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint {
    /// What several feeds share.
    Dashboard,
    /// The same in the second version, for more of them.
    NamedDashboard,
    /// A feed's own.
    Own(Feed, &'static Listening),
    /// `/echo`, for who embeds the server and asks for it.
    Echo,
}

impl Endpoint {
    /// The WebSocket at this path.
    pub(super) fn at(path: &str, has_echo: bool) -> Option<Self> {
        match without_slash(path) {
            DASHBOARDS => Some(Self::Dashboard),
            "/echo" if has_echo => Some(Self::Echo),
            path => feeds::socket(path).map(|(feed, socket)| Self::Own(feed, &socket.listening)),
        }
    }

    /// As the query asks for it.
    pub(super) fn asked_by(self, query: &str) -> Self {
        match self {
            Self::Dashboard if Query::parse(query).is_ok_and(|query| query.wording == Wording::Second) => {
                Self::NamedDashboard
            }
            endpoint => endpoint,
        }
    }
}

impl Endpoint {
    /// Whose it is, if that is one feed.
    fn feed(self) -> Option<Feed> {
        match self {
            Self::Own(feed, _) => Some(feed),
            Self::Dashboard | Self::NamedDashboard | Self::Echo => None,
        }
    }

    /// The path of the WebSocket, as it is counted.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Dashboard | Self::NamedDashboard => DASHBOARDS,
            Self::Own(feed, listening) => {
                let mut sockets = feed.definition().sockets.iter();
                sockets.find(|socket| ptr::eq(&raw const socket.listening, listening)).map_or("", |socket| socket.path)
            }
            Self::Echo => "/echo",
        }
    }
}

/// Who decides it.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) sessions: Arc<SessionContext>,
    pub(super) origins: OriginPolicy,
    pub(super) proxies: Proxies,
    pub(super) places: Arc<Places>,
    pub(super) departure: Arc<Departure>,
    /// The tasks of all clients.
    pub(super) clients: TaskTracker,
}

impl Admission {
    /// Whether the endpoint is there at all for a page of this origin, from this address.
    pub(super) fn approach(&self, endpoint: Endpoint, headers: &HeaderMap, address: Address) -> Result<(), Refusal> {
        let context = &self.sessions;
        let (is_on, needs_token) = match endpoint {
            Endpoint::Dashboard => (context.feeds.any(|feed| feed.is_on_dashboards), true),
            Endpoint::NamedDashboard => (context.feeds.any(|feed| feed.is_named_on_dashboards), true),
            Endpoint::Own(feed, listening) => (context.feeds.has(feed), listening.needs_token),
            Endpoint::Echo => (true, false),
        };
        if !is_on {
            return Err(self.denied(Denial::SwitchedOff));
        }
        self.check_origin(headers)?;
        self.may_connect(address)?;
        if needs_token && !context.tokens.is_configured() {
            return Err(self.denied(Denial::NoSecret));
        }
        if let Endpoint::Own(_, listening) = endpoint
            && let Some(denial) = (listening.barred)(context, address)
        {
            return Err(self.denied(denial));
        }
        Ok(())
    }

    /// What the connection is for, and the places that it takes.
    pub(super) fn admit(
        &self,
        endpoint: Endpoint,
        headers: &HeaderMap,
        query: &str,
        peer: Peer,
        address: Address,
    ) -> Result<(Admitted, Wording, WebsocketPlace), Refusal> {
        let query = Query::parse(query).map_err(|message| Refusal::bad_request(RefusalReason::Handshake, message))?;
        let (since, wording) = (position(headers, &query), query.wording);
        let context = &self.sessions;
        let purpose = match endpoint {
            Endpoint::Dashboard | Endpoint::NamedDashboard => {
                let granted = self
                    .claims(headers, &query)
                    .and_then(|claims| claims.map(|claims| granted(&claims, wording, context)).transpose());
                match granted.map_err(|denial| self.denied(denial))? {
                    Some(grant) => Purpose::Listen(Ok(grant)),
                    None => Purpose::Newcomer(None),
                }
            }
            // Refused by a close code, which a browser can read.
            Endpoint::Own(_, listening) => Purpose::Ask(self.grant(listening, headers, query, address)),
            Endpoint::Echo => Purpose::Echo,
        };
        let place = self.place(peer, address)?;
        let purpose = match purpose {
            Purpose::Newcomer(None) => Purpose::Newcomer(Some(self.newcomer(address)?)),
            purpose => purpose,
        };
        Ok((Admitted { purpose, since, feed: endpoint.feed() }, wording, place))
    }

    /// What somebody is granted who comes like this.
    pub(super) fn grant(&self, listening: &Listening, headers: &HeaderMap, query: Query, address: Address) -> Granting {
        let claims = if listening.needs_token { self.claims(headers, &query) } else { Ok(None) };
        let Query { device_uid, channel, .. } = query;
        (listening.grant)(Guest { claims, device_uid, channel, address, context: Arc::clone(&self.sessions) })
    }

    pub(super) fn denied(&self, denial: Denial) -> Refusal {
        Refusal::denied(denial, self.sessions.database.is_down())
    }

    /// A place for one more connection that stays.
    pub(super) fn place(&self, peer: Peer, address: Address) -> Result<WebsocketPlace, Refusal> {
        if self.departure.is_under_way() {
            return Err(Refusal::shutting_down());
        }
        let websocket = self.places.websocket().ok_or_else(|| busy(RefusalReason::TooManyConnections))?;
        let from_address = if address.ip() == peer.0 {
            // Counted when it was accepted.
            None
        } else {
            self.places.address(address).map_err(|_| busy(RefusalReason::TooManyFromAddress))?
        };
        Ok(WebsocketPlace::new(websocket, from_address))
    }

    /// Whether the address may begin one more client now.
    pub(super) fn may_connect(&self, address: Address) -> Result<(), Refusal> {
        if self.places.connects.take(address) {
            return Ok(());
        }
        let message = "too many connections begun by this address; wait a little";
        Err(Refusal::new(RefusalReason::TooManyConnects, ErrorWord::TooManyConnects, message))
    }

    /// A place for one more whom nobody knows yet. Another goes for it if need be.
    pub(super) fn newcomer(&self, address: Address) -> Result<NewcomerPlace, Refusal> {
        let busy = || busy(RefusalReason::TooManyUnauthenticated);
        let (place, has_pushed) = self.places.newcomer(address).map_err(|NoPlaces| busy())?;
        if has_pushed {
            self.sessions.metrics.refuse(RefusalReason::TooManyUnauthenticated);
        }
        Ok(place)
    }

    /// Whose connection it is.
    pub(super) fn address(&self, peer: Peer, headers: &HeaderMap) -> Address {
        self.proxies.client(peer.0, headers, &self.sessions.metrics)
    }

    pub(super) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin = match (origins.next(), origins.next()) {
            (None, _) => None,
            // Two origins, or one that is no text, are no origin that could be allowed.
            (Some(origin), None) => Some(origin.to_str().unwrap_or("?")),
            (Some(_), Some(_)) => Some("?"),
        };
        let host = sole(headers, &HOST);
        if self.origins.may_connect(origin, host) {
            return Ok(());
        }
        let message = "this origin is not allowed to connect; see WS_ALLOWED_ORIGINS";
        Err(Refusal::new(RefusalReason::Origin, ErrorWord::OriginNotAllowed, message))
    }

    /// What the token claims that a handshake carries, in the query or in a header; `None` without a token.
    pub(super) fn claims(&self, headers: &HeaderMap, query: &Query) -> Result<Option<Claims>, Denial> {
        let context = &self.sessions;
        let Some(token) = token(headers, query.token.as_deref())? else { return Ok(None) };
        Ok(Some(context.tokens.claims(token, context.clock.now())?))
    }
}

/// From where a client goes on. The header goes before `lastEventId` and that before `since`, for a page's address is older
/// than what it has heard; an empty one has heard nothing yet.
pub(super) fn position(headers: &HeaderMap, query: &Query) -> Option<Since> {
    let mut lines = headers.get_all(LAST_EVENT_ID).iter();
    let header = match (lines.next(), lines.next()) {
        (None, _) => None,
        (Some(id), None) => Some(id.to_str().map_or(Since::Unknown, |id| Since::parse(id.trim()))),
        (Some(_), Some(_)) => Some(Since::Unknown),
    };
    let given = [header, query.last_event_id, query.since].into_iter().flatten();
    given.clone().find(|since| *since != Since::Now).or_else(|| given.clone().next())
}

fn token<'a>(headers: &'a HeaderMap, from_query: Option<&'a str>) -> Result<Option<&'a str>, TokenError> {
    let mut headers = headers.get_all(AUTHORIZATION).iter();
    let from_header = match (headers.next(), headers.next()) {
        (None, _) => None,
        (Some(_), Some(_)) => return Err(TokenError::GivenTwice),
        (Some(header), None) => {
            let header = header.to_str().map_err(|_| TokenError::Malformed)?;
            bearer_token(header.trim_start()).or_else(|| header.eq_ignore_ascii_case("bearer").then_some(""))
        }
    };
    match (from_query, from_header) {
        (Some(query), Some(header)) if bare(query) != bare(header) => Err(TokenError::Differs),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_heard_last_goes_before_what_its_address_says() {
        for (headers, query, wanted) in [
            (&[][..], "", None),
            (&[], "since=", Some(Since::Now)),
            (&[], "since=5", Some(Since::After(5))),
            (&[], "lastEventId=7", Some(Since::After(7))),
            (&[], "since=5&lastEventId=7", Some(Since::After(7))),
            (&["9"], "since=5&lastEventId=7", Some(Since::After(9))),
            (&["9"], "", Some(Since::After(9))),
            (&["  9  "], "", Some(Since::After(9))),
            (&["x"], "since=5", Some(Since::Unknown)),
            (&[], "since=5&lastEventId=x", Some(Since::Unknown)),
            // Nothing heard yet.
            (&[""], "", Some(Since::Now)),
            (&[""], "since=5", Some(Since::After(5))),
            (&[], "lastEventId=&since=5", Some(Since::After(5))),
            (&[], "lastEventId=", Some(Since::Now)),
            (&[], "lasteventid=7", None),
            // Which of the two?
            (&["9", "8"], "since=5", Some(Since::Unknown)),
            (&["9, 8"], "since=5", Some(Since::Unknown)),
        ] {
            let mut map = HeaderMap::new();
            for value in headers {
                map.append(LAST_EVENT_ID, value.parse().unwrap());
            }
            assert_eq!(position(&map, &Query::parse(query).unwrap()), wanted, "{headers:?} {query}");
        }
        let mut map = HeaderMap::new();
        map.insert(LAST_EVENT_ID, http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(position(&map, &Query::default()), Some(Since::Unknown));
    }
}
