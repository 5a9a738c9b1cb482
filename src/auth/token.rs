//! Who a token names: signature, times and claims of a JWT.
//!
//! Must not know how a token arrives nor what its user may watch. The wall clock is the caller's, and no part of a token
//! ever enters an error or a log.

mod claims;
mod dismissed;
mod mint;

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value};

use crate::config::AuthConfig;
use crate::negocio::UserId;

pub use claims::{Claims, Identity, RestaurantIdentity, StaffIdentity};
use dismissed::Dismissed;
pub use mint::{Holder, MintError, mint};

/// Clocks that differ by this much do not lock anybody out. For the handshake only.
const LEEWAY_SECONDS: i64 = 30;

/// Why a token is not good. Safe to show to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("Invalid JWT token: it is empty")]
    Empty,
    #[error("Invalid JWT token: it is too long")]
    TooLong,
    #[error("Invalid JWT token: it is malformed")]
    Malformed,
    #[error("Invalid JWT token: its algorithm is not accepted")]
    Algorithm,
    #[error("Invalid JWT token: it has a critical header that is not understood")]
    Critical,
    #[error("Invalid JWT token: its signature does not match")]
    Signature,
    #[error("Invalid JWT token: it has no numeric expiry (exp)")]
    NoExpiry,
    #[error("Invalid JWT token: it has expired")]
    Expired,
    #[error("Invalid JWT token: its expiry is too far away")]
    ExpiryTooFar,
    #[error("Invalid JWT token: it is not valid yet")]
    NotYetValid,
    #[error("Invalid JWT token: it is for another audience")]
    Audience,
    #[error("Invalid JWT token: it names no user")]
    NoUser,
    #[error("Invalid JWT token: its user's sessions were ended after it was issued")]
    Dismissed,
}

/// Verifies tokens by one algorithm, HS256, with the configured keys.
#[derive(Debug)]
pub struct TokenVerifier {
    keys: Vec<DecodingKey>,
    validation: Validation,
    max_ttl_seconds: i64,
    max_token_bytes: usize,
    dismissed: Dismissed,
}

impl TokenVerifier {
    pub fn new(config: &AuthConfig) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The library would ask the system clock; times are checked here, against the caller's.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.required_spec_claims.clear();
        match &config.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.set_required_spec_claims(&["aud"]);
            }
            // Left on, it would refuse every token that carries an audience.
            None => validation.validate_aud = false,
        }
        Self {
            keys: config.secrets.iter().map(|secret| DecodingKey::from_secret(secret.expose().as_bytes())).collect(),
            validation,
            max_ttl_seconds: i64::try_from(config.max_ttl.as_secs()).unwrap_or(i64::MAX),
            max_token_bytes: config.max_token_bytes,
            dismissed: Dismissed::default(),
        }
    }

    /// Whether there is a key at all: without one no token is good.
    pub fn is_configured(&self) -> bool {
        !self.keys.is_empty()
    }

    /// From `now` on the user's tokens are refused that were issued before.
    pub fn dismiss(&self, user: UserId, now: Timestamp) {
        self.dismissed.add(user, now.as_second());
    }

    /// Whether the user was dismissed after a token of hers was issued. To be asked once more when a connection can be
    /// found by its user: she may have been dismissed while it came in.
    pub fn has_dismissed(&self, user: &UserId, issued_at: Option<i64>) -> bool {
        self.dismissed.bars(user, issued_at)
    }

    /// What `token` claims, if it is good for a handshake at `now`.
    pub fn claims(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        self.claims_within(token, now, LEEWAY_SECONDS)
    }

    /// Whom `token` names, if it is good for a handshake at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        self.claims(token, now)?.identity()
    }

    /// Whom `token` names, if it is good to replace another on a live connection at `now`: the leeway is for the
    /// handshake only.
    pub fn verify_renewal(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        self.claims_within(token, now, 0)?.identity()
    }

    fn claims_within(&self, token: &str, now: Timestamp, leeway_seconds: i64) -> Result<Claims, TokenError> {
        self.check_form(token)?;
        check_header(token)?;
        let claims = self.signed_claims(token)?;
        let expires_at = self.check_times(&claims, now.as_second(), leeway_seconds)?;
        let claims = Claims::new(claims, expires_at);
        if claims.users().any(|user| self.dismissed.bars(&user, claims.issued_at())) {
            return Err(TokenError::Dismissed);
        }
        Ok(claims)
    }

    fn check_form(&self, token: &str) -> Result<(), TokenError> {
        if token.is_empty() {
            return Err(TokenError::Empty);
        }
        if token.len() > self.max_token_bytes {
            return Err(TokenError::TooLong);
        }
        let in_alphabet = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if token.bytes().all(in_alphabet) { Ok(()) } else { Err(TokenError::Malformed) }
    }

    /// The claims, if any of the keys signed them.
    fn signed_claims(&self, token: &str) -> Result<Map<String, Value>, TokenError> {
        for key in &self.keys {
            match decode::<Map<String, Value>>(token, key, &self.validation) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) => match error.kind() {
                    ErrorKind::InvalidSignature => {}
                    ErrorKind::InvalidAlgorithm => return Err(TokenError::Algorithm),
                    ErrorKind::InvalidAudience | ErrorKind::MissingRequiredClaim(_) => {
                        return Err(TokenError::Audience);
                    }
                    _ => return Err(TokenError::Malformed),
                },
            }
        }
        Err(TokenError::Signature)
    }

    /// `exp` and `nbf` against `now`; the second at which a live connection ends.
    fn check_times(&self, claims: &Map<String, Value>, now: i64, leeway_seconds: i64) -> Result<i64, TokenError> {
        let exp = claims.get("exp").and_then(seconds).ok_or(TokenError::NoExpiry)?;
        if exp > now.saturating_add(self.max_ttl_seconds) {
            return Err(TokenError::ExpiryTooFar);
        }
        let last = exp.saturating_add(leeway_seconds);
        if now >= last {
            return Err(TokenError::Expired);
        }
        if let Some(nbf) = claims.get("nbf") {
            let nbf = seconds(nbf).ok_or(TokenError::Malformed)?;
            if nbf > now.saturating_add(LEEWAY_SECONDS) {
                return Err(TokenError::NotYetValid);
            }
        }
        Ok(if now < exp { exp } else { last })
    }
}

/// The header must be an object, name our algorithm, and demand nothing: no extension is understood here.
fn check_header(token: &str) -> Result<(), TokenError> {
    let encoded = token.split('.').next().unwrap_or_default();
    let decoded = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Malformed)?;
    let header: Map<String, Value> = serde_json::from_slice(&decoded).map_err(|_| TokenError::Malformed)?;
    if header.contains_key("crit") {
        return Err(TokenError::Critical);
    }
    match header.get("alg") {
        Some(Value::String(alg)) if alg == "HS256" => Ok(()),
        Some(Value::String(_)) => Err(TokenError::Algorithm),
        _ => Err(TokenError::Malformed),
    }
}

/// A `NumericDate`, which may have a fraction, in whole seconds.
fn seconds(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates: too far is too far")]
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64))
}
