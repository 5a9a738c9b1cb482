//! One key that verifies: what it is, which algorithms it may serve, and by what it is known again.
//!
//! Must not know how it was written down.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{PublicKey, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use jsonwebtoken::DecodingKey;
use sha2::{Digest as _, Sha256};

use super::set::Unfit;
use crate::config::Algorithm;
use crate::model::KeyId;

/// Weaker RSA keys are refused; larger ones no library here verifies with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// Together with the modulus it costs every verification; all that are in use are 65,537 or smaller.
const MAX_EXPONENT_BYTES: usize = 4;
/// A shared secret that is shorter can be guessed from one token.
const MIN_SECRET_BYTES: usize = 32;

/// What a key is; it settles which algorithms it may serve, whatever a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Secret,
    /// Of so many bits.
    Rsa(usize),
    P256,
    P384,
    Ed25519,
}

/// A key that verifies signatures.
#[derive(Clone)]
pub struct Key {
    kid: Option<String>,
    kind: Kind,
    /// The one algorithm it is for, where it says so.
    only: Option<Algorithm>,
    decoding: DecodingKey,
    id: KeyId,
}

impl Key {
    /// A secret that is shared with who signs, in bytes.
    pub(super) fn secret(secret: &[u8]) -> Self {
        Self::new(Kind::Secret, DecodingKey::from_secret(secret), secret)
    }

    /// As [`Self::secret`], if it is long enough not to be guessed.
    pub(super) fn strong_secret(secret: &[u8]) -> Result<Self, Unfit> {
        if secret.len() < MIN_SECRET_BYTES { Err(Unfit::ShortSecret) } else { Ok(Self::secret(secret)) }
    }

    /// An RSA key from its modulus and its exponent, big-endian.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, Unfit> {
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        if e.len() > MAX_EXPONENT_BYTES {
            return Err(Unfit::Unreadable);
        }
        let der: PublicKeyX509Der<'_> = PublicKeyComponents { n, e }.as_der().map_err(|_| Unfit::Unreadable)?;
        Self::rsa_der(der.as_ref())
    }

    /// An RSA key as PKCS #1 or X.509 writes it.
    pub(super) fn rsa_der(der: &[u8]) -> Result<Self, Unfit> {
        let key = PublicKey::from_der(der).map_err(|_| Unfit::Unreadable)?;
        let modulus = key.modulus();
        let modulus = modulus.big_endian_without_leading_zero();
        let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if bits < *RSA_BITS.start() {
            return Err(Unfit::WeakRsa(bits));
        }
        let exponent_bytes = key.exponent().big_endian_without_leading_zero().len();
        if bits > *RSA_BITS.end() || exponent_bytes > MAX_EXPONENT_BYTES {
            return Err(Unfit::Unreadable);
        }
        // One form whatever it was written in, so that its id is one too.
        Ok(Self::new(Kind::Rsa(bits), DecodingKey::from_rsa_der(key.as_ref()), key.as_ref()))
    }

    /// A key of an elliptic curve: a point of it, uncompressed, or an X.509 key.
    pub(super) fn curve(kind: Kind, bytes: &[u8]) -> Result<Self, Unfit> {
        let algorithm: &'static dyn VerificationAlgorithm = match kind {
            Kind::P256 => &ECDSA_P256_SHA256_FIXED,
            Kind::P384 => &ECDSA_P384_SHA384_FIXED,
            Kind::Ed25519 => &ED25519,
            Kind::Secret | Kind::Rsa(_) => return Err(Unfit::Unreadable),
        };
        // Whether the point is on the curve is found out here, once.
        ParsedPublicKey::new(algorithm, bytes).map_err(|_| Unfit::Unreadable)?;
        let decoding = match kind {
            Kind::Ed25519 => DecodingKey::from_ed_der(bytes),
            _ => DecodingKey::from_ec_der(bytes),
        };
        Ok(Self::new(kind, decoding, bytes))
    }

    fn new(kind: Kind, decoding: DecodingKey, bytes: &[u8]) -> Self {
        Self { kid: None, kind, only: None, decoding, id: id(kind, bytes) }
    }

    /// With the name and the algorithm that its set gives it.
    pub(super) fn called(mut self, kid: Option<String>, only: Option<Algorithm>) -> Result<Self, Unfit> {
        if let Some(only) = only.filter(|only| !self.kind.may_serve(*only)) {
            return Err(Unfit::AlgorithmOfAnotherType(only.name()));
        }
        (self.kid, self.only) = (kid, only);
        Ok(self)
    }

    /// What its set calls it, if it does.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Whether a signature of `algorithm` may be verified with it: by what it is, and by its own `alg` if it has one.
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        self.only.map_or_else(|| self.kind.may_serve(algorithm), |only| only == algorithm)
    }

    pub fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Kind {
    fn may_serve(self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        match self {
            Self::Secret => algorithm.is_symmetric(),
            Self::Rsa(_) => matches!(algorithm, A::RS256 | A::RS384 | A::RS512 | A::PS256),
            Self::P256 => algorithm == A::ES256,
            Self::P384 => algorithm == A::ES384,
            Self::Ed25519 => algorithm == A::EdDSA,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret => f.write_str("a shared secret"),
            Self::Rsa(bits) => write!(f, "RSA of {bits} bits"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

/// By what a key is known again, wherever it comes from and whatever it is called.
fn id(kind: Kind, bytes: &[u8]) -> KeyId {
    let sort = match kind {
        Kind::Secret => 0,
        Kind::Rsa(_) => 1,
        Kind::P256 => 2,
        Kind::P384 => 3,
        Kind::Ed25519 => 4,
    };
    let digest = Sha256::new().chain_update([sort]).chain_update(bytes).finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    KeyId::new(id)
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
