//! `JWT_ISSUERS_FILE`: several issuers at once, as an array of JSON objects. What an entry does not say holds as the
//! settings have it.
//!
//! Must not know how a token is verified.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::claims::{PATHS, warn_of_users_own};
use super::issuers::unserved;
use super::keys::{self, Wrong};
use crate::config::reader::{Reader, quote};
use crate::config::{Algorithm, Audience, ClaimMap, ClaimPath, IssuerConfig, IssuerKeys};

/// Longest prefix of a user's names, in bytes.
const MAX_PREFIX_BYTES: usize = 64;
const FORM: &str = "Write [{\"issuer\": \"https://…\", \"jwks_url\": \"https://…\", \"audience\": \"…\"}, …]";

/// What holds where an entry says nothing.
pub(super) struct Defaults<'a> {
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) allow_http: bool,
    pub(super) claims: &'a Arc<ClaimMap>,
    /// Whether `JWT_SECRET` stands beside the file: its users have names without a prefix.
    pub(super) has_secret: bool,
}

/// One issuer, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    issuer: String,
    jwks_url: Option<String>,
    jwks_file: Option<String>,
    public_key: Option<String>,
    audience: Option<OneOrMore>,
    algorithms: Option<Vec<String>>,
    claims: Option<Claims>,
    staff_roles: Option<Vec<String>>,
    #[serde(default)]
    user_prefix: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Paths as `CLAIM_*` take them.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Claims {
    user: Option<String>,
    negocio: Option<String>,
    negocios: Option<String>,
    restaurant: Option<String>,
    role: Option<String>,
}

/// The claims of tokens that `JWT_SECRET` signed, who share no names with those of the file, and the file's issuers.
pub(super) fn read(
    reader: &mut Reader<'_>,
    variable: &str,
    path: &str,
    defaults: &Defaults<'_>,
) -> (Arc<ClaimMap>, Vec<IssuerConfig>) {
    let own = Arc::clone(defaults.claims);
    let entries = match entries(path) {
        Ok(entries) => entries,
        Err(Wrong { problem, remedy }) => {
            reader.mistake(variable, problem, remedy);
            return (own, Vec::new());
        }
    };
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let of = format!("entry {}", place + 1);
        let entry: Entry = match serde_json::from_str(entry.get()) {
            Ok(entry) => entry,
            Err(error) => {
                reader.mistake(variable, format!("{of}: {error}"), FORM);
                continue;
            }
        };
        let of = format!("{of} ({})", quote(&entry.issuer));
        if issuers.iter().any(|other| other.names[0] == entry.issuer) {
            reader.mistake(variable, format!("{of} is there twice"), "Write one entry an issuer");
        }
        issuers.extend(issuer(reader, variable, &of, entry, defaults));
    }
    warn_of_shared_users(reader, variable, defaults.has_secret, &issuers);
    (with_prefixes(own, defaults.has_secret, &mut issuers), issuers)
}

fn entries(path: &str) -> Result<Vec<Box<RawValue>>, Wrong> {
    let json = keys::read_file(path)?;
    let entries: Vec<Box<RawValue>> = serde_json::from_slice(&json)
        .map_err(|error| Wrong::new(format!("{} is not an array of JSON ({error})", quote(path)), FORM))?;
    if entries.is_empty() { Err(Wrong::new(format!("{} names no issuer", quote(path)), FORM)) } else { Ok(entries) }
}

fn issuer(
    reader: &mut Reader<'_>,
    variable: &str,
    of: &str,
    entry: Entry,
    defaults: &Defaults<'_>,
) -> Option<IssuerConfig> {
    let before = reader.mistakes.len();
    let mut wrong = |Wrong { problem, remedy }: Wrong| reader.mistake(variable, format!("{of}: {problem}"), remedy);
    if entry.issuer.is_empty() {
        wrong(Wrong::new("its issuer is empty", "Write what its tokens say in iss"));
    }
    let keys = keys(&entry, defaults.allow_http).map_err(&mut wrong).ok();
    let algorithms = algorithms(entry.algorithms, &defaults.algorithms).map_err(&mut wrong).unwrap_or_default();
    let is_jwks = entry.public_key.is_none();
    let audience = audience(entry.audience, is_jwks).map_err(&mut wrong).ok();
    if let Some(IssuerKeys::Held(set)) = &keys
        && !algorithms.is_empty()
        && let Some(unserved) = unserved(set, &algorithms)
    {
        wrong(unserved);
    }
    if entry.user_prefix.len() > MAX_PREFIX_BYTES || entry.user_prefix.contains(char::is_control) {
        let problem = format!("its user_prefix is over {MAX_PREFIX_BYTES} bytes or has control characters");
        wrong(Wrong::new(problem, "Write a short one, such as \"acme:\""));
    }
    let claims = claims(reader, variable, of, entry.claims.unwrap_or_default(), defaults.claims);
    if let Some(IssuerKeys::Held(set)) = &keys {
        for left_out in set.left_out() {
            reader.warn(variable, format!("{of}: a key is left out, {left_out}"));
        }
    }
    let staff_roles = entry.staff_roles.unwrap_or_else(|| claims.staff_roles.clone());
    let claims = Arc::new(ClaimMap { staff_roles, user_prefix: entry.user_prefix, ..claims });
    (reader.mistakes.len() == before).then_some(())?;
    Some(IssuerConfig { names: vec![entry.issuer], audience: audience?, algorithms, keys: keys?, claims })
}

/// Without any place for them they are found by discovery.
fn keys(entry: &Entry, allow_http: bool) -> Result<IssuerKeys, Wrong> {
    match (&entry.jwks_url, &entry.jwks_file, &entry.public_key) {
        (None, None, None) => keys::discovered(&entry.issuer, allow_http),
        (Some(url), None, None) => keys::jwks_at(url, allow_http),
        (None, Some(path), None) => keys::jwks_file(path).map(IssuerKeys::Held),
        (None, None, Some(key)) => keys::public_key(key).map(IssuerKeys::Held),
        _ => Err(Wrong::new("it says more than once where its keys are", "Write jwks_url, jwks_file or public_key")),
    }
}

fn algorithms(said: Option<Vec<String>>, default: &[Algorithm]) -> Result<Vec<Algorithm>, Wrong> {
    let Some(names) = said.filter(|names| !names.is_empty()) else { return Ok(default.to_vec()) };
    let known = |name: &String| {
        Algorithm::named(name).ok_or_else(|| {
            Wrong::new(
                format!("{} is not an algorithm that is accepted", quote(name)),
                "Write some such as RS256, ES256",
            )
        })
    };
    names.iter().map(known).collect()
}

fn audience(listed: Option<OneOrMore>, is_jwks: bool) -> Result<Audience, Wrong> {
    let listed = match listed {
        None if is_jwks => {
            let problem = "it has no audience, and whoever has a JWKS may sign for others with the same keys";
            return Err(Wrong::new(problem, "Write the aud of its tokens, or \"*\" if they carry none"));
        }
        None => return Ok(Audience::Any),
        Some(OneOrMore::One(one)) => vec![one],
        Some(OneOrMore::More(more)) => more,
    };
    match listed.as_slice() {
        [any] if any == "*" => Ok(Audience::Any),
        [] => Err(Wrong::new("its audience is empty", "Write the aud of its tokens, or \"*\"")),
        all if all.iter().any(|one| one == "*" || one.is_empty()) => {
            Err(Wrong::new("its audience has `*`, or nothing, beside others", "Write \"*\" alone, or only the others"))
        }
        _ => Ok(Audience::OneOf(listed)),
    }
}

fn claims(reader: &mut Reader<'_>, variable: &str, of: &str, said: Claims, default: &ClaimMap) -> ClaimMap {
    let mut paths = |name: &str, said: Option<String>| {
        let text = said?;
        match ClaimPath::list(&text) {
            Ok(paths) => {
                warn_of_users_own(reader, variable, &format!("{of}: "), &paths);
                Some(paths)
            }
            Err(problem) => {
                reader.mistake(variable, format!("{of}: {name} is {}: {problem}", quote(&text)), PATHS);
                None
            }
        }
    };
    let default = default.clone();
    ClaimMap {
        user: paths("user", said.user).unwrap_or(default.user),
        negocio: paths("negocio", said.negocio).unwrap_or(default.negocio),
        negocios: paths("negocios", said.negocios).unwrap_or(default.negocios),
        restaurant: paths("restaurant", said.restaurant).unwrap_or(default.restaurant),
        role: paths("role", said.role).or(default.role),
        ..default
    }
}

fn warn_of_shared_users(reader: &mut Reader<'_>, variable: &str, has_secret: bool, issuers: &[IssuerConfig]) {
    let own = has_secret.then_some(("JWT_SECRET", ""));
    let others = issuers.iter().map(|issuer| (issuer.names[0].as_str(), issuer.claims.user_prefix.as_str()));
    let all: Vec<(&str, &str)> = own.into_iter().chain(others).collect();
    for (place, (one, prefix)) in all.iter().enumerate() {
        if let Some((other, _)) = all[..place].iter().find(|(_, others)| others == prefix) {
            let (one, other) = (quote(one), quote(other));
            let text = format!(
                "{other} and {one} share their users: who is \"42\" to one of them is \"42\" to the other; give each a user_prefix unless they mean the same people"
            );
            reader.warn(variable, text);
        }
    }
}

/// Tells each issuer which names are others' to give. Returns the claims of tokens that `JWT_SECRET` signed.
fn with_prefixes(own: Arc<ClaimMap>, has_secret: bool, issuers: &mut [IssuerConfig]) -> Arc<ClaimMap> {
    let prefixes: Vec<String> = issuers.iter().map(|issuer| issuer.claims.user_prefix.clone()).collect();
    let tell = |claims: &Arc<ClaimMap>| {
        let mine = claims.user_prefix.as_str();
        let others = prefixes.iter().filter(|other| other.len() > mine.len() && other.starts_with(mine));
        Arc::new(ClaimMap { others_prefixes: others.cloned().collect(), ..ClaimMap::clone(claims) })
    };
    for issuer in issuers {
        issuer.claims = tell(&issuer.claims);
    }
    if has_secret { tell(&own) } else { own }
}
