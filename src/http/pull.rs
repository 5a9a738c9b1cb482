//! `/sync/pull-changes`: a restaurant's back end confirms what it has, and gets what is left.
//!
//! The call's form only; must not know what a pull does.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode};
use tokio::time::Instant;
use warp::reply::Response;

use super::hooks::call::{Arriving, carries_key, json_body};
use super::hooks::{Hooks, check_staying, place};
use super::places::Caller;
use super::refusal::Refusal;
use super::{Peer, answer};
use crate::config::Feed;
use crate::feeds::sync;

pub(super) async fn pull(
    hooks: Arc<Hooks>,
    method: Method,
    headers: HeaderMap,
    peer: Peer,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
) -> Response {
    match changes(&hooks, &method, &headers, peer, body).await {
        Ok(changes) => answer::with_type(StatusCode::OK, "application/json", changes),
        Err(refusal) => {
            hooks.admission.sessions.metrics.refuse(refusal.reason);
            refusal.into_response()
        }
    }
}

async fn changes(
    hooks: &Hooks,
    method: &Method,
    headers: &HeaderMap,
    peer: Peer,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + Unpin,
) -> Result<String, Refusal> {
    let deadline = Instant::now() + hooks.config.timeout;
    if !hooks.admission.sessions.feeds.has(Feed::Sync) {
        return Err(Refusal::switched_off());
    }
    if method != Method::GET && method != Method::POST {
        return Err(Refusal::not_allowed("GET, POST"));
    }
    let config = &hooks.calls.sync;
    if config.keys.is_empty() {
        return Err(Refusal::not_configured("CLOUD_API_KEY"));
    }
    let tenant = sync::tenant_of(config, |key| carries_key(headers, key)).ok_or_else(Refusal::wrong_key)?;
    check_staying(hooks)?;
    let body = if method == Method::POST && has_body(headers) {
        let call = Arriving { caller: Caller::Known, peer, headers, deadline };
        json_body(hooks, call, body, config.max_body_bytes).await?
    } else {
        Bytes::new()
    };
    let _place = place(hooks, Caller::Known)?;
    let call = (method.as_str(), &body[..]);
    Ok(sync::pull::changes(&hooks.admission.sessions.database, tenant, call, config.pull_limit, deadline).await?)
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}
