//! The book's page about identity providers: each block of settings is read as an operator's, and the token behind it is
//! judged as the page says.

use std::collections::BTreeMap;
use std::process::Command;

use jiff::Timestamp;
use pulso::access::keys::KeySet;
use pulso::access::token::{TokenError, TokenVerifier};
use pulso::config::{Audience, AuthConfig, Config, IssuerKeys};
use pulso_harness::process::run;
use pulso_harness::{Claims, SECRET, Scratch, SigningKey, jwks};
use serde_json::{Map, Value, json};

use super::blocks::{Block, blocks};
use crate::business::{NEGOCIO, OWNER};

const ENGLISH: &str = include_str!("../../../docs/book/en/src/identity-providers.md");
const SPANISH: &str = include_str!("../../../docs/book/es/src/identity-providers.md");

/// When every token of the page was signed.
const SIGNED: i64 = 1_800_000_000;

/// What the page says of a provider's tokens.
struct Provider {
    name: &'static str,
    key: SigningKey,
    user: &'static str,
    names_business: bool,
    /// In seconds.
    lives: i64,
}

fn providers() -> Vec<Provider> {
    let provider = |name, key, user, names_business, lives| Provider { name, key, user, names_business, lives };
    vec![
        provider("supabase", SigningKey::p256("s"), OWNER, true, 3_600),
        provider("auth0", SigningKey::rsa("a"), "auth0|6566f1c5a1b2c3d4e5f60718", true, 86_400),
        provider("keycloak", SigningKey::rsa("k"), OWNER, true, 300),
        provider("firebase", SigningKey::rsa("f"), "Xk893u23H9SJ893aBcDeFgHiJkL1", true, 3_600),
        provider("cognito", SigningKey::rsa("c"), OWNER, true, 3_600),
        provider("clerk", SigningKey::rsa("k"), "user_2aBcDeFgHiJkLmNoPqRsTuVwXyZ", true, 60),
        provider("entra", SigningKey::rsa("e"), OWNER, false, 75 * 60),
        provider("nestjs", SigningKey::p256("n"), "42", true, 15 * 60),
        provider("django", SigningKey::rsa("d"), "42", true, 300),
        provider("laravel", SigningKey::rsa("l"), "42", true, 3_600),
    ]
}

fn block(name: &str) -> Block {
    blocks(ENGLISH)
        .into_iter()
        .find(|block| block.name == name)
        .unwrap_or_else(|| panic!("the page has no block {name}"))
}

/// The settings of a block, as a shell reads them, with `key` where they name a file.
fn settings(name: &str, key: &SigningKey) -> AuthConfig {
    let scratch = Scratch::new();
    let file = scratch.write("settings.env", &block(name).text);
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", "set -a; . \"$0\"; exec /usr/bin/env -0"]).arg(file);
    let mut set: BTreeMap<String, String> = run(&mut shell, name)
        .split('\0')
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if let Some(pem) = set.get_mut("JWT_PUBLIC_KEY") {
        *pem = scratch.write(pem, &key.pem()).display().to_string();
    }
    set.insert("DATABASE_URL".to_owned(), "sqlite://citas.db".to_owned());
    let (config, warnings) = Config::from_env(&|name| set.get(name).cloned()).unwrap_or_else(|mistakes| {
        panic!("{name}: {mistakes:?}");
    });
    let about_tokens = |variable: &str| ["JW", "CLAIM", "OIDC"].iter().any(|begin| variable.starts_with(begin));
    assert!(warnings.iter().all(|warning| !about_tokens(&warning.variable)), "{name}: {warnings:?}");
    config.auth
}

/// As if the provider's keys had been fetched: `key` alone.
fn fetched(mut auth: AuthConfig, key: &SigningKey) -> TokenVerifier {
    for issuer in &mut auth.issuers {
        if matches!(issuer.keys, IssuerKeys::Remote(_)) {
            issuer.keys = IssuerKeys::Held(KeySet::from_jwks(jwks(&[key]).as_bytes()).unwrap());
        }
    }
    TokenVerifier::new(&auth)
}

fn token(name: &str) -> Map<String, Value> {
    serde_json::from_str(&block(&format!("{name}-token")).text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn claims(said: Map<String, Value>) -> Claims {
    said.into_iter().fold(Claims::empty(), |claims, (name, value)| claims.with(&name, value))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn the_page_has_the_same_blocks_in_both_languages_and_each_is_run() {
    let names: Vec<String> = blocks(ENGLISH).iter().map(|block| block.name.to_owned()).collect();
    let run =
        providers().into_iter().flat_map(|provider| [provider.name.to_owned(), format!("{}-token", provider.name)]);
    assert_eq!(names, run.chain(["change-over".to_owned()]).collect::<Vec<_>>());
    let texts = |page| blocks(page).into_iter().map(|block| block.text).collect::<Vec<_>>();
    assert_eq!(texts(ENGLISH), texts(SPANISH));
}

#[test]
fn each_providers_token_is_read_as_the_page_says_and_lives_as_long() {
    for Provider { name, key, user, names_business, lives } in providers() {
        let verifier = fetched(settings(name, &key), &key);
        let said = token(name);
        let token = key.token(&claims(said.clone()));
        let read = verifier.claims(&token, at(SIGNED + 1)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let identity = read.identity().unwrap();
        assert_eq!(identity.user.id().as_str(), user, "{name}");
        let businesses: &[&str] = if names_business { &[NEGOCIO] } else { &[] };
        assert_eq!(*identity.negocios, *businesses, "{name}");
        assert!(read.is_staff(), "{name}: every token of the page has a role of staff");
        assert_eq!((said["iat"].as_i64(), said["exp"].as_i64()), (Some(SIGNED), Some(SIGNED + lives)), "{name}");
        assert_eq!(verifier.verify(&token, at(SIGNED + lives + 31)).unwrap_err(), TokenError::Expired, "{name}");
    }
}

#[test]
fn a_token_for_another_customer_of_the_same_provider_is_refused() {
    for Provider { name, key, .. } in providers() {
        let auth = settings(name, &key);
        let (asks_issuer, asks_audience) =
            (!auth.issuers[0].names.is_empty(), auth.issuers[0].audience != Audience::Any);
        let verifier = fetched(auth, &key);
        let said = claims(token(name));
        let judged = |claims: Claims| verifier.verify(&key.token(&claims), at(SIGNED + 1));
        assert_eq!(judged(said.clone().with("iss", json!("https://another.example"))).is_err(), asks_issuer, "{name}");
        assert_eq!(judged(said.clone().with("aud", json!("another"))).is_err(), asks_audience, "{name}");
        // As the page says: without a JWKS that many customers share, nobody has to be told apart.
        assert!(asks_issuer || ["django", "laravel"].contains(&name), "{name}");
        let stranger = SigningKey::p256(key.kid()).token(&said);
        assert!(verifier.verify(&stranger, at(SIGNED + 1)).is_err(), "{name}");
    }
}

#[test]
fn a_secret_and_keys_stand_beside_each_other_until_the_old_tokens_are_over() {
    let key = SigningKey::p256("s");
    let auth = settings("change-over", &key);
    let secret = auth.secrets[0].expose().to_owned();
    let old =
        claims(Map::new()).with("id", json!(OWNER)).with("negocio_id", json!(NEGOCIO)).with("exp", json!(SIGNED + 9));
    let old = old.sign(&secret);
    let new = key.token(&claims(token("supabase")));
    let verifier = fetched(auth, &key);
    let read = |token: &str| {
        let identity = verifier.verify(token, at(SIGNED + 1)).unwrap();
        (identity.user.id().as_str().to_owned(), identity.negocios)
    };
    assert_eq!(read(&old), read(&new), "she stays who she is");
    let after = fetched(settings("supabase", &key), &key);
    assert!(after.verify(&old, at(SIGNED + 1)).is_err() && after.verify(&new, at(SIGNED + 1)).is_ok());
    assert!(verifier.verify(&claims(token("supabase")).sign(SECRET), at(SIGNED + 1)).is_err(), "another secret");
}
