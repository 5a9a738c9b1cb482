//! `pulso token --check`: what a server of this configuration makes of a token.
//!
//! A token may say what it likes, so whatever it says is printed as quoted text, and no part of it that could be used.

use std::fmt::{Display, Write as _};
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::access::grant::Bounds;
use crate::access::token::{Claims, Explained, TokenError, TokenVerifier};
use crate::cli::issuers::fetch_keys;
use crate::cli::{block_on, complain, or_complain};
use crate::clock::Clock;
use crate::config::{AccessPolicy, AuthConfig, env};
use crate::feeds::{clinic, pos, restaurant};

/// The longest that is read from the standard input; a longer one is none that a server would take.
const MOST_BYTES: u64 = 64 * 1024;

pub(super) fn run(token: &str) -> ExitCode {
    let (auth, bounds, warnings) = match or_complain(env::load_tokens()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    complain(&warnings);
    match given(token) {
        Ok(token) => block_on(judge(token, auth, bounds)),
        Err(error) => {
            complain(&[format!("cannot read the token: {error}")]);
            ExitCode::FAILURE
        }
    }
}

async fn judge(token: String, mut auth: AuthConfig, bounds: Bounds) -> ExitCode {
    let failed = fetch_keys(&mut auth.issuers).await;
    let failed: Vec<_> =
        failed.iter().map(|(issuer, error)| format!("the keys of {issuer} cannot be fetched: {error}")).collect();
    complain(&failed);
    let explained = TokenVerifier::new(&auth).explain(token.trim(), Clock::system(TimeZone::UTC).now());
    let is_said = io::stdout().lock().write_all(said(&explained, &auth, bounds).as_bytes()).is_ok();
    if explained.verdict.is_ok() && is_said { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn given(token: &str) -> io::Result<String> {
    if token != "-" {
        return Ok(token.to_owned());
    }
    let mut read = String::new();
    io::stdin().lock().take(MOST_BYTES).read_to_string(&mut read)?;
    Ok(read)
}

fn said(explained: &Explained, auth: &AuthConfig, bounds: Bounds) -> String {
    let mut lines = Lines(String::new());
    let Explained { algorithm, kid, iss, judge, key, verdict } = explained;
    let algorithm = algorithm.map_or("none that is known", crate::config::Algorithm::name);
    lines.say("algorithm", algorithm);
    lines.say("key named", quoted(kid.as_deref()));
    lines.say("issuer named", quoted(iss.as_deref()));
    lines.say("judged by", judge.as_deref().unwrap_or("nobody: no issuer of this configuration takes it"));
    match key {
        Some((Some(name), kind)) => lines.say("signed with", format!("{name:?}, {kind}")),
        Some((None, kind)) => lines.say("signed with", kind),
        None => lines.say("signed with", "no key that is known here"),
    }
    match verdict {
        Ok(claims) => good(&mut lines, claims, auth, bounds),
        Err(refused) => lines.say("refused", format!("{refused}. {}", advice(*refused))),
    }
    lines.0
}

fn good(lines: &mut Lines, claims: &Claims, auth: &AuthConfig, bounds: Bounds) {
    let until = Timestamp::from_second(claims.expires_at()).map_or_else(|_| "?".to_owned(), |at| at.to_string());
    lines.say("good until", until);
    let negocios = claims.negocios();
    let named: Vec<String> = negocios.iter().map(|negocio| format!("{negocio:?}")).collect();
    lines.say("businesses", if named.is_empty() { "none".to_owned() } else { named.join(", ") });
    lines.say("staff", if claims.is_staff() { "yes" } else { "no" });
    match claims.identity() {
        Ok(identity) => {
            let called: Vec<String> = identity.user.names().map(|name| format!("{:?}", name.as_str())).collect();
            lines.say("user", called.join(", also "));
            let user = identity.user.spelt().as_str();
            let watched = match auth.access {
                AccessPolicy::AnyAuthenticated => "every business (SUBSCRIBE_ACCESS)".to_owned(),
                AccessPolicy::Owner if named.is_empty() => format!("what the database says that {user:?} owns"),
                AccessPolicy::Owner => format!("{}, and what the database says that {user:?} owns", named.join(", ")),
            };
            lines.say("appointments", &watched);
            lines.say("channels", &watched);
            lines.say("pos", listed(&pos::listen::own(&identity, bounds)));
        }
        Err(refused) => {
            lines.say("user", "none");
            for feed in ["appointments", "channels", "pos"] {
                lines.say(feed, format!("refused: {refused}"));
            }
        }
    }
    lines.say(
        "restaurant",
        match restaurant::listen::room(claims) {
            Ok(grant) => listed(&grant.channels),
            Err(_) => "refused: it names no restaurant (CLAIM_RESTAURANT)".to_owned(),
        },
    );
    lines.say(
        "clinic",
        match clinic::listen::staff(claims, bounds) {
            Ok(grant) => listed(&grant.channels),
            Err(_) => "refused: it has none of the roles (CLAIM_ROLE, STAFF_ROLES)".to_owned(),
        },
    );
}

/// What an operator may do about it.
fn advice(refused: TokenError) -> &'static str {
    match refused {
        TokenError::Algorithm => "JWT_ALGORITHMS says which are taken",
        TokenError::Signature | TokenError::UnknownKey => "Another key signed it than the configured ones",
        TokenError::Unchecked => "Its key is none that was fetched; the keys could not be fetched now",
        TokenError::Issuer => "JWT_ISSUER, OIDC_ISSUER or JWT_ISSUERS_FILE say whose tokens are taken, to the letter",
        TokenError::Audience => "JWT_AUDIENCE says for whom it has to be",
        TokenError::NoUser => "CLAIM_USER says where the user stands",
        TokenError::ExpiryTooFar => "JWT_MAX_TTL says how far",
        TokenError::TooLong => "MAX_TOKEN_BYTES says how long it may be",
        TokenError::NoExpiry | TokenError::Expired | TokenError::NotYetValid | TokenError::Dismissed => {
            "Take a new one from who signs them"
        }
        TokenError::Empty
        | TokenError::GivenTwice
        | TokenError::Differs
        | TokenError::Malformed
        | TokenError::Critical => "It is not a token as anybody signs them for this server",
    }
}

fn quoted(text: Option<&str>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| format!("{text:?}"))
}

fn listed<T: Display>(channels: &[T]) -> String {
    if channels.is_empty() {
        return "nothing".to_owned();
    }
    channels.iter().map(|channel| format!("{:?}", channel.to_string())).collect::<Vec<_>>().join(", ")
}

/// A name and what there is to say of it, a line each.
struct Lines(String);

impl Lines {
    fn say(&mut self, name: &str, what: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{name:<14}{what}");
    }
}
