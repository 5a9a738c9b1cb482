//! The HTTP requests of polling sessions, on their way to the library: stripped to what it looks at, and counted.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use socketioxide::socket::Sid;
use tower_service::Service;

use super::query::{self, Query};
use super::{Core, Library, MAX_PAYLOAD, Session};
use crate::close::CloseReason;

/// Stands between two packets of a body.
const SEPARATOR: u8 = 0x1e;
/// The packet by which a client closes its session.
const CLOSE: &str = "1";
/// How a packet with an event begins.
const EVENT: &[u8] = b"42";

/// Answers the requests of polling sessions. One that opens a session must carry it in its extensions.
#[derive(Clone, Debug)]
pub struct Polling(Arc<Core>);

impl Polling {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self(core)
    }
}

impl<B> Service<Request<B>> for Polling
where
    B: Body<Data = Bytes> + Debug + Send + Unpin + 'static,
    B::Error: Debug,
{
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let core = Arc::clone(&self.0);
        Box::pin(async move { Ok(answer(&core, request).await) })
    }
}

async fn answer<B>(core: &Core, request: Request<B>) -> Response<Bytes>
where
    B: Body<Data = Bytes> + Debug + Send + Unpin + 'static,
    B::Error: Debug,
{
    let (mut parts, body) = request.into_parts();
    let opens = parts.extensions.remove::<Arc<Session>>();
    let query = Query::read(parts.uri.query().unwrap_or_default());
    let session = match query.sid {
        Some(sid) => sid.parse().ok().and_then(|sid| core.polling(sid)),
        None => None,
    };
    let left = core.environment.limits.max_message_bytes;
    let is_get = parts.method == Method::GET;
    let mut slim = Request::new(Metered { body, left, session: session.clone() });
    (*slim.method_mut(), *slim.uri_mut()) = (parts.method, query.to_uri());
    if let Some(session) = &opens {
        slim.extensions_mut().insert(Arc::clone(session));
    }
    let mut answer = whole(core.library.clone().call(slim)).await;
    if let Some(session) = opens
        && answer.status() == StatusCode::OK
        && let Some(sid) = opened(answer.body())
    {
        session.set_sid(sid);
        announce_limit(&mut answer, left);
    }
    if let Some(session) = session {
        if is_get {
            session.on_fetched(packets(answer.body()).filter(|packet| packet.starts_with(EVENT)).count());
        }
        if session.why() == Some(CloseReason::TooManyMessages) {
            session.cut();
        }
    }
    answer
}

/// Tells the client how much it may send at once, which is not how much it may be sent.
fn announce_limit(answer: &mut Response<Bytes>, most: usize) {
    let body = String::from_utf8_lossy(answer.body());
    let body = body.replace(&format!("\"maxPayload\":{MAX_PAYLOAD}"), &format!("\"maxPayload\":{most}"));
    answer.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    *answer.body_mut() = body.into();
}

/// Closes a polling session as its client would.
pub(super) fn close(library: &Library, sid: Sid) -> impl Future<Output = ()> + Send + use<> {
    let mut request = Request::new(Metered { body: Full::from(CLOSE), left: CLOSE.len(), session: None });
    (*request.method_mut(), *request.uri_mut()) = (Method::POST, query::uri("polling", Some(sid)));
    let answer = library.clone().call(request);
    async move {
        // It may be over already, or a WebSocket by now.
        let _ = answer.await;
    }
}

/// The library's answers are in memory already.
async fn whole<B>(answer: impl Future<Output = Result<Response<B>, Infallible>>) -> Response<Bytes>
where
    B: Body<Data = Bytes>,
{
    let Ok(answer) = answer.await;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Response::from_parts(parts, body)
}

fn packets(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == SEPARATOR)
}

/// The id in the packet that opens a session.
fn opened(body: &[u8]) -> Option<Sid> {
    #[derive(Deserialize)]
    struct Open<'a> {
        sid: &'a str,
    }
    let open: Open<'_> = serde_json::from_slice(body.strip_prefix(b"0")?).ok()?;
    open.sid.parse().ok()
}

/// A body whose packets count as messages of its session, and that has an end.
#[derive(Debug)]
struct Metered<B> {
    body: B,
    /// Bytes that may still come.
    left: usize,
    session: Option<Arc<Session>>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Metered<B>
where
    B::Error: Debug,
{
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(|_| "the body broke off")?;
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.left = self.left.checked_sub(bytes).ok_or(CloseReason::TooBig.text())?;
            let count = frame.data_ref().map_or(0, |data| packets(data).count());
            match &self.session {
                Some(session) if !session.may_say(count) => Err(CloseReason::TooManyMessages.text()),
                _ => Ok(frame),
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
