//! One fetch of an issuer's keys: from the address that the operator gave, or from the one that the issuer's own
//! document says (OpenID Connect Discovery).
//!
//! Must not know when it is due nor what becomes of the keys.

mod reach;
mod web;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

use super::set::{KeySet, KeysError, MAX_BYTES};
use crate::config::{KeysAt, RemoteKeys};
use reach::{Elsewhere, Reach};
pub use web::PATIENCE;

/// A set is kept for so long at least, whatever its issuer says.
pub const KEPT_AT_LEAST: Duration = Duration::from_mins(5);
/// And for so long at most.
pub const KEPT_AT_MOST: Duration = Duration::from_hours(1);

/// A set as it was fetched.
#[derive(Debug)]
pub struct Fetched {
    pub set: KeySet,
    /// Where the set itself was.
    pub url: Url,
    /// How long it is kept before it is fetched again.
    pub kept_for: Duration,
}

/// Why there are no keys to be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("no answer within {PATIENCE:?}")]
    TooSlow,
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error("it answers {0}")]
    Status(u16),
    #[error("it leads on to another host, which is not followed")]
    Redirect,
    #[error("it is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("{0}")]
    Elsewhere(Elsewhere),
    #[error("TLS is not to be had")]
    NoTls,
    #[error("its document is not that of an OpenID provider")]
    NotDiscovery,
    #[error("its document is that of another issuer: {0:?}")]
    AnotherIssuer(String),
    #[error("its document has no address of keys (jwks_uri) that can be used")]
    NoAddress,
    #[error("its keys cannot be used: {0}")]
    Keys(#[from] KeysError),
}

/// Fetches the keys once.
pub async fn fetch(remote: &RemoteKeys) -> Result<Fetched, FetchError> {
    let allow_http = remote.allow_http;
    let (url, document) = match &remote.at {
        KeysAt::Jwks(url) => (url.clone(), web::get(url, Reach::of_operator(url, allow_http)).await?),
        KeysAt::Discovery { issuer, url: own } => {
            let discovered = web::get(own, Reach::of_operator(own, allow_http)).await?;
            let url = address_of_keys(&discovered.body, issuer)?;
            let reach = if url.host() == own.host() {
                Reach::of_operator(&url, allow_http)
            } else {
                Reach::of_another(&url, allow_http, discovered.stays_in)
            };
            let document = web::get(&url, reach).await?;
            (url, document)
        }
    };
    let kept_for = document.good_for.unwrap_or(KEPT_AT_LEAST).clamp(KEPT_AT_LEAST, KEPT_AT_MOST);
    Ok(Fetched { set: KeySet::from_jwks(&document.body)?, url, kept_for })
}

/// Where an issuer's document says its keys are, if the document is that issuer's.
fn address_of_keys(document: &[u8], issuer: &str) -> Result<Url, FetchError> {
    let document: Map<String, Value> = serde_json::from_slice(document).map_err(|_| FetchError::NotDiscovery)?;
    match document.get("issuer").and_then(Value::as_str) {
        Some(named) if named == issuer => {}
        Some(named) => return Err(FetchError::AnotherIssuer(named.chars().take(100).collect())),
        None => return Err(FetchError::NotDiscovery),
    }
    let url = document.get("jwks_uri").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
    url.filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host() && url.username().is_empty())
        .ok_or(FetchError::NoAddress)
}
