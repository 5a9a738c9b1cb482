//! The shapes of Pulso's answers.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use serde::Serialize;
use warp::reply::Response;

use super::refusal::Refusal;

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Structs of strings and numbers always serialise.
    with_type(status, "application/json", serde_json::to_vec(body).unwrap_or_default())
}

pub(super) fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// The answer to a GET or HEAD, or a 405 that says so.
pub(super) fn on_get(method: &Method, answer: impl FnOnce() -> Response) -> Response {
    if method == Method::GET || method == Method::HEAD {
        answer()
    } else {
        Refusal::not_allowed("GET, HEAD").into_response()
    }
}
