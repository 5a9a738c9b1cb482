//! What a page of another origin may read: the one CORS rule, for streams and for Socket.IO by polling.
//!
//! An allowed origin gets itself back, whatever the answer is; another gets nothing. Must not know what is answered.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method, StatusCode};
use warp::reply::Response;

use super::admission::Admission;

/// How long a browser may remember what a preflight said.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("3600");
/// What a refusal says that a page could not read otherwise.
const EXPOSED: HeaderValue = HeaderValue::from_static("Retry-After");

/// Asked by browsers before a public page may talk to a private network.
const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// The page that asks, if it is one that may connect.
#[derive(Debug)]
pub(super) struct Cors(Option<HeaderValue>);

impl Cors {
    pub(super) fn of(admission: &Admission, request: &HeaderMap) -> Self {
        let origin = request.get(ORIGIN).filter(|_| admission.check_origin(request).is_ok());
        Self(origin.cloned())
    }

    /// The same for longer than the request is there: a header's value keeps the whole buffer that it was read into.
    pub(super) fn apart(&self) -> Self {
        Self(self.0.as_ref().and_then(|origin| HeaderValue::from_bytes(origin.as_bytes()).ok()))
    }

    /// The answer to a browser that asks whether the page may ask; before anything else, so that the page can read why it
    /// is refused. `methods`: those of the path.
    pub(super) fn preflight(&self, method: &Method, request: &HeaderMap, methods: &'static str) -> Option<Response> {
        if method != Method::OPTIONS || self.0.is_none() {
            return None;
        }
        let mut response = Response::new(String::new().into());
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        for wanted in request.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.append(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        if let Some(asked) = request.get(REQUEST_PRIVATE_NETWORK) {
            headers.insert(ALLOW_PRIVATE_NETWORK, asked.clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
        Some(response)
    }

    /// Lets the page read the answer. Browsers ask nothing of the kind of a WebSocket.
    pub(super) fn allow(&self, response: &mut Response) {
        let is_page = response.status() != StatusCode::SWITCHING_PROTOCOLS;
        let Some(origin) = self.0.as_ref().filter(|_| is_page) else { return };
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        // Clients ask with credentials (a proxy's cookie, for instance), and then browsers take no `*`.
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
}
