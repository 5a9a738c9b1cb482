//! Keys as they come together: from a JWKS, a PEM or a setting; which of them a token may have been signed with, and
//! which entries are of no use.
//!
//! Must not know where a set is kept nor how long it is good.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::key::Key;
use super::{jwk, pem};
use crate::config::{Algorithm, Secret};
use crate::model::KeyId;

/// A set that is longer is not read.
pub const MAX_BYTES: usize = 1024 * 1024;
/// A set of more keys is not used.
pub const MAX_KEYS: usize = 100;
/// So many public keys are tried on a token that does not say which of them signed it.
const MAX_TRIED: usize = 8;

/// Keys that one issuer signs with.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Arc<Key>>,
    left_out: Vec<LeftOut>,
}

/// The keys with which a token may have been signed; hardly ever more than one.
pub type Candidates = SmallVec<[Arc<Key>; 1]>;

/// An entry of a set that verifies nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub kid: Option<String>,
    pub why: Unfit,
}

/// Who holds a set: what is on the web anybody can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Operator,
    Web,
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("it cannot be read")]
    Unreadable,
    #[error("its type (kty) is not known")]
    UnknownType,
    #[error("its curve (crv) is not known")]
    UnknownCurve,
    #[error("its algorithm (alg) is not known")]
    UnknownAlgorithm,
    #[error("it is for another use than to verify signatures")]
    OtherUse,
    #[error("its alg is {0}, which is not for keys of its type")]
    AlgorithmOfAnotherType(&'static str),
    #[error("it is an RSA key of {0} bits; 2048 are the least")]
    WeakRsa(usize),
    #[error("it is a secret of less than 32 bytes")]
    ShortSecret,
    #[error("it is a shared secret, which everybody can read where it stands")]
    PublicSecret,
    #[error("it is a private key; only its public part belongs here")]
    Private,
    #[error("it is there twice")]
    Repeated,
}

/// Why there is no set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    #[error("it is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("it is not a JSON Web Key Set")]
    NotJwks,
    #[error("it has {0} keys; {MAX_KEYS} are the most")]
    TooMany(usize),
    #[error("it has no key")]
    Empty,
    #[error("none of its keys can be used: {}", list(.0))]
    NoneUsable(Vec<LeftOut>),
    #[error("it is not a public key in PEM")]
    NotPem,
    #[error(
        "it is a certificate, which ends one day; write the key in it (openssl x509 -pubkey -noout -in certificate.pem)"
    )]
    Certificate,
    #[error("the key cannot be used: {0}")]
    Unfit(Unfit),
}

impl KeySet {
    /// A JWKS that anybody can read: public keys only. Entries that are of no use are left out; a set without one that
    /// is of use is none.
    pub fn from_jwks(json: &[u8]) -> Result<Self, KeysError> {
        Self::read(json, Holder::Web)
    }

    /// As [`Self::from_jwks`], from a file of the operator's, which may hold shared secrets too.
    pub fn from_own_jwks(json: &[u8]) -> Result<Self, KeysError> {
        Self::read(json, Holder::Operator)
    }

    /// The public keys of a PEM text, which have no names.
    pub fn from_pem(text: &str) -> Result<Self, KeysError> {
        if text.len() > MAX_BYTES {
            return Err(KeysError::TooLarge);
        }
        let keys = pem::read(text)?;
        if keys.len() > MAX_KEYS {
            return Err(KeysError::TooMany(keys.len()));
        }
        Ok(Self::of(keys.into_iter().map(Ok)))
    }

    /// Shared secrets, which have no names.
    pub fn from_secrets<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        Self::of(secrets.into_iter().map(|secret| Ok(Key::secret(secret.expose().as_bytes()))))
    }

    fn read(json: &[u8], holder: Holder) -> Result<Self, KeysError> {
        if json.len() > MAX_BYTES {
            return Err(KeysError::TooLarge);
        }
        let document: Map<String, Value> = serde_json::from_slice(json).map_err(|_| KeysError::NotJwks)?;
        let entries = document.get("keys").and_then(Value::as_array).ok_or(KeysError::NotJwks)?;
        if entries.is_empty() {
            return Err(KeysError::Empty);
        }
        if entries.len() > MAX_KEYS {
            return Err(KeysError::TooMany(entries.len()));
        }
        let set = Self::of(entries.iter().map(|entry| {
            let key = entry.as_object().ok_or(Unfit::Unreadable).and_then(|entry| jwk::read(entry, holder));
            let kid = || entry.get("kid").and_then(Value::as_str).map(str::to_owned);
            key.map_err(|why| LeftOut { kid: kid(), why })
        }));
        if set.keys.is_empty() { Err(KeysError::NoneUsable(set.left_out)) } else { Ok(set) }
    }

    fn of(found: impl Iterator<Item = Result<Key, LeftOut>>) -> Self {
        let mut set = Self::default();
        for key in found {
            match key {
                Ok(key) if set.keys.iter().any(|other| other.id() == key.id() && other.kid() == key.kid()) => {
                    set.left_out.push(LeftOut { kid: key.kid().map(str::to_owned), why: Unfit::Repeated });
                }
                Ok(key) => set.keys.push(Arc::new(key)),
                Err(left_out) => set.left_out.push(left_out),
            }
        }
        set
    }

    pub fn keys(&self) -> &[Arc<Key>] {
        &self.keys
    }

    /// The entries that are of no use, and why.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn holds(&self, id: KeyId) -> bool {
        self.keys.iter().any(|key| key.id() == id)
    }

    /// Whether both hold the same keys, whatever they are called.
    pub(super) fn has_the_keys_of(&self, other: &Self) -> bool {
        let holds_all = |one: &Self, of: &Self| of.keys.iter().all(|key| one.holds(key.id()));
        holds_all(self, other) && holds_all(other, self)
    }

    /// Whether a key of this name is there, whatever it may serve.
    pub(super) fn names(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid() == Some(kid))
    }

    /// The keys that may have signed by `algorithm` a token that says `kid`, in the set's order. Several keys of one name
    /// are all meant. Keys without a name are meant where no other is; and where a token says no `kid`, all are, but of
    /// public keys no more than [`MAX_TRIED`]: verifying is not for nothing.
    pub fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> Candidates {
        let serving = || self.keys.iter().filter(|key| key.serves(algorithm));
        let most = if algorithm.is_symmetric() { MAX_KEYS } else { MAX_TRIED };
        let Some(kid) = kid else { return serving().take(most).cloned().collect() };
        let named = serving().filter(|key| key.kid() == Some(kid));
        let named: Candidates = named.take(most).cloned().collect();
        if !named.is_empty() || self.names(kid) {
            return named;
        }
        serving().filter(|key| key.kid().is_none()).take(most).cloned().collect()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            // Another's text: escaped, and short enough to read.
            Some(kid) => write!(f, "{:?}: {}", kid.chars().take(60).collect::<String>(), self.why),
            None => write!(f, "one without a kid: {}", self.why),
        }
    }
}

/// A few of them, to be read by people.
fn list(left_out: &[LeftOut]) -> String {
    let first: Vec<String> = left_out.iter().take(3).map(ToString::to_string).collect();
    let more = if left_out.len() > 3 { "; and others" } else { "" };
    format!("{}{more}", first.join("; "))
}
