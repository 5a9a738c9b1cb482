//! Signs tokens: for development and for the demo. Production tokens come from the REST API.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value};

use super::authority::in_library;
use crate::config::{Algorithm, Audience, ClaimMap, ClaimPath, OwnTokens, Secret};

/// The token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token cannot be signed")]
pub struct MintError;

/// Whom a token is for, and what it says of them.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    /// Claim `id`, and `userId` where there is a restaurant, unless `CLAIM_USER` says otherwise; so the others.
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

    /// As `map` reads them; a name beside the user's id only where it is one by today's names.
    fn claims(&self, map: &ClaimMap) -> Map<String, Value> {
        let mut claims = Map::new();
        let mut say = |paths: &[ClaimPath], value: Value| {
            if let Some(path) = paths.first() {
                path.put(&mut claims, value);
            }
        };
        say(&map.user, self.user.as_str().into());
        match self.negocios.as_slice() {
            [] => {}
            [one] => say(&map.negocio, one.as_str().into()),
            many => say(&map.negocios, many.into()),
        }
        if let Some(restaurant) = &self.restaurant {
            say(&map.restaurant, restaurant.as_str().into());
            let beside: Vec<ClaimPath> = map.user.iter().filter(|path| path.is("userId")).cloned().collect();
            say(&beside, self.user.as_str().into());
        }
        if let Some(role) = &self.role {
            match &map.role {
                Some(paths) => say(paths, role.as_str().into()),
                None => drop(claims.insert("role".to_owned(), role.as_str().into())),
            }
        }
        claims
    }
}

/// A token for `holder` that lives for `ttl` from `now`, as this server reads them where nothing is configured.
pub fn mint(secret: &Secret, holder: &Holder, ttl: Duration, now: Timestamp) -> Result<String, MintError> {
    mint_as(&OwnTokens::default(), secret, holder, ttl, now)
}

/// As [`mint`], where `own` is asked of tokens that the secret signed.
pub fn mint_as(
    own: &OwnTokens,
    secret: &Secret,
    holder: &Holder,
    ttl: Duration,
    now: Timestamp,
) -> Result<String, MintError> {
    let now = now.as_second();
    let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
    let mut claims = holder.claims(&own.claims);
    let mut say = |claim: &str, value: Value| drop(claims.insert(claim.to_owned(), value));
    say("iat", now.into());
    say("exp", now.saturating_add(ttl).into());
    if let Some(name) = own.names.first() {
        say("iss", name.as_str().into());
    }
    if let Audience::OneOf(audiences) = &own.audience
        && let Some(audience) = audiences.first()
    {
        say("aud", audience.as_str().into());
    }
    let algorithm = own.algorithms.first().copied().unwrap_or(Algorithm::HS256);
    let header = Header::new(in_library(algorithm));
    encode(&header, &claims, &EncodingKey::from_secret(secret.expose().as_bytes())).map_err(|_| MintError)
}
