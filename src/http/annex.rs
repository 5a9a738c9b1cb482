//! What a program that embeds the server adds to its paths: an application of its own (the demo's customers have their
//! APIs there), an echo.
//!
//! Must not know what is asked there. Pulso's own paths come first.

use std::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use warp::reply::Response;

use super::hooks::call::{bearer_token, collect};
use super::refusal::Refusal;
use super::{Gate, answer};
use crate::telemetry::metrics::RefusalReason;

/// Nothing, unless that program says otherwise: no setting does.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    pub annex: Option<Annex>,
    /// `/echo`: a WebSocket that says back what it hears, through everything that a client's goes through.
    pub has_echo: bool,
}

/// An application that answers JSON.
#[derive(Clone)]
pub struct Annex {
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
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Annex {
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

impl fmt::Debug for Annex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Annex").finish_non_exhaustive()
    }
}

impl Call {
    /// The token of an `Authorization: Bearer …` header.
    pub fn bearer(&self) -> Option<&str> {
        self.headers.get(AUTHORIZATION)?.to_str().ok().and_then(bearer_token)
    }
}

pub(super) async fn call(
    gate: Arc<Gate>,
    annex: Annex,
    path: String,
    method: Method,
    headers: HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
) -> Response {
    let deadline = Instant::now() + gate.hooks.timeout;
    let body = timeout_at(deadline, collect(body, gate.hooks.max_body_bytes)).await.unwrap_or_else(|_| {
        let (status, reason) = (StatusCode::REQUEST_TIMEOUT, RefusalReason::HookBody);
        Err(Refusal::new(status, reason, "body_timeout", "the body did not arrive in time"))
    });
    match body {
        Ok(body) => {
            let Answer { status, body } = (annex.answer)(Call { method, path, headers, body }).await;
            answer::json(status, &body)
        }
        Err(refusal) => refusal.into_response(),
    }
}
