//! Whose tokens are believed: `JWT_ALGORITHMS`, `JWT_ISSUER`, `JWT_AUDIENCE`, and where the keys are (`JWKS_URL`, `JWKS_FILE`,
//! `JWT_PUBLIC_KEY`, `OIDC_ISSUER`), or `JWT_ISSUERS_FILE` for several.

use std::sync::Arc;

use super::keys::{self, Wrong};
use super::{claims, issuers_file};
use crate::access::keys::KeySet;
use crate::config::reader::{Reader, quote};
use crate::config::{Algorithm, Audience, IssuerConfig, IssuerKeys, OwnTokens, USUAL_ALGORITHMS};

const FILE: &str = "JWT_ISSUERS_FILE";
/// Each says where the keys of one issuer are.
const KEYS: [&str; 4] = ["JWKS_URL", "JWKS_FILE", "JWT_PUBLIC_KEY", "OIDC_ISSUER"];

/// Whether somebody's keys are configured beside `JWT_SECRET`.
pub(super) fn are_named(reader: &Reader<'_>) -> bool {
    KEYS.iter().chain(&[FILE]).any(|variable| reader.text(variable).is_some())
}

/// What is asked of tokens that `JWT_SECRET` signed, for who signs one.
pub(super) fn read_own(reader: &mut Reader<'_>) -> OwnTokens {
    OwnTokens {
        algorithms: Algorithms::read(reader).of_secret(),
        names: reader.list("JWT_ISSUER").unwrap_or_default(),
        audience: audience(reader).unwrap_or(Audience::Any),
        claims: Arc::new(claims::read(reader)),
        may_be_silent: are_named(reader),
    }
}

/// What is asked of tokens that `JWT_SECRET` signed, and who else signs. `has_secret`: whether that is set.
pub(super) fn read(reader: &mut Reader<'_>, has_secret: bool) -> (OwnTokens, Vec<IssuerConfig>) {
    let algorithms = Algorithms::read(reader);
    let allow_http = reader.flag("JWKS_ALLOW_HTTP");
    let audience = audience(reader);
    let names = reader.list("JWT_ISSUER").unwrap_or_default();
    let claims = Arc::new(claims::read(reader));
    let keys = keys(reader, allow_http);
    let file = reader.text(FILE);
    let discovered = reader.text("OIDC_ISSUER");

    let own = OwnTokens {
        algorithms: algorithms.of_secret(),
        names: names.iter().chain(&discovered).cloned().collect(),
        audience: audience.clone().unwrap_or(Audience::Any),
        claims: Arc::clone(&claims),
        may_be_silent: keys.is_some(),
    };
    if names.iter().any(|name| name == "*") {
        reader.mistake("JWT_ISSUER", "it cannot be everybody", "Write the iss of your tokens");
    }
    if let Some(path) = file {
        for variable in KEYS.into_iter().chain(["JWT_ISSUER"]) {
            if reader.text(variable).is_some() {
                let problem = format!("it is set and {FILE} is too");
                reader.mistake(variable, problem, "Set one of them; the file says it for each issuer");
            }
        }
        algorithms.check(reader, has_secret, true);
        let defaults =
            issuers_file::Defaults { algorithms: algorithms.of_keys(), allow_http, claims: &claims, has_secret };
        let (own_claims, issuers) = issuers_file::read(reader, FILE, &path, &defaults);
        return (OwnTokens { claims: own_claims, ..own }, issuers);
    }
    let Some((variable, keys)) = keys else {
        let is_set = KEYS.iter().any(|variable| reader.text(variable).is_some());
        algorithms.check(reader, has_secret, is_set);
        return (own, Vec::new());
    };
    let others = if has_secret { algorithms.of_keys() } else { algorithms.all_of_keys(&keys) };
    algorithms.check(reader, has_secret || others.iter().any(|one| one.is_symmetric()), true);
    if let IssuerKeys::Held(set) = &keys {
        check_held(reader, variable, set, &others);
    }
    if variable == "OIDC_ISSUER" && !names.is_empty() {
        reader.mistake("JWT_ISSUER", "it is set and OIDC_ISSUER is too", "Unset it: OIDC_ISSUER is what iss has to be");
    }
    if variable == "JWKS_URL" && names.is_empty() {
        let problem = "it is set and JWT_ISSUER is not, and providers sign for many customers with one key";
        reader.mistake(variable, problem, "Set JWT_ISSUER to the iss of your tokens");
    }
    if variable != "JWT_PUBLIC_KEY" && audience.is_none() {
        let problem = "it is not set, and whoever has a JWKS may sign for others with the same keys";
        reader.mistake("JWT_AUDIENCE", problem, "Write the aud of your tokens, or * if they carry none");
    }
    let issuer = IssuerConfig {
        names: own.names.clone(),
        audience: audience.unwrap_or(Audience::Any),
        algorithms: others,
        keys,
        claims,
    };
    (own, vec![issuer])
}

/// The one that is set, if it can be used, and its variable.
fn keys(reader: &mut Reader<'_>, allow_http: bool) -> Option<(&'static str, IssuerKeys)> {
    let mut found = None;
    let mut first = None;
    for variable in KEYS {
        let Some(text) = reader.text(variable) else { continue };
        if let Some(first) = first {
            let remedy = format!("Set one of them, or write several issuers into {FILE}");
            reader.mistake(variable, format!("it is set and {first} is too"), remedy);
            continue;
        }
        first = Some(variable);
        let keys = match variable {
            "JWKS_URL" => keys::jwks_at(&text, allow_http),
            "JWKS_FILE" => keys::jwks_file(&text).map(IssuerKeys::Held),
            "JWT_PUBLIC_KEY" => keys::public_key(&text).map(IssuerKeys::Held),
            _ => keys::discovered(&text, allow_http),
        };
        match keys {
            Ok(keys) => found = Some((variable, keys)),
            Err(Wrong { problem, remedy }) => reader.mistake(variable, problem, remedy),
        }
    }
    found
}

/// Whether keys that stay as they are serve any algorithm that may be used, and what is of no use among them.
fn check_held(reader: &mut Reader<'_>, variable: &str, set: &KeySet, algorithms: &[Algorithm]) {
    if let Some(Wrong { problem, remedy }) = unserved(set, algorithms) {
        reader.mistake(variable, problem, remedy);
    }
    for left_out in set.left_out() {
        reader.warn(variable, format!("a key is left out, {left_out}"));
    }
}

/// What is wrong with keys of which none serves any of `algorithms`.
pub(super) fn unserved(set: &KeySet, algorithms: &[Algorithm]) -> Option<Wrong> {
    let has_key = |algorithm: &Algorithm| set.keys().iter().any(|key| key.serves(*algorithm));
    if algorithms.iter().any(has_key) {
        return None;
    }
    let served: Vec<Algorithm> = Algorithm::ALL.iter().copied().filter(has_key).collect();
    Some(Wrong::new(
        format!("its keys serve {} and the algorithms are {}", listed(&served), listed(algorithms)),
        "Name the algorithm by which your tokens are signed (JWT_ALGORITHMS)",
    ))
}

fn listed(algorithms: &[Algorithm]) -> String {
    algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ")
}

/// `None` if it is not set.
fn audience(reader: &mut Reader<'_>) -> Option<Audience> {
    let listed = reader.list("JWT_AUDIENCE").filter(|listed| !listed.is_empty())?;
    if !listed.iter().any(|audience| audience == "*") {
        return Some(Audience::OneOf(listed));
    }
    if listed.len() > 1 {
        reader.mistake("JWT_AUDIENCE", "`*` stands beside others", "Write `*` alone, or only the others");
    }
    Some(Audience::Any)
}

/// `JWT_ALGORITHMS`.
struct Algorithms(Option<Vec<Algorithm>>);

impl Algorithms {
    const VARIABLE: &str = "JWT_ALGORITHMS";

    fn read(reader: &mut Reader<'_>) -> Self {
        let Some(names) = reader.list(Self::VARIABLE).filter(|names| !names.is_empty()) else { return Self(None) };
        let mut algorithms = Vec::new();
        for name in names {
            match Algorithm::named(&name) {
                Some(algorithm) if !algorithms.contains(&algorithm) => algorithms.push(algorithm),
                Some(_) => {}
                None => {
                    let remedy = format!("Write some of: {}", listed(Algorithm::ALL));
                    reader.mistake(Self::VARIABLE, format!("{} is not one that is accepted", quote(&name)), remedy);
                }
            }
        }
        Self(Some(algorithms))
    }

    /// Those of `JWT_SECRET`.
    fn of_secret(&self) -> Vec<Algorithm> {
        self.among(true, &[Algorithm::HS256])
    }

    /// Those of keys with a public half.
    fn of_keys(&self) -> Vec<Algorithm> {
        self.among(false, &USUAL_ALGORITHMS)
    }

    /// Those of somebody's keys, where there is no `JWT_SECRET`: a file may hold shared secrets, too.
    fn all_of_keys(&self, keys: &IssuerKeys) -> Vec<Algorithm> {
        let mut all = self.of_keys();
        if let (IssuerKeys::Held(set), Some(named)) = (keys, &self.0) {
            let of_secrets = named.iter().filter(|one| one.is_symmetric());
            all.extend(of_secrets.filter(|one| set.keys().iter().any(|key| key.serves(**one))));
        }
        all
    }

    fn among(&self, are_symmetric: bool, default: &[Algorithm]) -> Vec<Algorithm> {
        let all = self.0.as_deref().unwrap_or(default);
        all.iter().copied().filter(|algorithm| algorithm.is_symmetric() == are_symmetric).collect()
    }

    /// Every algorithm needs a key that could serve it, and every key an algorithm.
    fn check(&self, reader: &mut Reader<'_>, has_secret: bool, has_keys: bool) {
        let Some(named) = self.0.as_deref().filter(|named| !named.is_empty()) else { return };
        let first = |symmetric: bool| named.iter().find(|algorithm| algorithm.is_symmetric() == symmetric);
        match first(true) {
            Some(algorithm) if !has_secret => {
                let problem = format!("{} needs JWT_SECRET, which is not set", algorithm.name());
                reader.mistake(Self::VARIABLE, problem, "Set it, or leave this algorithm out");
            }
            None if has_secret => {
                let problem = "it names none that JWT_SECRET serves, which is set";
                reader.mistake(Self::VARIABLE, problem, "Add HS256, or unset JWT_SECRET");
            }
            _ => {}
        }
        match first(false) {
            Some(algorithm) if !has_keys => {
                let problem = format!("{} needs public keys, and none are configured", algorithm.name());
                let remedy = format!("Set {} or {FILE}, or leave this algorithm out", KEYS.join(", "));
                reader.mistake(Self::VARIABLE, problem, remedy);
            }
            None if has_keys && has_secret => {
                let problem = "it names none that public keys serve, and some are configured";
                reader.mistake(
                    Self::VARIABLE,
                    problem,
                    "Add the algorithm by which your tokens are signed, such as RS256",
                );
            }
            _ => {}
        }
    }
}
