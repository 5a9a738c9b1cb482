//! Where an issuer publishes its keys.
//!
//! Must not know how they are fetched.

use url::Url;

/// A set of public keys that is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteKeys {
    pub at: KeysAt,
    /// `JWKS_ALLOW_HTTP`: without TLS to hosts other than this one, too.
    pub allow_http: bool,
}

/// What the operator has given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysAt {
    /// `JWKS_URL`: the set itself.
    Jwks(Url),
    /// `OIDC_ISSUER`: the issuer, whose `/.well-known/openid-configuration` says where the set is. To the letter as tokens
    /// name it in `iss`, for that document has to name it so, too.
    Discovery { issuer: String, url: Url },
}
