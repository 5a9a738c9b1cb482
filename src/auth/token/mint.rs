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

/// Whom a token is for, and what it says of them.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    /// Claim `id`, and `userId` where there is a restaurant.
    pub user: String,
    /// Claim `negocio_id`, or `negocios` if there are several.
    pub negocios: Vec<String>,
    /// Claim `restaurantId`.
    pub restaurant: Option<String>,
    /// Claim `role`.
    pub role: Option<String>,
}

impl Holder {
    pub fn user(user: impl Into<String>) -> Self {
        Self { user: user.into(), ..Self::default() }
    }

    fn claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        let mut say = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        say("id", self.user.as_str().into());
        match self.negocios.as_slice() {
            [] => {}
            [one] => drop(say("negocio_id", one.as_str().into())),
            many => drop(say("negocios", many.into())),
        }
        if let Some(restaurant) = &self.restaurant {
            say("restaurantId", restaurant.as_str().into());
            say("userId", self.user.as_str().into());
        }
        if let Some(role) = &self.role {
            say("role", role.as_str().into());
        }
        claims
    }
}

/// A token for `holder` that lives for `ttl` from `now`.
pub fn mint(secret: &Secret, holder: &Holder, ttl: Duration, now: Timestamp) -> Result<String, MintError> {
    let now = now.as_second();
    let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
    let mut claims = holder.claims();
    claims.insert("iat".to_owned(), now.into());
    claims.insert("exp".to_owned(), now.saturating_add(ttl).into());
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.expose().as_bytes())).map_err(|_| MintError)
}
