//! The dashboard and the documents, as they are compiled in.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{Method, StatusCode};
use warp::reply::Response;

use super::answer;
use super::refusal::Refusal;

/// Nothing inline, nothing from elsewhere, no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file that is served as it is.
#[derive(Debug)]
struct Asset {
    path: &'static str,
    content_type: &'static str,
    body: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const YAML: &str = "application/yaml";

const ASSETS: &[Asset] = &[
    Asset { path: "", content_type: HTML, body: include_str!("../../web/index.html") },
    Asset { path: "announcer.js", content_type: SCRIPT, body: include_str!("../../web/announcer.js") },
    Asset { path: "app.js", content_type: SCRIPT, body: include_str!("../../web/app.js") },
    Asset { path: "claims.js", content_type: SCRIPT, body: include_str!("../../web/claims.js") },
    Asset { path: "elements.js", content_type: SCRIPT, body: include_str!("../../web/elements.js") },
    Asset { path: "json.js", content_type: SCRIPT, body: include_str!("../../web/json.js") },
    Asset { path: "language.js", content_type: SCRIPT, body: include_str!("../../web/language.js") },
    Asset { path: "line.js", content_type: SCRIPT, body: include_str!("../../web/line.js") },
    Asset { path: "listeners.js", content_type: SCRIPT, body: include_str!("../../web/listeners.js") },
    Asset { path: "notices.js", content_type: SCRIPT, body: include_str!("../../web/notices.js") },
    Asset { path: "pulso/client.js", content_type: SCRIPT, body: include_str!("../../web/pulso/client.js") },
    Asset { path: "pulso/sse.js", content_type: SCRIPT, body: include_str!("../../web/pulso/sse.js") },
    Asset { path: "received.js", content_type: SCRIPT, body: include_str!("../../web/received.js") },
    Asset { path: "recall.js", content_type: SCRIPT, body: include_str!("../../web/recall.js") },
    Asset { path: "session.js", content_type: SCRIPT, body: include_str!("../../web/session.js") },
    Asset { path: "words.js", content_type: SCRIPT, body: include_str!("../../web/words.js") },
    Asset { path: "words/en.js", content_type: SCRIPT, body: include_str!("../../web/words/en.js") },
    Asset { path: "words/es.js", content_type: SCRIPT, body: include_str!("../../web/words/es.js") },
    Asset { path: "style.css", content_type: STYLE, body: include_str!("../../web/style.css") },
    Asset { path: "boards/charts.js", content_type: SCRIPT, body: include_str!("../../web/boards/charts.js") },
    Asset { path: "boards/clinic.js", content_type: SCRIPT, body: include_str!("../../web/boards/clinic.js") },
    Asset { path: "boards/consultas.js", content_type: SCRIPT, body: include_str!("../../web/boards/consultas.js") },
    Asset { path: "boards/kiosk.js", content_type: SCRIPT, body: include_str!("../../web/boards/kiosk.js") },
    Asset { path: "boards/money.js", content_type: SCRIPT, body: include_str!("../../web/boards/money.js") },
    Asset { path: "boards/orders.js", content_type: SCRIPT, body: include_str!("../../web/boards/orders.js") },
    Asset { path: "boards/restaurant.js", content_type: SCRIPT, body: include_str!("../../web/boards/restaurant.js") },
    Asset { path: "boards/result.js", content_type: SCRIPT, body: include_str!("../../web/boards/result.js") },
    Asset { path: "boards/sales.js", content_type: SCRIPT, body: include_str!("../../web/boards/sales.js") },
    Asset { path: "boards/stats.js", content_type: SCRIPT, body: include_str!("../../web/boards/stats.js") },
    Asset { path: "boards/status.js", content_type: SCRIPT, body: include_str!("../../web/boards/status.js") },
    Asset { path: "boards/trail.js", content_type: SCRIPT, body: include_str!("../../web/boards/trail.js") },
    Asset { path: "boards/consultas.css", content_type: STYLE, body: include_str!("../../web/boards/consultas.css") },
    Asset { path: "boards/boards.css", content_type: STYLE, body: include_str!("../../web/boards/boards.css") },
    Asset { path: "favicon.svg", content_type: "image/svg+xml", body: include_str!("../../web/favicon.svg") },
    Asset { path: "openapi.yaml", content_type: YAML, body: include_str!("../../docs/openapi.yaml") },
    Asset { path: "asyncapi.yaml", content_type: YAML, body: include_str!("../../docs/asyncapi.yaml") },
];

/// The file at `path` (without its leading slash), or 404.
pub(super) fn serve(path: &str, method: &Method) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return Refusal::not_found().into_response();
    };
    answer::on_get(method, || {
        let mut response = answer::with_type(StatusCode::OK, asset.content_type, asset.body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    })
}
