//! The header of a token: by what it says it was signed, and with which key.
//!
//! Whatever else it says is not looked at: keys (`jwk`, `x5c`) and addresses of keys (`jku`, `x5u`) of the sender's choice
//! prove nothing. Must not know which algorithms and keys are accepted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::TokenError;
use crate::config::Algorithm;

#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
}

impl Header {
    /// It must be an object, name an algorithm, and demand nothing: no extension is understood here.
    pub(super) fn read(token: &str) -> Result<Self, TokenError> {
        let encoded = token.split('.').next().unwrap_or_default();
        let decoded = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Malformed)?;
        let mut header: Map<String, Value> = serde_json::from_slice(&decoded).map_err(|_| TokenError::Malformed)?;
        if header.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        let Some(Value::String(alg)) = header.get("alg") else { return Err(TokenError::Malformed) };
        let algorithm = Algorithm::named(alg).ok_or(TokenError::Algorithm)?;
        let kid = match header.remove("kid") {
            None | Some(Value::Null) => None,
            Some(Value::String(kid)) => Some(kid),
            Some(_) => return Err(TokenError::Malformed),
        };
        Ok(Self { algorithm, kid })
    }
}
