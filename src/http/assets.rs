//! The page and the documents, as they are compiled in, each compressed once when this program was built (`build.rs`); and
//! what the page is told by everybody's leave.
//!
//! Must not know what is in them.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
    HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use warp::reply::Response;

use super::answer;
use super::refusal::Refusal;
use crate::config::PageConfig;

/// Nothing inline, nothing from elsewhere; who may frame it follows.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors";
/// What the page is told beside its files.
const TOLD: &str = "page.json";

/// A file that is served as it is.
#[derive(Debug)]
struct Asset {
    path: &'static str,
    content_type: &'static str,
    /// Of its bytes.
    tag: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// `/page.json`.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'static str>,
}

/// What is served, and under which policy.
#[derive(Debug)]
pub(super) struct Assets {
    policy: HeaderValue,
    /// Of the policy, which a browser is to have with what it has: a part of every tag.
    policy_tag: String,
    told: Bytes,
    told_tag: String,
}

impl Assets {
    pub(super) fn new(config: &PageConfig) -> Self {
        let embedders = if config.embedders.is_empty() { "'none'".to_owned() } else { config.embedders.join(" ") };
        let policy = format!("{POLICY} {embedders}");
        // Structs of strings always serialise.
        let told = serde_json::to_vec(&Told { currency: config.currency }).unwrap_or_default();
        Self {
            policy_tag: tag(policy.as_bytes()),
            // Origins are of letters that a header may hold.
            policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(POLICY)),
            told_tag: tag(&told),
            told: told.into(),
        }
    }

    /// The file at `path` (without its leading slash), or 404.
    pub(super) fn serve(&self, path: &str, method: &Method, headers: &HeaderMap) -> Response {
        if path == TOLD {
            return answer::on_get(method, || {
                self.answer(headers, "application/json", &self.told_tag, (self.told.clone(), None))
            });
        }
        let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
            return Refusal::not_found().into_response();
        };
        answer::on_get(method, || self.answer(headers, asset.content_type, asset.tag, asset.encoded(headers)))
    }

    fn answer(
        &self,
        request: &HeaderMap,
        content_type: &'static str,
        tag: &str,
        (body, encoding): (Bytes, Option<&'static str>),
    ) -> Response {
        // Weak: the same in every encoding.
        let tag = format!("W/\"{tag}{}\"", self.policy_tag);
        let mut response = if knows(request, &tag) {
            answer::empty(StatusCode::NOT_MODIFIED)
        } else {
            answer::with_type(StatusCode::OK, content_type, body)
        };
        let headers = response.headers_mut();
        if let Some(encoding) = encoding.filter(|_| headers.contains_key(CONTENT_TYPE)) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        response
    }
}

impl Asset {
    /// The smallest that the client takes, and what that is called.
    fn encoded(&self, request: &HeaderMap) -> (Bytes, Option<&'static str>) {
        let (bytes, encoding) = if takes(request, "br") {
            (self.brotli, Some("br"))
        } else if takes(request, "gzip") {
            (self.gzip, Some("gzip"))
        } else {
            (self.plain, None)
        };
        (Bytes::from_static(bytes), encoding)
    }
}

fn tag(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(4).fold(String::new(), |mut tag, byte| {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
        tag
    })
}

/// Whether the client takes this encoding: it says so, and not with a quality of nothing.
fn takes(request: &HeaderMap, encoding: &str) -> bool {
    listed(request, &ACCEPT_ENCODING).any(|offer| {
        let (name, quality) = offer.split_once(';').unwrap_or((offer, ""));
        let quality = quality.trim().strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case(encoding) && quality.is_none_or(|quality| quality > 0.0)
    })
}

/// Whether the client has what bears this tag.
fn knows(request: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let tag = opaque(tag);
    listed(request, &IF_NONE_MATCH).any(|known| known == "*" || opaque(known) == tag)
}

/// What a header lists, over all of its lines.
fn listed<'a>(request: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = request.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saying(name: &HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn an_encoding_is_taken_where_it_is_asked_for() {
        for (lines, brotli, gzip) in [
            (&[][..], false, false),
            (&["gzip, deflate, br"], true, true),
            (&["br;q=0, GZIP;q=0.5"], false, true),
            (&["identity", "br ; q=1"], true, false),
            (&["brotli, x-gzip, *"], false, false),
            (&["gzip;q=0.0,br;q=0.000"], false, false),
        ] {
            let request = saying(&ACCEPT_ENCODING, lines);
            assert_eq!((takes(&request, "br"), takes(&request, "gzip")), (brotli, gzip), "{lines:?}");
        }
    }

    #[test]
    fn a_tag_is_known_among_others_weak_or_strong() {
        for (lines, is_known) in [
            (&[][..], false),
            (&["W/\"a\""], true),
            (&["\"a\""], true),
            (&["\"b\", W/\"a\""], true),
            (&["\"b\"", "\"a\""], true),
            (&["*"], true),
            (&["a", "\"A\""], false),
        ] {
            assert_eq!(knows(&saying(&IF_NONE_MATCH, lines), "W/\"a\""), is_known, "{lines:?}");
        }
    }
}
