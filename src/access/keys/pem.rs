//! Public keys as PEM, one after the other: `PUBLIC KEY` (X.509) and `RSA PUBLIC KEY` (PKCS #1).
//!
//! Must not know what they are for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{Key, Kind};
use super::set::{KeysError, Unfit};

/// What stands between `-----BEGIN` and `-----END`.
struct Section<'a> {
    label: &'a str,
    der: Vec<u8>,
}

/// All keys of `text`. One that cannot be used spoils it: an operator wrote it.
pub(super) fn read(text: &str) -> Result<Vec<Key>, KeysError> {
    let sections = sections(text).ok_or(KeysError::NotPem)?;
    if sections.is_empty() {
        return Err(KeysError::NotPem);
    }
    sections.iter().map(key).collect()
}

fn key(section: &Section<'_>) -> Result<Key, KeysError> {
    match section.label {
        "PUBLIC KEY" => public_key(&section.der).map_err(KeysError::Unfit),
        "RSA PUBLIC KEY" => Key::rsa_der(&section.der).map_err(KeysError::Unfit),
        "CERTIFICATE" => Err(KeysError::Certificate),
        label if label.ends_with("PRIVATE KEY") => Err(KeysError::Unfit(Unfit::Private)),
        _ => Err(KeysError::NotPem),
    }
}

/// A key of whatever type; the types do not read each other's.
fn public_key(der: &[u8]) -> Result<Key, Unfit> {
    // What comes before the point is the same in every key of its kind.
    for (kind, length, point) in [(Kind::P256, 91, 65), (Kind::P384, 120, 97), (Kind::Ed25519, 44, 32)] {
        if der.len() == length && Key::curve(kind, der).is_ok() {
            return Key::curve(kind, &der[length - point..]);
        }
    }
    match Key::rsa_der(der) {
        Err(Unfit::Unreadable) => Err(Unfit::UnknownType),
        key => key,
    }
}

/// `None` if a section does not end, or is not base64.
fn sections(text: &str) -> Option<Vec<Section<'_>>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("-----BEGIN ") {
        let (label, behind) = behind.split_once("-----")?;
        let (body, behind) = behind.split_once(&format!("-----END {label}-----"))?;
        let body: String = body.split_ascii_whitespace().collect();
        found.push(Section { label, der: STANDARD.decode(body).ok()? });
        rest = behind;
    }
    Some(found)
}
