//! One entry of a JWKS (RFC 7517, 7518, 8037), read as what it may be used for.
//!
//! Must not know the set around it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::key::{Key, Kind};
use super::set::{Holder, Unfit};
use crate::config::Algorithm;

/// What `alg` may say of an Ed25519 key since RFC 9864.
const ED25519: &str = "Ed25519";

/// The key that an entry describes, if it verifies signatures of ours.
pub(super) fn read(entry: &Map<String, Value>, holder: Holder) -> Result<Key, Unfit> {
    for of_a_private_key in ["d", "p", "q"] {
        if entry.contains_key(of_a_private_key) {
            return Err(Unfit::Private);
        }
    }
    check_use(entry)?;
    let only = algorithm(entry)?;
    let key = match text(entry, "kty")? {
        "RSA" => Key::rsa(&bytes(entry, "n")?, &bytes(entry, "e")?)?,
        "EC" => match text(entry, "crv")? {
            "P-256" => point(entry, Kind::P256, 32)?,
            "P-384" => point(entry, Kind::P384, 48)?,
            _ => return Err(Unfit::UnknownCurve),
        },
        "OKP" if text(entry, "crv")? == ED25519 => Key::curve(Kind::Ed25519, &exactly(entry, "x", 32)?)?,
        "OKP" => return Err(Unfit::UnknownCurve),
        "oct" if holder == Holder::Operator => Key::strong_secret(&bytes(entry, "k")?)?,
        "oct" => return Err(Unfit::PublicSecret),
        _ => return Err(Unfit::UnknownType),
    };
    let kid = match entry.get("kid") {
        None | Some(Value::Null) => None,
        Some(Value::String(kid)) => Some(kid.clone()),
        Some(_) => return Err(Unfit::Unreadable),
    };
    key.called(kid, only)
}

/// A key for encryption, or to sign with, verifies nothing.
fn check_use(entry: &Map<String, Value>) -> Result<(), Unfit> {
    let is_for_signatures = match entry.get("use") {
        None | Some(Value::Null) => true,
        Some(given) => given == "sig",
    };
    let verifies = match entry.get("key_ops") {
        None | Some(Value::Null) => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => false,
    };
    if is_for_signatures && verifies { Ok(()) } else { Err(Unfit::OtherUse) }
}

fn algorithm(entry: &Map<String, Value>) -> Result<Option<Algorithm>, Unfit> {
    match entry.get("alg") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(alg)) if alg == ED25519 => Ok(Some(Algorithm::EdDSA)),
        Some(Value::String(alg)) => Algorithm::named(alg).map(Some).ok_or(Unfit::UnknownAlgorithm),
        Some(_) => Err(Unfit::Unreadable),
    }
}

/// A point, uncompressed, from its coordinates of `length` bytes each.
fn point(entry: &Map<String, Value>, kind: Kind, length: usize) -> Result<Key, Unfit> {
    let (x, y) = (exactly(entry, "x", length)?, exactly(entry, "y", length)?);
    Key::curve(kind, &[&[4], &x[..], &y[..]].concat())
}

fn exactly(entry: &Map<String, Value>, member: &str, length: usize) -> Result<Vec<u8>, Unfit> {
    bytes(entry, member).and_then(|bytes| if bytes.len() == length { Ok(bytes) } else { Err(Unfit::Unreadable) })
}

/// A member in base64url. Padding, which it must not have and sometimes has, is passed over.
fn bytes(entry: &Map<String, Value>, member: &str) -> Result<Vec<u8>, Unfit> {
    URL_SAFE_NO_PAD.decode(text(entry, member)?.trim_end_matches('=')).map_err(|_| Unfit::Unreadable)
}

fn text<'a>(entry: &'a Map<String, Value>, member: &str) -> Result<&'a str, Unfit> {
    entry.get(member).and_then(Value::as_str).ok_or(Unfit::Unreadable)
}
