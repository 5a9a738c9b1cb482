//! Whose tokens are believed, with which keys they are verified and what they have to say.
//!
//! Must not know how a token is verified, nor how keys are fetched.

use std::sync::Arc;

use super::{Algorithm, ClaimMap, RemoteKeys};
use crate::access::keys::KeySet;

/// What signs with a private key where an operator names no algorithm.
pub const USUAL_ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// Somebody who signs tokens with keys of whom the public half is known here.
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// What its tokens say in `iss`: one of these. Empty: nobody looks.
    pub names: Vec<String>,
    pub audience: Audience,
    /// By which it may sign. A key serves those of its type.
    pub algorithms: Vec<Algorithm>,
    pub keys: IssuerKeys,
    pub claims: Arc<ClaimMap>,
}

/// What is asked of tokens that `JWT_SECRET` signed.
#[derive(Clone, Debug)]
pub struct OwnTokens {
    pub algorithms: Vec<Algorithm>,
    /// `JWT_ISSUER`. Empty: nobody looks.
    pub names: Vec<String>,
    pub audience: Audience,
    pub claims: Arc<ClaimMap>,
    /// They need not say `iss` and `aud`: those are asked of the issuer that stands beside the secret. What they do say
    /// must be right all the same.
    pub may_be_silent: bool,
}

/// What a token has to say in `aud`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// `*`, or unset where it may be: anything, or nothing.
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

impl IssuerConfig {
    /// As an operator knows it.
    pub fn label(&self) -> String {
        if self.names.is_empty() { "the public keys".to_owned() } else { self.names.join(" or ") }
    }
}

impl Default for OwnTokens {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::HS256],
            names: Vec::new(),
            audience: Audience::Any,
            claims: Arc::default(),
            may_be_silent: false,
        }
    }
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug)]
pub enum IssuerKeys {
    /// Here: `JWKS_FILE`, `JWT_PUBLIC_KEY`.
    Held(KeySet),
    /// There: `JWKS_URL`, `OIDC_ISSUER`.
    Remote(RemoteKeys),
}
