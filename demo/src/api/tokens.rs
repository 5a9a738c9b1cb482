//! The tokens that the customers' APIs give out: the JWTs that Pulso's feeds take.
//!
//! Must not know who may have one.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

const LIFE: Duration = Duration::from_hours(12);

/// Signs and reads tokens with one secret.
pub(super) struct Tokens {
    signing: EncodingKey,
    reading: DecodingKey,
}

/// Whom a token is for, and what it says of them.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Bearer {
    pub(super) id: String,
    #[serde(rename = "negocio_id", skip_serializing_if = "Option::is_none")]
    pub(super) clinic: Option<String>,
    #[serde(rename = "restaurantId", skip_serializing_if = "Option::is_none")]
    pub(super) restaurant: Option<String>,
    #[serde(rename = "userId", skip_serializing_if = "Option::is_none")]
    pub(super) restaurant_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    #[serde(flatten)]
    bearer: &'a Bearer,
    iat: i64,
    exp: i64,
}

impl Tokens {
    pub(super) fn new(secret: &str) -> Self {
        let secret = secret.as_bytes();
        Self { signing: EncodingKey::from_secret(secret), reading: DecodingKey::from_secret(secret) }
    }

    pub(super) fn sign(&self, bearer: &Bearer, now: Timestamp) -> Option<String> {
        let iat = now.as_second();
        let claims = Claims { bearer, iat, exp: iat.saturating_add(LIFE.as_secs().cast_signed()) };
        encode(&Header::default(), &claims, &self.signing).ok()
    }

    /// Whom it is for, if it is one of ours and still good.
    pub(super) fn read(&self, token: &str) -> Option<Bearer> {
        decode(token, &self.reading, &Validation::new(Algorithm::HS256)).ok().map(|token| token.claims)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}
