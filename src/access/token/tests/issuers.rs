//! Several issuers at once: each is believed about its own and about nobody else.

use pulso_harness::{SigningKey, jwks};
use serde_json::json;

use super::*;
use crate::access::keys::KeySet;
use crate::config::{Algorithm, ClaimMap, ClaimPath, IssuerConfig, IssuerKeys};

const ONE: &str = "https://one.example";
const OTHER: &str = "https://other.example";

fn issuer(name: &str, key: &SigningKey, claims: ClaimMap) -> IssuerConfig {
    IssuerConfig {
        names: vec![name.to_owned()],
        audience: Audience::OneOf(vec!["panel".to_owned()]),
        algorithms: vec![Algorithm::ES256],
        keys: IssuerKeys::Held(KeySet::from_jwks(jwks(&[key]).as_bytes()).unwrap()),
        claims: Arc::new(claims),
    }
}

/// Two issuers whose keys have one name, and the secret of this server's own API.
fn three() -> (TokenVerifier, SigningKey, SigningKey) {
    let (one, other) = (SigningKey::p256("k"), SigningKey::p256("k"));
    let path = |text: &str| ClaimPath::list(text).unwrap();
    let of_one = ClaimMap {
        user: path("sub"),
        negocio: path("app_metadata.negocio_id"),
        user_prefix: "one:".to_owned(),
        ..ClaimMap::default()
    };
    let of_other = ClaimMap {
        user: path("uid"),
        negocio: path("\"https://other.example/tenant\""),
        user_prefix: "other:".to_owned(),
        ..ClaimMap::default()
    };
    let mut config = config();
    config.own.claims =
        Arc::new(ClaimMap { others_prefixes: vec!["one:".to_owned(), "other:".to_owned()], ..ClaimMap::default() });
    config.issuers = vec![issuer(ONE, &one, of_one), issuer(OTHER, &other, of_other)];
    (TokenVerifier::new(&config), one, other)
}

fn token(key: &SigningKey, claims: &Value) -> String {
    key.sign(&json!({"alg": "ES256", "kid": "k"}), claims.to_string().as_bytes())
}

#[test]
fn a_token_is_judged_by_its_issuer_alone() {
    let (verifier, one, other) = three();
    let claims =
        |iss: Value| json!({"iss": iss, "aud": "panel", "exp": NOW + 60, "sub": "42", "uid": "43", "id": "44"});
    let user = |token: &str| verifier.verify(token, now()).map(|identity| identity.user.id().as_str().to_owned());
    assert_eq!(user(&token(&one, &claims(json!(ONE)))), Ok("one:42".to_owned()));
    assert_eq!(user(&token(&other, &claims(json!(OTHER)))), Ok("other:43".to_owned()));
    // Each in the other's name.
    assert_eq!(user(&token(&one, &claims(json!(OTHER)))), Err(TokenError::Signature));
    assert_eq!(user(&token(&other, &claims(json!(ONE)))), Err(TokenError::Signature));
    // Under no name, or one of nobody, it is the secret's, which signs by another algorithm.
    for iss in [json!("https://one.example/"), json!("HTTPS://ONE.EXAMPLE"), json!(null)] {
        assert_eq!(user(&token(&one, &claims(iss.clone()))), Err(TokenError::Algorithm), "{iss}");
    }
    for iss in [json!([ONE]), json!({"a": ONE}), json!(7)] {
        assert_eq!(user(&token(&one, &claims(iss.clone()))), Err(TokenError::Malformed), "{iss}");
    }
    // The secret signs for itself.
    assert_eq!(user(&sign(&claims(json!(null)))), Ok("44".to_owned()));
    assert_eq!(user(&sign(&claims(json!("my-api")))), Ok("44".to_owned()));
    assert_eq!(user(&sign(&claims(json!(ONE)))), Err(TokenError::Algorithm));
    assert_eq!(user(&sign(&json!({"exp": NOW + 60, "id": "one:42"}))), Err(TokenError::NoUser));
    let twice =
        format!("{{\"iss\":\"{ONE}\",\"iss\":\"{OTHER}\",\"aud\":\"panel\",\"exp\":{},\"sub\":\"42\"}}", NOW + 60);
    let twice = one.sign(&json!({"alg": "ES256", "kid": "k"}), twice.as_bytes());
    assert_eq!(user(&twice), Err(TokenError::Malformed));
}

#[test]
fn what_was_verified_for_one_is_not_verified_for_another() {
    let (verifier, one, _) = three();
    let good = token(&one, &json!({"iss": ONE, "aud": "panel", "exp": NOW + 60, "sub": "42"}));
    assert!(verifier.verify(&good, now()).is_ok() && verifier.verify(&good, now()).is_ok());
    let elsewhere = token(&one, &json!({"iss": ONE, "aud": "elsewhere", "exp": NOW + 60, "sub": "42"}));
    for _ in 0..2 {
        assert_eq!(verifier.verify(&elsewhere, now()).unwrap_err(), TokenError::Audience);
    }
}

#[test]
fn each_feed_reads_what_the_issuers_claim_map_says() {
    let (verifier, one, other) = three();
    let claims = json!({
        "aud": "panel", "exp": NOW + 60, "sub": "a", "uid": "b", "negocio_id": "neither",
        "app_metadata": {"negocio_id": "n1"}, "https://other.example/tenant": "n2",
    });
    let with = |iss: &str| {
        let mut claims = claims.clone();
        claims["iss"] = iss.into();
        claims
    };
    let negocios = |token: &str| verifier.claims(token, now()).unwrap().negocios();
    assert_eq!(negocios(&token(&one, &with(ONE))), ["n1"]);
    assert_eq!(negocios(&token(&other, &with(OTHER))), ["n2"]);
    assert_eq!(negocios(&sign(&claims)), ["neither"]);
}

#[test]
fn roles_are_found_where_the_map_says_and_count_as_it_says() {
    let staff = |claims: Value, role: Option<&str>, roles: &[&str]| {
        let map = ClaimMap {
            role: role.map(|role| ClaimPath::list(role).unwrap()),
            staff_roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            ..ClaimMap::default()
        };
        Claims::new(claims.as_object().cloned().unwrap(), &Arc::new(map), None, 9).is_staff()
    };
    let keycloak =
        || json!({"realm_access": {"roles": ["offline_access", "Nurse"]}, "role": "ADMIN", "is_staff": true});
    assert!(staff(keycloak(), Some("realm_access.roles"), &["nurse", "admin"]));
    assert!(!staff(keycloak(), Some("realm_access.roles"), &["admin"]));
    assert!(staff(keycloak(), Some("realm_access.roles,role"), &["admin"]));
    assert!(staff(json!({"role": "nurse"}), None, &["NURSE"]) && !staff(json!({"role": "STAFF"}), None, &["NURSE"]));
    assert!(!staff(json!({"realm_access": {"roles": {"Nurse": true}}}), Some("realm_access.roles"), &["nurse"]));
}
