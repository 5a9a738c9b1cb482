//! Signs tokens: for development and for the demo. Production tokens come from the REST API.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value};

use crate::config::Secret;

/// The token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token cannot be signed")]
pub struct MintError;

/// A token for `user` that names `negocios` and lives for `ttl` from `now`.
pub fn mint(
    secret: &Secret,
    user: &str,
    negocios: &[String],
    ttl: Duration,
    now: Timestamp,
) -> Result<String, MintError> {
    let now = now.as_second();
    let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
    let mut claims = Map::new();
    claims.insert("id".to_owned(), user.into());
    claims.insert("iat".to_owned(), now.into());
    claims.insert("exp".to_owned(), now.saturating_add(ttl).into());
    match negocios {
        [] => {}
        [one] => {
            claims.insert("negocio_id".to_owned(), one.as_str().into());
        }
        many => {
            claims.insert("negocios".to_owned(), many.iter().map(|negocio| Value::from(negocio.as_str())).collect());
        }
    }
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.expose().as_bytes())).map_err(|_| MintError)
}
