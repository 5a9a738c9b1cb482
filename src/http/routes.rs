//! Which path leads where.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use warp::Filter;
use warp::reply::Response;

use super::accept::ConnectionPlace;
use super::admission::{Admission, Endpoint};
use super::assets::Assets;
use super::hooks::Hooks;
use super::mount::{self, Additions, Mount};
use super::pace::Pace;
use super::page::Page;
use super::upgrade::{self, Handshake};
use super::{Peer, Port, answer, health, nodes, pull, sse};
use crate::telemetry::metrics::RefusalReason;

/// Everything Pulso answers to but the hooks and Socket.IO. Path first, then the method: a wrong method is a 405 that names
/// the right one.
pub(super) fn routes(
    port: &Port,
    Additions { mount, has_echo }: Additions,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + use<> {
    let admission = shared(&port.admission);
    let hooks = shared(&port.hooks);
    let endpoint = warp::path::full().and_then(move |path: warp::path::FullPath| {
        let endpoint = Endpoint::at(path.as_str(), has_echo);
        async move { endpoint.ok_or_else(warp::reject::not_found) }
    });
    let websocket = endpoint
        .and(admission.clone())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(raw_query())
        .and(warp::ext::get::<Peer>())
        .and(warp::ext::get::<Arc<ConnectionPlace>>())
        .and(warp::ext::optional::<OnUpgrade>())
        .map(|endpoint, admission: Arc<Admission>, method, headers, query, peer, connection, on_upgrade| {
            upgrade::upgrade(&admission, Handshake { endpoint, method, headers, query, peer, connection, on_upgrade })
        });
    let sse = warp::path!("sse")
        .and(admission)
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(raw_query())
        .and(warp::ext::get::<Peer>())
        .and(warp::ext::get::<Arc<ConnectionPlace>>())
        .and(warp::ext::get::<Arc<Pace>>())
        .then(|admission, method, headers, query, peer, connection, pace| {
            sse::stream(admission, sse::Request { method, headers, query, peer, connection, pace })
        });
    let pull = warp::path!("sync" / "pull-changes").or(warp::path!("api" / "sync" / "pull-changes")).unify();
    let pull = pull
        .and(hooks.clone())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<Peer>())
        .and(warp::body::stream())
        .then(|hooks, method: Method, headers: HeaderMap, peer, body| pull::pull(hooks, method, headers, peer, body));
    let health = warp::path!("health")
        .and(hooks.clone())
        .and(warp::method())
        .map(|hooks: Arc<Hooks>, method| counted(&hooks, answer::on_get(&method, health::health)));
    let ready = warp::path!("ready").and(hooks.clone()).and(warp::method()).and(warp::header::headers_cloned()).map(
        |hooks: Arc<Hooks>, method, headers| {
            counted(&hooks, answer::on_get(&method, || health::ready(&hooks, &headers)))
        },
    );
    let metrics =
        warp::path!("metrics").and(hooks.clone()).and(warp::method()).and(warp::header::headers_cloned()).then(
            |hooks: Arc<Hooks>, method, headers| async move {
                let answer = health::metrics(Arc::clone(&hooks), method, headers).await;
                counted(&hooks, answer)
            },
        );
    let nodes =
        warp::path!("api" / "nodes").and(hooks.clone()).and(warp::method()).and(warp::header::headers_cloned()).map(
            |hooks: Arc<Hooks>, method, headers| {
                counted(&hooks, answer::on_get(&method, || nodes::nodes(&hooks, &headers)))
            },
        );
    let elsewhere = warp::path::full().and_then(move |path: warp::path::FullPath| {
        let path = without_slash(path.as_str()).to_owned();
        let owner = mount.as_ref().filter(|mount| mount.owns(&path)).cloned();
        async move { owner.map(|mount| (mount, path)).ok_or_else(warp::reject::not_found) }
    });
    let elsewhere =
        elsewhere.and(hooks).and(warp::method()).and(warp::header::headers_cloned()).and(warp::body::stream()).then(
            |(mount, path): (Mount, String), hooks, method, headers, body| {
                mount::call(hooks, mount, path, method, headers, body)
            },
        );
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
        .or(nodes)
        .unify()
        .or(elsewhere)
        .unify()
        .or(page(port))
        .unify()
}

/// What the page gets, the last of all: its files are at every path that is nobody else's.
fn page(port: &Port) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + use<> {
    let name = warp::path!("page" / "name")
        .and(shared(&port.page))
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(raw_query())
        .and(warp::ext::get::<Peer>())
        .then(|page: Arc<Page>, method, headers, query: String, peer| async move {
            page.name(&method, &headers, &query, peer).await
        });
    let files = warp::path::full()
        .and(shared(&port.assets))
        .and(shared(&port.hooks))
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .map(|path: warp::path::FullPath, assets: Arc<Assets>, hooks: Arc<Hooks>, method, headers| {
            counted(&hooks, assets.serve(path.as_str().trim_start_matches('/'), &method, &headers))
        });
    name.or(files).unify()
}

/// A part of the port for the filters that work with it.
fn shared<T: Send + Sync>(part: &Arc<T>) -> impl Filter<Extract = (Arc<T>,), Error = Infallible> + Clone + use<T> {
    let part = Arc::clone(part);
    warp::any().map(move || Arc::clone(&part))
}

/// A slash at its end makes no other path.
pub(super) fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path)
}

/// Counts what was asked in vain.
fn counted(hooks: &Hooks, response: Response) -> Response {
    let metrics = &hooks.admission.sessions.metrics;
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
