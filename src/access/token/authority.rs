//! One who signs tokens: whether a signature is its own, and whether what stands over it was meant for this server.
//!
//! Must not know the clock, nor how keys are fetched.

use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode};
use serde_json::{Map, Value};

use super::TokenError;
use crate::access::keys::{KeySet, Looked, Source};
use crate::config::{Algorithm, Audience, AuthConfig, ClaimMap, IssuerConfig, IssuerKeys};
use crate::model::KeyId;

/// Those who sign, by the configuration.
pub(super) fn all(config: &AuthConfig) -> Vec<Authority> {
    let own = (!config.secrets.is_empty()).then(|| {
        let own = &config.own;
        Authority {
            label: "JWT_SECRET".to_owned(),
            names: own.names.clone(),
            may_be_silent: own.may_be_silent,
            validations: validations(&own.algorithms, &own.audience, own.may_be_silent),
            keys: Arc::new(Source::fixed(KeySet::from_secrets(&config.secrets))),
            may_withdraw: false,
            claims: Arc::clone(&own.claims),
        }
    });
    own.into_iter().chain(config.issuers.iter().map(Authority::new)).collect()
}

#[derive(Debug)]
pub(super) struct Authority {
    /// As an operator knows it.
    label: String,
    /// What its tokens say in `iss`. Empty: nobody looks.
    names: Vec<String>,
    /// Its tokens need not say `iss`.
    may_be_silent: bool,
    /// What a signature of each of its algorithms stands over.
    validations: Vec<(Algorithm, Validation)>,
    keys: Arc<Source>,
    /// Whether a key of its may be gone tomorrow.
    may_withdraw: bool,
    claims: Arc<ClaimMap>,
}

impl Authority {
    fn new(config: &IssuerConfig) -> Self {
        let (source, may_withdraw) = match &config.keys {
            IssuerKeys::Held(set) => (Source::fixed(set.clone()), false),
            IssuerKeys::Remote(remote) => (Source::fetched(remote.clone()), true),
        };
        Self {
            label: config.label(),
            names: config.names.clone(),
            may_be_silent: false,
            validations: validations(&config.algorithms, &config.audience, false),
            keys: Arc::new(source),
            may_withdraw,
            claims: Arc::clone(&config.claims),
        }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn keys(&self) -> &Arc<Source> {
        &self.keys
    }

    pub(super) fn claims(&self) -> &Arc<ClaimMap> {
        &self.claims
    }

    pub(super) fn may_withdraw(&self) -> bool {
        self.may_withdraw
    }

    pub(super) fn accepts(&self, algorithm: Algorithm) -> bool {
        self.validation(algorithm).is_some()
    }

    /// Whether this is one of its names.
    pub(super) fn is_called(&self, iss: &str) -> bool {
        self.names.iter().any(|name| name == iss)
    }

    /// Whether a token that says this may be its own.
    pub(super) fn takes(&self, iss: Option<&str>) -> bool {
        match iss {
            _ if self.names.is_empty() => true,
            Some(iss) => self.is_called(iss),
            None => self.may_be_silent,
        }
    }

    /// The claims, if one of its keys signed them by `algorithm`, and which.
    pub(super) fn verify(
        &self,
        token: &str,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<(Map<String, Value>, KeyId), TokenError> {
        let validation = self.validation(algorithm).ok_or(TokenError::Algorithm)?;
        let keys = match self.keys.look(kid, algorithm) {
            Looked::Keys(keys) => keys,
            Looked::Unknown => return Err(TokenError::UnknownKey),
            Looked::NotYet => return Err(TokenError::Unchecked),
        };
        for key in keys {
            match decode::<Map<String, Value>>(token, key.decoding(), validation) {
                Ok(decoded) => return self.check_issuer(&decoded.claims).map(|()| (decoded.claims, key.id())),
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

    /// `iss` is one text: several, or none that could be compared, is nobody.
    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), TokenError> {
        let is_right = match claims.get("iss") {
            _ if self.names.is_empty() => true,
            None => self.may_be_silent,
            Some(iss) => iss.as_str().is_some_and(|iss| self.is_called(iss)),
        };
        if is_right { Ok(()) } else { Err(TokenError::Issuer) }
    }

    fn validation(&self, algorithm: Algorithm) -> Option<&Validation> {
        self.validations.iter().find(|(of, _)| *of == algorithm).map(|(_, validation)| validation)
    }
}

fn validations(algorithms: &[Algorithm], audience: &Audience, may_be_silent: bool) -> Vec<(Algorithm, Validation)> {
    algorithms.iter().map(|algorithm| (*algorithm, validation(*algorithm, audience, may_be_silent))).collect()
}

fn validation(algorithm: Algorithm, audience: &Audience, may_be_silent: bool) -> Validation {
    let mut validation = Validation::new(in_library(algorithm));
    // The library would ask the system clock; times are checked elsewhere, against the caller's.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.required_spec_claims.clear();
    match audience {
        Audience::OneOf(audiences) => {
            validation.set_audience(audiences);
            if !may_be_silent {
                validation.set_required_spec_claims(&["aud"]);
            }
        }
        // Left on, it would refuse every token that carries an audience.
        Audience::Any => validation.validate_aud = false,
    }
    validation
}

pub(super) fn in_library(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    use jsonwebtoken::Algorithm as Library;
    match algorithm {
        Algorithm::HS256 => Library::HS256,
        Algorithm::HS384 => Library::HS384,
        Algorithm::HS512 => Library::HS512,
        Algorithm::RS256 => Library::RS256,
        Algorithm::RS384 => Library::RS384,
        Algorithm::RS512 => Library::RS512,
        Algorithm::PS256 => Library::PS256,
        Algorithm::ES256 => Library::ES256,
        Algorithm::ES384 => Library::ES384,
        Algorithm::EdDSA => Library::EdDSA,
    }
}
