//! `/sync/pull-changes`: a restaurant's back end confirms what it has, and gets what is left.
//!
//! Must not know where changes are kept.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode};
use tokio::time::{Instant, timeout_at};
use tracing::error;
use warp::reply::Response;

use super::hooks::call::{bad, carries_key, json_body};
use super::hooks::sync::unavailable;
use super::refusal::Refusal;
use super::{Gate, answer};
use crate::config::Feed;
use crate::dialect::sync;
use crate::negocio::Tenant;
use crate::store::StoreError;
use crate::telemetry::metrics::RefusalReason;

pub(super) async fn pull(
    gate: Arc<Gate>,
    method: Method,
    headers: HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
) -> Response {
    match changes(&gate, &method, &headers, body).await {
        Ok(changes) => answer::with_type(StatusCode::OK, "application/json", changes),
        Err(refusal) => {
            gate.environment.metrics.refuse(refusal.reason);
            refusal.into_response()
        }
    }
}

async fn changes(
    gate: &Gate,
    method: &Method,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
) -> Result<String, Refusal> {
    let deadline = Instant::now() + gate.hooks.timeout;
    if !gate.environment.feeds.has(Feed::Sync) {
        return Err(Refusal::switched_off());
    }
    if method != Method::GET && method != Method::POST {
        return Err(Refusal::not_allowed("GET, POST"));
    }
    if gate.sync.keys.is_empty() {
        return Err(Refusal::not_configured("CLOUD_API_KEY"));
    }
    let tenant = tenant(gate, headers)?;
    let Some(_place) = gate.places.hook() else {
        return Err(Refusal::busy(RefusalReason::TooManyHooks, "too many calls at once"));
    };
    let body = if method == Method::POST && has_body(headers) {
        json_body(headers, body, gate.sync.max_body_bytes, deadline).await?
    } else {
        Bytes::new()
    };
    let confirmed = sync::decode_confirmations(&body).map_err(|why| bad(why.to_string()))?;
    let database = &gate.environment.database;
    let pulled = database.pull(tenant.as_str(), &confirmed, None, gate.sync.pull_limit);
    let pulled = timeout_at(deadline, pulled).await;
    match pulled.unwrap_or_else(|_| Err(StoreError::TimedOut("no time left".to_owned()))) {
        Ok(pending) => sync::encode_pull(&pending).map_err(|bad| {
            error!(%bad, "a stored change cannot be handed out");
            Refusal::no_database()
        }),
        Err(failure) => Err(unavailable(gate, &failure).await),
    }
}

/// Whose key the call carries. Every key is compared, so that the time taken tells nothing.
fn tenant(gate: &Gate, headers: &HeaderMap) -> Result<Tenant, Refusal> {
    let matching = gate.sync.keys.iter().filter(|(_, key)| carries_key(headers, key));
    let found = matching.fold(None, |_, (tenant, _)| Some(tenant.clone()));
    found.ok_or_else(|| {
        let message = "send the key as Authorization: Bearer … or X-API-Key";
        Refusal::new(StatusCode::UNAUTHORIZED, RefusalReason::HookKey, "unauthorized", message)
    })
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}
