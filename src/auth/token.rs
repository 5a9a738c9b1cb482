//! Who a token names: signature, times and claims of a JWT.
//!
//! Must not know how a token arrives nor what its user may watch. The wall clock is the caller's, and no part of a token
//! ever enters an error or a log.

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

pub use mint::{MintError, mint};

/// Clocks that differ by this much do not lock anybody out. For the handshake only.
const LEEWAY_SECONDS: i64 = 30;

/// Whom a good token names, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user: UserId,
    /// The businesses the token itself names, as it spells them.
    pub negocios: Vec<String>,
    /// Unix seconds at which a live connection with this token ends: its `exp`, and only for a token admitted inside
    /// the leeway `exp` + 30.
    pub expires_at: i64,
}

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
}

/// Verifies tokens by one algorithm, HS256, with the configured keys.
#[derive(Debug)]
pub struct TokenVerifier {
    keys: Vec<DecodingKey>,
    validation: Validation,
    max_ttl_seconds: i64,
    max_token_bytes: usize,
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
        }
    }

    /// Whom `token` names, if it is good for a handshake at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        self.verify_within(token, now, LEEWAY_SECONDS)
    }

    /// Whom `token` names, if it is good to replace another on a live connection at `now`: the leeway is for the
    /// handshake only.
    pub fn verify_renewal(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        self.verify_within(token, now, 0)
    }

    fn verify_within(&self, token: &str, now: Timestamp, leeway_seconds: i64) -> Result<Identity, TokenError> {
        self.check_form(token)?;
        check_header(token)?;
        let claims = self.signed_claims(token)?;
        let expires_at = self.check_times(&claims, now.as_second(), leeway_seconds)?;
        let user = user(&claims).ok_or(TokenError::NoUser)?;
        Ok(Identity { user: UserId::new(&user), negocios: negocios(&claims), expires_at })
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

/// Claim `id`, else `user_id`, else `sub`. An `id` that is there and is no string spoils the token.
fn user(claims: &Map<String, Value>) -> Option<String> {
    match claims.get("id") {
        Some(Value::String(id)) if !id.is_empty() => return Some(id.clone()),
        Some(Value::String(_)) | None => {}
        Some(_) => return None,
    }
    if let Some(user) = claims.get("user_id").and_then(name) {
        return Some(user);
    }
    claims.get("sub").and_then(Value::as_str).filter(|sub| !sub.is_empty()).map(str::to_owned)
}

/// The businesses in `negocio_id` and in the array `negocios`.
fn negocios(claims: &Map<String, Value>) -> Vec<String> {
    let one = claims.get("negocio_id");
    let many = claims.get("negocios").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    one.into_iter().chain(many).filter_map(name).collect()
}

/// A non-empty string, or an integer as text. Anything else names nothing.
fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// A `NumericDate`, which may have a fraction, in whole seconds.
fn seconds(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates: too far is too far")]
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64))
}
