//! What a program that embeds the server adds to its paths: an application of its own (the demo's customers have their
//! APIs there), an echo.
//!
//! Must not know what is asked there. Pulso's own paths come first.

use std::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use warp::reply::Response;

use super::answer;
use super::hooks::Hooks;
use super::hooks::call::{collect, late, without_mark};

/// Nothing, unless that program says otherwise: no setting does.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    pub mount: Option<Mount>,
    /// `/echo`: a WebSocket that says back what it hears, through everything that a client's goes through.
    pub has_echo: bool,
}

/// An application that answers JSON, or leads elsewhere.
#[derive(Clone)]
pub struct Mount {
    owns: fn(&str) -> bool,
    answer: Arc<dyn Fn(Call) -> BoxFuture<'static, Answer> + Send + Sync>,
}

/// One request; its body is whole and within the bounds of a hook's.
#[derive(Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Debug)]
pub enum Answer {
    Json(StatusCode, Value),
    /// To an address of this server's, which nobody else is told.
    Elsewhere(HeaderValue),
}

impl Mount {
    /// Answers every request whose path it `owns`.
    pub fn new(
        owns: fn(&str) -> bool,
        answer: impl Fn(Call) -> BoxFuture<'static, Answer> + Send + Sync + 'static,
    ) -> Self {
        Self { owns, answer: Arc::new(answer) }
    }

    pub(super) fn owns(&self, path: &str) -> bool {
        (self.owns)(path)
    }
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount").finish_non_exhaustive()
    }
}

pub(super) async fn call(
    hooks: Arc<Hooks>,
    mount: Mount,
    path: String,
    method: Method,
    headers: HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
) -> Response {
    let deadline = Instant::now() + hooks.config.timeout;
    let body = timeout_at(deadline, collect(body, hooks.config.max_body_bytes)).await.unwrap_or_else(|_| Err(late()));
    match body {
        Ok(body) => {
            let body = without_mark(body);
            match (mount.answer)(Call { method, path, headers, body }).await {
                Answer::Json(status, body) => answer::json(status, &body),
                Answer::Elsewhere(location) => {
                    let mut response = Response::default();
                    *response.status_mut() = StatusCode::SEE_OTHER;
                    response.headers_mut().insert(LOCATION, location);
                    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                    response
                }
            }
        }
        Err(refusal) => refusal.into_response(),
    }
}
