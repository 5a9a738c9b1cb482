//! One GET of a small document, by the rules for what strangers could have a hand in: bounded in time and size, by TLS
//! that is checked, and only to where it may lead.
//!
//! Must not know what the document says.

use std::error::Error as _;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::{ACCEPT, AGE, CACHE_CONTROL, HeaderMap};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, Response};
use rustls::{ClientConfig, RootCertStore};
use tokio::task::spawn_blocking;
use url::{Host, Url};

use super::FetchError;
use super::reach::{Elsewhere, Guard, Reach};
use crate::access::keys::MAX_BYTES;
use crate::trust;

/// For all of one document, from the look-up of its name to its last byte.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// A document that leads on more often is not to be had.
const MAX_REDIRECTS: usize = 3;

/// What was fetched.
pub(super) struct Document {
    pub(super) body: Vec<u8>,
    /// For how long it is good, as its `Cache-Control` says; `None` if that says nothing.
    pub(super) good_for: Option<Duration>,
    /// Whether it came from this machine or a private network.
    pub(super) stays_in: bool,
}

/// Fetches `url` from where it may lead.
pub(super) async fn get(url: &Url, reach: Reach) -> Result<Document, FetchError> {
    let proxy = proxy(url);
    let guard = Guard::new(reach, proxy.clone());
    guard.check_host(url).map_err(FetchError::Elsewhere)?;
    let has_tls = url.scheme() == "https" || proxy.is_some();
    let tls = spawn_blocking(move || tls(has_tls)).await.map_err(|_| FetchError::NoTls)??;
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::custom(follow))
        .timeout(PATIENCE)
        .dns_resolver(guard.clone())
        .user_agent(concat!("pulso/", env!("CARGO_PKG_VERSION")));
    let client = if proxy.is_some() { client } else { client.no_proxy() };
    let client = client.build().map_err(|error| refused(&error))?;
    let answer = client.get(url.clone()).header(ACCEPT, "application/json").send().await;
    let answer = answer.map_err(|error| refused(&error))?;
    match answer.status().as_u16() {
        200 => {}
        300..400 => return Err(FetchError::Redirect),
        status => return Err(FetchError::Status(status)),
    }
    let good_for = good_for(answer.headers());
    Ok(Document { body: body(answer).await?, good_for, stays_in: guard.stays_in() })
}

async fn body(mut answer: Response) -> Result<Vec<u8>, FetchError> {
    if answer.content_length().is_some_and(|length| length > MAX_BYTES as u64) {
        return Err(FetchError::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| refused(&error))? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Only to where it came from: any other host could be anybody's.
fn follow(attempt: Attempt<'_>) -> Action {
    let previous = attempt.previous();
    let is_same = previous.last().is_some_and(|from| from.origin() == attempt.url().origin());
    if is_same && previous.len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
}

/// The name of the proxy that the environment has for this URL. Between a machine and itself there is none.
fn proxy(url: &Url) -> Option<String> {
    let is_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
    proxy.uri().host().filter(|_| !is_loopback).map(str::to_owned)
}

fn tls(has_tls: bool) -> Result<ClientConfig, FetchError> {
    let roots = if has_tls { trust::authorities() } else { RootCertStore::empty() };
    trust::client(roots).map_err(|_| FetchError::NoTls)
}

/// What the library says, in words of ours where it matters which.
fn refused(error: &reqwest::Error) -> FetchError {
    let mut cause = error.source();
    let mut last = None;
    while let Some(error) = cause {
        if let Some(elsewhere) = error.downcast_ref::<Elsewhere>() {
            return FetchError::Elsewhere(*elsewhere);
        }
        last = Some(error.to_string());
        cause = error.source();
    }
    if error.is_timeout() {
        return FetchError::TooSlow;
    }
    FetchError::Unreachable(last.unwrap_or_else(|| "the connection failed".to_owned()))
}

/// `max-age` less the time that a cache on the way kept it; nothing to be kept is good for no time.
fn good_for(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    if directives.iter().any(|one| one.eq_ignore_ascii_case("no-store") || one.eq_ignore_ascii_case("no-cache")) {
        return Some(Duration::ZERO);
    }
    let max_age = directives.iter().find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        let is_it = name.eq_ignore_ascii_case("max-age");
        is_it.then(|| seconds.trim_matches('"').parse::<u64>().ok())?
    })?;
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse::<u64>().ok()).unwrap_or(0);
    Some(Duration::from_secs(max_age.saturating_sub(age)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_document_is_good_is_what_its_headers_say() {
        let good_for = |headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            super::good_for(&map).map(|good| good.as_secs())
        };
        assert_eq!(good_for(&[]), None);
        assert_eq!(good_for(&[("cache-control", "public, max-age=600, must-revalidate")]), Some(600));
        assert_eq!(good_for(&[("cache-control", "public"), ("cache-control", "Max-Age=\"60\"")]), Some(60));
        assert_eq!(good_for(&[("cache-control", "max-age=600"), ("age", "200")]), Some(400));
        assert_eq!(good_for(&[("cache-control", "max-age=600"), ("age", "700")]), Some(0));
        assert_eq!(good_for(&[("cache-control", "max-age=600, no-cache")]), Some(0));
        assert_eq!(good_for(&[("cache-control", "No-Store")]), Some(0));
        assert_eq!(good_for(&[("cache-control", "max-age=soon, s-maxage=9")]), None);
    }
}
