//! What there is to say about one token, for an operator who asks why it is refused or what it opens.
//!
//! Must not know how it is printed. What a token says of itself before it is verified proves nothing.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Claims, Header, TokenError, TokenVerifier, bare, payload};
use crate::access::keys::{Kind, Looked};
use crate::config::Algorithm;

/// One token and what was made of it.
#[derive(Debug)]
pub struct Explained {
    /// As its header says.
    pub algorithm: Option<Algorithm>,
    /// What its header calls its key.
    pub kid: Option<String>,
    /// As it says itself.
    pub iss: Option<String>,
    /// Who judges it: the issuer's name, or the setting that has the key.
    pub judge: Option<String>,
    /// The key that signed it, if one did: what its set calls it, and what it is.
    pub key: Option<(Option<String>, Kind)>,
    /// What it claims, and whether it is good now.
    pub verdict: Result<Claims, TokenError>,
}

impl TokenVerifier {
    /// Judges `token` as a handshake at `now` would, and says how that went.
    pub fn explain(&self, token: &str, now: Timestamp) -> Explained {
        let verdict = self.claims(token, now);
        let token = bare(token);
        let header = Header::read(token).ok();
        let said: Map<String, Value> = payload(token).unwrap_or_default();
        let authority = header.as_ref().and_then(|header| self.authority(token, header.algorithm).ok());
        let key = header.as_ref().zip(authority).and_then(|(header, authority)| {
            let (kid, algorithm) = (header.kid.as_deref(), header.algorithm);
            let (_, signed_by) = authority.verify(token, kid, algorithm).ok()?;
            let Looked::Keys(keys) = authority.keys().look(kid, algorithm) else { return None };
            let key = keys.into_iter().find(|key| key.id() == signed_by)?;
            Some((key.kid().map(str::to_owned), key.kind()))
        });
        Explained {
            algorithm: header.as_ref().map(|header| header.algorithm),
            kid: header.and_then(|header| header.kid),
            iss: said.get("iss").and_then(Value::as_str).map(str::to_owned),
            judge: authority.map(|authority| authority.label().to_owned()),
            key,
            verdict,
        }
    }
}
