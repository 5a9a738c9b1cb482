//! Where keys are, from a text of the operator's: a URL, a file, a PEM.
//!
//! Must not know which setting the text comes from.

use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::access::keys::{KeySet, KeysError, MAX_BYTES};
use crate::config::reader::quote;
use crate::config::{IssuerKeys, KeysAt, RemoteKeys};

/// What is wrong with a text, and what to do about it.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Wrong {
    pub(super) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}

/// The address of a JWKS.
pub(super) fn jwks_at(text: &str, allow_http: bool) -> Result<IssuerKeys, Wrong> {
    let at = KeysAt::Jwks(url(text, allow_http)?);
    Ok(IssuerKeys::Remote(RemoteKeys { at, allow_http }))
}

/// An issuer whose own document says where its JWKS is.
pub(super) fn discovered(issuer: &str, allow_http: bool) -> Result<IssuerKeys, Wrong> {
    let at = url(issuer, allow_http)?;
    if at.query().is_some() || at.fragment().is_some() {
        return Err(Wrong::new("an issuer has neither ? nor #", "Write it as your tokens say it in iss"));
    }
    let document = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let url = Url::parse(&document).map_err(|error| Wrong::new(error.to_string(), "Write https://host/path"))?;
    let at = KeysAt::Discovery { issuer: issuer.to_owned(), url };
    Ok(IssuerKeys::Remote(RemoteKeys { at, allow_http }))
}

fn url(text: &str, allow_http: bool) -> Result<Url, Wrong> {
    // Never quoted before it is known that it holds no password.
    let url = Url::parse(text).map_err(|error| {
        Wrong::new(format!("it is not a URL ({error})"), "Write https://host/path, as your provider gives it")
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::new("it holds a user or a password", "Keys are public: leave what stands before the @ out"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_http || is_loopback(&url) => Ok(url),
        "http" => Err(Wrong::new(
            "whoever is on the way could put keys of their own there",
            "Write https://, or set JWKS_ALLOW_HTTP=true in a private network",
        )),
        other => Err(Wrong::new(format!("{} is not https", quote(other)), "Write https://host/path")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST || address.is_loopback(),
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        None => false,
    }
}

/// A JWKS in a file of the operator's, who may keep shared secrets there.
pub(super) fn jwks_file(path: &str) -> Result<KeySet, Wrong> {
    let json = read_file(path)?;
    KeySet::from_own_jwks(&json).map_err(|error| cannot_use(path, &error))
}

/// A key in PEM, or a file that holds it.
pub(super) fn public_key(text: &str) -> Result<KeySet, Wrong> {
    if text.contains("-----BEGIN") {
        // As many put it on one line.
        let pem = text.replace("\\n", "\n");
        return KeySet::from_pem(&pem).map_err(|error| Wrong::new(error.to_string(), PEM));
    }
    let bytes = read_file(text)?;
    let pem = String::from_utf8(bytes).map_err(|_| cannot_use(text, &KeysError::NotPem))?;
    KeySet::from_pem(&pem).map_err(|error| cannot_use(text, &error))
}

const PEM: &str = "Write -----BEGIN PUBLIC KEY-----…, or the name of a file that holds it";

fn cannot_use(path: &str, error: &KeysError) -> Wrong {
    Wrong::new(format!("of {} {error}", quote(path)), "Write there what your provider publishes")
}

/// A file of no more bytes than a set of keys may have.
pub(super) fn read_file(path: &str) -> Result<Vec<u8>, Wrong> {
    let cannot = |why: &str| Wrong::new(format!("{} {why}", quote(path)), "Name a readable file");
    let file = File::open(path).map_err(|error| cannot(&format!("cannot be read ({})", error.kind())))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot(&format!("cannot be read ({})", error.kind())))?;
    if bytes.len() > MAX_BYTES { Err(cannot(&format!("is larger than {MAX_BYTES} bytes"))) } else { Ok(bytes) }
}
