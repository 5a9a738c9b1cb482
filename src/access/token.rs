//! Who a token names: signature, times and claims of a JWT.
//!
//! Must not know how a token arrives nor what its user may watch. The wall clock is the caller's, and no part of a token
//! ever enters an error or a log.

mod authority;
mod claims;
mod dismissed;
mod explained;
mod header;
mod mint;
mod person;
mod verified;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::access::keys::Source;
use crate::config::{Algorithm, AuthConfig};
use crate::model::{KeyId, UserId};

use authority::Authority;
pub use claims::{Claims, Identity};
pub use dismissed::Dismissed;
pub use explained::Explained;
use header::Header;
pub use mint::{Holder, MintError, mint, mint_as};
pub use person::Person;
use verified::{Digest, Verified};

/// Clocks that differ by this much do not lock anybody out. For the handshake only.
const LEEWAY_SECONDS: i64 = 30;

/// Why a token is not good. Safe to show to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("Invalid JWT token: it is empty")]
    Empty,
    #[error("Invalid JWT token: Authorization is given twice")]
    GivenTwice,
    #[error("Invalid JWT token: the query's and the header's differ")]
    Differs,
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
    #[error("Invalid JWT token: its key is not known")]
    UnknownKey,
    /// Nothing is wrong with it that is known: whoever sent it comes back.
    #[error("cannot be checked right now")]
    Unchecked,
    #[error("Invalid JWT token: it is another issuer's")]
    Issuer,
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

/// The token itself, where what stands for it in a header was put into a field that takes nothing else.
pub fn bare(token: &str) -> &str {
    match token.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => token,
    }
}

/// What somebody signed: the claims, the key unless that is a secret, and whose it is.
type Signed<'a> = (Map<String, Value>, Option<KeyId>, &'a Authority);

/// Verifies tokens by the configured keys and algorithms.
#[derive(Debug)]
pub struct TokenVerifier {
    authorities: Vec<Authority>,
    /// Signatures that were found good with a public key, for that takes a while.
    verified: Verified,
    max_ttl_seconds: i64,
    max_token_bytes: usize,
    dismissed: Arc<Dismissed>,
    /// Whether identities keep all that their tokens say.
    keeps_claims: bool,
}

impl TokenVerifier {
    pub fn new(config: &AuthConfig) -> Self {
        Self {
            authorities: authority::all(config),
            verified: Verified::default(),
            max_ttl_seconds: i64::try_from(config.max_ttl.as_secs()).unwrap_or(i64::MAX),
            max_token_bytes: config.max_token_bytes,
            dismissed: Arc::default(),
            keeps_claims: false,
        }
    }

    /// Identities keep all that their tokens say, if live queries may ask for any of it.
    #[must_use]
    pub fn keeping_claims(self, keeps_claims: bool) -> Self {
        Self { keeps_claims, ..self }
    }

    /// Whether there is a key at all, or a place where there may be one: without that no token is good.
    pub fn is_configured(&self) -> bool {
        !self.authorities.is_empty()
    }

    /// Those whose older tokens it refuses.
    pub fn dismissed(&self) -> &Arc<Dismissed> {
        &self.dismissed
    }

    /// Whether a user of these names was dismissed after a token of hers was issued. To be asked once more when a
    /// connection can be found by them: she may have been dismissed while it came in.
    pub fn has_dismissed<'a>(&self, names: impl IntoIterator<Item = &'a UserId>, issued_at: Option<i64>) -> bool {
        names.into_iter().any(|name| self.dismissed.bars(name, issued_at))
    }

    /// Where the keys are that it verifies with: those of each who signs.
    pub fn sources(&self) -> Vec<Arc<Source>> {
        self.authorities.iter().map(|authority| Arc::clone(authority.keys())).collect()
    }

    /// Whether somebody still signs with this key. To be asked once more when a connection can be found by it.
    pub fn holds(&self, key: KeyId) -> bool {
        self.authorities.iter().any(|authority| authority.keys().holds(key))
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
        self.renewed_claims(token, now)?.identity()
    }

    /// As [`Self::verify_renewal`], for a token that may name no user.
    pub fn renewed_claims(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        self.claims_within(token, now, 0)
    }

    fn claims_within(&self, token: &str, now: Timestamp, leeway_seconds: i64) -> Result<Claims, TokenError> {
        let token = bare(token);
        self.check_form(token)?;
        let (said, key, authority) = self.signed_claims(token)?;
        let expires_at = self.check_times(&said, now.as_second(), leeway_seconds)?;
        let claims = Claims::new(said, authority.claims(), key.filter(|_| authority.may_withdraw()), expires_at)
            .keeping(self.keeps_claims);
        if claims.person().is_some_and(|person| self.has_dismissed(person.names(), claims.issued_at())) {
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

    /// What the token says, if somebody who is believed signed it.
    fn signed_claims(&self, token: &str) -> Result<Signed<'_>, TokenError> {
        let Header { algorithm, kid } = Header::read(token)?;
        let authority = self.authority(token, algorithm)?;
        let keys = authority.keys();
        if algorithm.is_symmetric() {
            // As fast as to remember that it was good.
            let (claims, _) = authority.verify(token, kid.as_deref(), algorithm)?;
            return Ok((claims, None, authority));
        }
        let digest = Digest::of(token);
        if let Some(key) = self.verified.key_of(&digest)
            && keys.holds(key)
        {
            return Ok((payload(token)?, Some(key), authority));
        }
        let (claims, key) = authority.verify(token, kid.as_deref(), algorithm)?;
        self.verified.remember(digest, key);
        Ok((claims, Some(key), authority))
    }

    /// Who judges a token: whoever has the name that it says, or else who asks for none. Not by its algorithm, unless they
    /// share the name: a secret and the keys that come after it.
    fn authority(&self, token: &str, algorithm: Algorithm) -> Result<&Authority, TokenError> {
        if !self.authorities.iter().any(|authority| authority.accepts(algorithm)) {
            return Err(TokenError::Algorithm);
        }
        if let [authority] = self.authorities.as_slice() {
            return Ok(authority);
        }
        let Issuer { iss } = payload(token)?;
        let is_named = |authority: &&Authority| iss.as_deref().is_some_and(|iss| authority.is_called(iss));
        let mut judges: Vec<&Authority> = self.authorities.iter().filter(is_named).collect();
        if judges.is_empty() {
            judges = self.authorities.iter().filter(|authority| authority.takes(iss.as_deref())).collect();
        }
        if judges.is_empty() {
            return Err(TokenError::Issuer);
        }
        judges.into_iter().find(|authority| authority.accepts(algorithm)).ok_or(TokenError::Algorithm)
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

/// Of what a token says, before anything is known of it: whose it claims to be.
#[derive(serde::Deserialize)]
struct Issuer {
    iss: Option<String>,
}

/// What a token says, be it true or not.
fn payload<T: DeserializeOwned>(token: &str) -> Result<T, TokenError> {
    let encoded = token.split('.').nth(1).ok_or(TokenError::Malformed)?;
    let decoded = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&decoded).map_err(|_| TokenError::Malformed)
}

/// A `NumericDate`, which may have a fraction, in whole seconds.
fn seconds(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates: too far is too far")]
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64))
}
