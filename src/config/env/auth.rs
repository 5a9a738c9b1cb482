//! `JWT_SECRET` and its companions, `SUBSCRIBE_ACCESS` and `ACCESS_*`.

use std::time::Duration;

use super::issuers;
use crate::config::reader::Reader;
use crate::config::{AccessPolicy, AuthConfig, MIN_SECRET_BYTES, OwnTokens, Secret};

const REMEDY_SECRET: &str = "Write a random key, such as the output of `openssl rand -base64 48`";

/// `None` if there is no usable key and there must be one.
pub(super) fn read(reader: &mut Reader<'_>, is_needed: bool) -> Option<AuthConfig> {
    let allow_short = reader.flag("ALLOW_SHORT_JWT_SECRET");
    let is_needed = is_needed && !issuers::are_named(reader);
    let is_left_out = !is_needed && reader.secret("JWT_SECRET").is_none();
    let secret = if is_left_out { None } else { current_secret(reader, allow_short) };
    let mut secrets: Vec<Secret> = secret.iter().cloned().collect();
    for previous in reader.list("JWT_SECRET_PREVIOUS").unwrap_or_default() {
        let previous = Secret::new(previous);
        if long_enough(reader, "JWT_SECRET_PREVIOUS", &previous, allow_short) {
            secrets.push(previous);
        }
    }

    let default = AuthConfig::new(Secret::new(""));
    let (own, issuers) = issuers::read(reader, reader.secret("JWT_SECRET").is_some());
    let max_ttl = max_ttl(reader, default.max_ttl);
    // Together with the rest of the request line a token must fit in a request head of 32 KiB.
    let max_token_bytes = reader.number("MAX_TOKEN_BYTES", default.max_token_bytes, 256..=24_576);
    let words = [("owner", AccessPolicy::Owner), ("authenticated", AccessPolicy::AnyAuthenticated)];
    let access = reader.choice("SUBSCRIBE_ACCESS", &words, default.access);
    if access == AccessPolicy::AnyAuthenticated {
        reader.warn("SUBSCRIBE_ACCESS", "every user with a valid token may watch every business");
    }

    let limit = Duration::from_secs(25);
    let cache = reader.duration("ACCESS_CACHE", default.cache, Duration::ZERO..=limit);
    let recheck = reader.duration("ACCESS_RECHECK", default.recheck, super::MILLIS_100..=limit);
    if cache + recheck >= limit {
        reader.mistake(
            "ACCESS_RECHECK",
            "together with ACCESS_CACHE it is 25s or more, and a withdrawn right must end within 30s",
            "Lower one of them",
        );
    }

    if secret.is_none() && !is_left_out {
        return None;
    }
    Some(AuthConfig { secrets, own, issuers, max_ttl, max_token_bytes, access, cache, recheck })
}

fn max_ttl(reader: &mut Reader<'_>, default: Duration) -> Duration {
    reader.duration("JWT_MAX_TTL", default, Duration::from_mins(1)..=Duration::from_hours(100 * 366 * 24))
}

/// The key that signs development tokens, what is asked of these, and for how long one may be good.
pub(super) fn read_signing(reader: &mut Reader<'_>) -> Option<(Secret, OwnTokens, Duration)> {
    let allow_short = reader.flag("ALLOW_SHORT_JWT_SECRET");
    if issuers::are_named(reader) && reader.secret("JWT_SECRET").is_none() {
        let problem = "it is not set, and the keys that are configured only verify: who holds their other halves signs";
        let remedy = "Take a token from the provider, or set JWT_SECRET beside its keys for development";
        reader.mistake("JWT_SECRET", problem, remedy);
        return None;
    }
    let secret = current_secret(reader, allow_short)?;
    let own = issuers::read_own(reader);
    Some((secret, own, max_ttl(reader, AuthConfig::new(Secret::new("")).max_ttl)))
}

fn current_secret(reader: &mut Reader<'_>, allow_short: bool) -> Option<Secret> {
    let Some(secret) = reader.secret("JWT_SECRET") else {
        reader.mistake("JWT_SECRET", "it is not set", REMEDY_SECRET);
        return None;
    };
    if secret.expose().trim() != secret.expose() {
        reader.warn("JWT_SECRET", "begins or ends with white space, which counts as part of the key");
    }
    long_enough(reader, "JWT_SECRET", &secret, allow_short).then_some(secret)
}

fn long_enough(reader: &mut Reader<'_>, variable: &str, secret: &Secret, allow_short: bool) -> bool {
    if secret.expose().len() >= MIN_SECRET_BYTES {
        return true;
    }
    if allow_short {
        reader.warn(variable, format!("is shorter than {MIN_SECRET_BYTES} bytes; whoever has one token may guess it"));
    } else {
        let remedy = format!("{REMEDY_SECRET}, or set ALLOW_SHORT_JWT_SECRET=true to keep a short one");
        reader.mistake(variable, format!("it is shorter than {MIN_SECRET_BYTES} bytes"), remedy);
    }
    allow_short
}
