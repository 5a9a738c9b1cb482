//! Which path leads where.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use warp::Filter;
use warp::reply::Response;

use super::accept::ConnectionPlace;
use super::admission::Endpoint;
use super::annex::{self, Additions, Annex};
use super::pace::Pace;
use super::upgrade::{self, Handshake};
use super::{Gate, Peer, answer, assets, health, pull, sse};
use crate::telemetry::metrics::RefusalReason;

/// Everything Pulso answers to but the hooks and Socket.IO. Path first, then the method: a wrong method is a 405 that names
/// the right one.
pub(super) fn routes(
    gate: &Arc<Gate>,
    Additions { annex, has_echo }: Additions,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + use<> {
    let state = {
        let gate = Arc::clone(gate);
        warp::any().map(move || Arc::clone(&gate))
    };
    let endpoint = warp::path!("ws")
        .map(|| Endpoint::Dashboard)
        .or(warp::path!("ws" / "staff" / "orders").map(|| Endpoint::Staff))
        .unify()
        .or(warp::path!("ws" / "kiosk" / "orders").map(|| Endpoint::Kiosk))
        .unify()
        .or(warp::path!("echo").and_then(move || async move {
            if has_echo { Ok(Endpoint::Echo) } else { Err(warp::reject::not_found()) }
        }))
        .unify();
    let websocket = endpoint
        .and(state.clone())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(raw_query())
        .and(warp::ext::get::<Peer>())
        .and(warp::ext::get::<Arc<ConnectionPlace>>())
        .and(warp::ext::optional::<OnUpgrade>())
        .map(|endpoint, gate: Arc<Gate>, method, headers, query, peer, connection, on_upgrade| {
            upgrade::upgrade(&gate, Handshake { endpoint, method, headers, query, peer, connection, on_upgrade })
        });
    let sse = warp::path!("sse")
        .and(state.clone())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(raw_query())
        .and(warp::ext::get::<Peer>())
        .and(warp::ext::get::<Arc<ConnectionPlace>>())
        .and(warp::ext::get::<Arc<Pace>>())
        .then(|gate, method, headers, query, peer, connection, pace| {
            sse::stream(gate, sse::Request { method, headers, query, peer, connection, pace })
        });
    let pull = warp::path!("sync" / "pull-changes").or(warp::path!("api" / "sync" / "pull-changes")).unify();
    let pull = pull
        .and(state.clone())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(|gate, method: Method, headers: HeaderMap, body| pull::pull(gate, method, headers, body));
    let health = warp::path!("health")
        .and(state.clone())
        .and(warp::method())
        .map(|gate: Arc<Gate>, method| counted(&gate, answer::on_get(&method, health::health)));
    let ready = warp::path!("ready")
        .and(state.clone())
        .and(warp::method())
        .map(|gate: Arc<Gate>, method| counted(&gate, answer::on_get(&method, || health::ready(&gate))));
    let metrics = warp::path!("metrics")
        .and(state.clone())
        .and(warp::method())
        .map(|gate: Arc<Gate>, method| counted(&gate, answer::on_get(&method, || health::metrics(&gate))));
    let elsewhere = warp::path::full().and_then(move |path: warp::path::FullPath| {
        let owner = annex.as_ref().filter(|annex| annex.owns(path.as_str())).cloned();
        async move { owner.map(|annex| (annex, path)).ok_or_else(warp::reject::not_found) }
    });
    let elsewhere = elsewhere
        .and(state.clone())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(|(annex, path): (Annex, warp::path::FullPath), gate, method, headers, body| {
            annex::call(gate, annex, path.as_str().to_owned(), method, headers, body)
        });
    let files =
        warp::path::full().and(state).and(warp::method()).map(|path: warp::path::FullPath, gate: Arc<Gate>, method| {
            counted(&gate, assets::serve(path.as_str().trim_start_matches('/'), &method))
        });
    websocket
        .or(sse)
        .unify()
        .or(pull)
        .unify()
        .or(health)
        .unify()
        .or(ready)
        .unify()
        .or(metrics)
        .unify()
        .or(elsewhere)
        .unify()
        .or(files)
        .unify()
}

/// Counts what was asked in vain.
fn counted(gate: &Gate, response: Response) -> Response {
    let metrics = &gate.environment.metrics;
    match response.status() {
        StatusCode::NOT_FOUND => metrics.refuse(RefusalReason::Path),
        StatusCode::METHOD_NOT_ALLOWED => metrics.refuse(RefusalReason::Method),
        _ => {}
    }
    response
}

/// The query as it came, so that a parameter given twice is seen.
fn raw_query() -> impl Filter<Extract = (String,), Error = Infallible> + Clone {
    warp::query::raw().or(warp::any().map(String::new)).unify()
}
