//! `GET /sse?channel=…`: server-sent events, for networks that break WebSockets. The same tokens, rights, ids and limits.
//!
//! A stream is refused by its HTTP status, which ends a browser's attempts; must not know what is sent on it.

mod several;

use std::sync::Arc;
use std::task::Poll;

use futures_util::stream::poll_fn;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use warp::Reply;
use warp::reply::Response;

use super::Peer;
use super::accept::ConnectionPlace;
use super::admission::{Admission, Endpoint, position};
use super::cors::Cors;
use super::pace::Pace;
use super::query::Query;
use super::refusal::Refusal;
use crate::access::grant::Denial;
use crate::address::Address;
use crate::config::Feed;
use crate::feeds;
use crate::model::Wording;
use crate::session::{Admitted, Purpose};
use crate::telemetry::log::connection::Connection;
use crate::telemetry::metrics::RefusalReason;
use crate::transport::sse;

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

pub(super) async fn stream(admission: Arc<Admission>, request: Request) -> Response {
    let cors = Cors::of(&admission, &request.headers);
    let mut response = if let Some(preflight) = cors.preflight(&request.method, &request.headers, "GET") {
        preflight
    } else {
        let (opened, metrics) = (open(&admission, request).await, &admission.sessions.metrics);
        metrics.clients.shook_hands("/sse", opened.as_ref().err().map(|refusal| refusal.reason).into());
        opened.unwrap_or_else(|refusal| {
            metrics.refuse(refusal.reason);
            refusal.into_response()
        })
    };
    cors.allow(&mut response);
    response
}

async fn open(admission: &Arc<Admission>, request: Request) -> Result<Response, Refusal> {
    let Request { method, headers, query, peer, connection, pace } = request;
    if method != Method::GET {
        admission.check_origin(&headers)?;
        return Err(Refusal::not_allowed("GET"));
    }
    let query = Query::parse(&query).map_err(|message| Refusal::bad_request(RefusalReason::Handshake, message))?;
    let (since, wording) = (position(&headers, &query), query.wording);
    let address = admission.address(peer, &headers);
    let (purpose, feed) = match wording {
        Wording::First => one(admission, &headers, query, address).await?,
        Wording::Second => several::purpose(admission, &headers, &query, address).await?,
    };
    let place = admission.place(peer, address)?;
    let (out, messages) = sse::handover();
    let context = Arc::clone(&admission.sessions);
    let patience = context.limits.ping_interval + context.limits.write_timeout;
    let line = Connection { id: connection.id, address };
    let admitted = Admitted { purpose, since, feed };
    admission.clients.spawn(async move {
        // Boxed, for a task is as large as its largest branch for all of its life.
        let entered = Box::pin(line.scope(sse::enter(out, line, admitted, wording, context))).await;
        if let Some(stream) = entered {
            stream.serve((connection, place)).await;
        }
    });
    pace.on_stream(patience);
    let body = poll_fn(move |cx| {
        // Asked for more, so what was given before is on its way: only a peer that takes nothing overruns.
        pace.on_stream(patience);
        let message = messages.poll_next(cx);
        if let Poll::Ready(None) = message {
            pace.on_stream_end();
        }
        message.map(|message| message.map(Ok::<_, std::convert::Infallible>))
    });
    let mut response = warp::reply::stream(body).into_response();
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold events back.
    answer.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// What a stream of one channel is for, and whose that is.
async fn one(
    admission: &Admission,
    headers: &HeaderMap,
    query: Query,
    address: Address,
) -> Result<(Purpose, Option<Feed>), Refusal> {
    let stream = query.channel.as_deref().and_then(feeds::stream);
    let (feed, stream) = stream.ok_or_else(|| admission.denied(Denial::NoSuchChannel))?;
    admission.approach(Endpoint::Own(feed, &stream.listening), headers, address)?;
    let grant = admission.grant(&stream.listening, headers, query, address).await;
    Ok((Purpose::Stream(grant.map_err(|denial| admission.denied(denial))?), Some(feed)))
}
