//! Tokens that were signed with a key of which the public half is known here, and those that only look so.

use jsonwebtoken::{EncodingKey, Header, encode};
use pulso_harness::{SigningKey, jwks};
use serde_json::json;

use super::*;
use crate::access::keys::KeySet;
use crate::config::{Algorithm, IssuerConfig, IssuerKeys};

/// The keys of one issuer, that may be used as it is said, and no secret.
fn held(set: KeySet, algorithms: &[Algorithm]) -> AuthConfig {
    let issuer = IssuerConfig {
        names: Vec::new(),
        audience: Audience::Any,
        algorithms: algorithms.to_vec(),
        keys: IssuerKeys::Held(set),
        claims: Arc::default(),
    };
    AuthConfig { secrets: Vec::new(), issuers: vec![issuer], ..config() }
}

fn of_jwks(keys: &[&SigningKey], algorithms: &[Algorithm]) -> TokenVerifier {
    TokenVerifier::new(&held(KeySet::from_jwks(jwks(keys).as_bytes()).unwrap(), algorithms))
}

fn payload() -> Vec<u8> {
    json!({"id": "u", "exp": NOW + 60}).to_string().into_bytes()
}

fn user(verifier: &TokenVerifier, token: &str) -> Result<String, TokenError> {
    verifier.verify(token, now()).map(|identity| identity.user.id().as_str().to_owned())
}

#[test]
fn each_algorithm_is_verified_with_keys_of_its_type() {
    let keys = [SigningKey::rsa("r"), SigningKey::p256("p2"), SigningKey::p384("p3"), SigningKey::ed25519("e")];
    let all: Vec<&SigningKey> = keys.iter().collect();
    let verifier = of_jwks(&all, Algorithm::ALL);
    for (key, algorithms) in
        keys.iter().zip([&["RS256", "RS384", "RS512", "PS256"][..], &["ES256"], &["ES384"], &["EdDSA"]])
    {
        for alg in algorithms {
            for header in [json!({"alg": alg, "kid": key.kid()}), json!({"alg": alg})] {
                let token = key.sign(&header, &payload());
                assert_eq!(user(&verifier, &token), Ok("u".to_owned()), "{header}");
                // And once more, when its signature is remembered.
                assert_eq!(user(&verifier, &token), Ok("u".to_owned()), "{header}");
            }
            let pem = KeySet::from_pem(&key.pem()).unwrap();
            let by_pem = TokenVerifier::new(&held(pem, Algorithm::ALL));
            assert_eq!(user(&by_pem, &key.sign(&json!({"alg": alg}), &payload())), Ok("u".to_owned()), "{alg}");
        }
    }
}

#[test]
fn what_is_not_configured_is_refused_though_it_is_well_signed() {
    let rsa = SigningKey::rsa("r");
    let verifier = of_jwks(&[&rsa], &[Algorithm::RS256]);
    for alg in ["RS384", "RS512", "PS256", "HS256", "ES256"] {
        let token = rsa.sign(&json!({"alg": alg, "kid": "r"}), &payload());
        assert_eq!(user(&verifier, &token), Err(TokenError::Algorithm), "{alg}");
    }
    let token = sign(&json!({"id": "u", "exp": NOW + 60}));
    assert_eq!(user(&verifier, &token), Err(TokenError::Algorithm));
    // PS256 and RS256 are two algorithms of one key.
    let as_another = rsa.sign(&json!({"alg": "PS256", "kid": "r"}), &payload());
    let (_, rest) = as_another.split_once('.').unwrap();
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "kid": "r"}).to_string());
    assert_eq!(user(&verifier, &format!("{header}.{rest}")), Err(TokenError::Signature));
}

#[test]
fn a_public_key_is_no_secret() {
    let keys = [SigningKey::rsa("k"), SigningKey::p256("k"), SigningKey::ed25519("k")];
    for key in &keys {
        let mut config = held(KeySet::from_jwks(jwks(&[key]).as_bytes()).unwrap(), Algorithm::ALL);
        // The secret of a change-over stands beside it.
        for secrets in [vec![], vec![Secret::new(SECRET)]] {
            config.secrets = secrets;
            let verifier = TokenVerifier::new(&config);
            let as_secrets = [key.pem(), key.pem().trim_end().to_owned(), key.jwk().to_string()];
            for secret in &as_secrets {
                for algorithm in
                    [jsonwebtoken::Algorithm::HS256, jsonwebtoken::Algorithm::HS384, jsonwebtoken::Algorithm::HS512]
                {
                    let mut header = Header::new(algorithm);
                    header.kid = Some("k".to_owned());
                    let claims = json!({"id": "u", "exp": NOW + 60});
                    let token = encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap();
                    assert!(user(&verifier, &token).is_err(), "{algorithm:?} {secret}");
                }
            }
        }
    }
}

#[test]
fn one_algorithms_signature_is_none_of_another() {
    let (rsa, p256, p384, ed) =
        (SigningKey::rsa("k"), SigningKey::p256("k"), SigningKey::p384("k"), SigningKey::ed25519("k"));
    let all = [&rsa, &p256, &p384, &ed];
    for known in all {
        let verifier = of_jwks(&[known], Algorithm::ALL);
        for signing in all {
            for alg in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
                let token = signing.sign(&json!({"alg": alg, "kid": "k"}), &payload());
                let is_good = std::ptr::eq(known, signing)
                    && (alg == known.algorithm() || (alg == "PS256" && known.algorithm() == "RS256"));
                let expected = if is_good { Ok("u".to_owned()) } else { Err(()) };
                assert_eq!(user(&verifier, &token).map_err(|_| ()), expected, "{known:?} {signing:?} {alg}");
            }
        }
    }
}

#[test]
fn nothing_is_signed_by_none() {
    let key = SigningKey::p256("k");
    let verifier = of_jwks(&[&key], Algorithm::ALL);
    for alg in ["none", "None", "NONE", ""] {
        let token = key.sign(&json!({"alg": alg, "kid": "k"}), &payload());
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        for token in [token, unsigned] {
            assert_eq!(user(&verifier, &token), Err(TokenError::Algorithm), "{alg}");
        }
    }
    let token = key.sign(&json!({"alg": "ES256", "kid": "k"}), &payload());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
    let der = URL_SAFE_NO_PAD.encode([&[0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01][..], &[0; 56]].concat());
    for forged in ["", "AA", &zeros, &der, &signature[..80]] {
        assert_eq!(user(&verifier, &format!("{message}.{forged}")), Err(TokenError::Signature), "{forged}");
    }
}

#[test]
fn a_name_of_a_key_is_a_name_and_nothing_else() {
    let key = SigningKey::p256("k");
    let verifier = of_jwks(&[&key], &[Algorithm::ES256]);
    for kid in ["../../etc/passwd", "/dev/null", "k' OR '1'='1", "k\0", "K", "", "https://evil.example/keys", " k"] {
        let token = key.sign(&json!({"alg": "ES256", "kid": kid}), &payload());
        assert_eq!(user(&verifier, &token), Err(TokenError::UnknownKey), "{kid:?}");
    }
    for kid in [json!(7), json!(["k"]), json!({"k": 1}), json!(true)] {
        let token = key.sign(&json!({"alg": "ES256", "kid": kid}), &payload());
        assert_eq!(user(&verifier, &token), Err(TokenError::Malformed), "{kid}");
    }
}

#[test]
fn keys_and_addresses_of_keys_in_a_token_are_not_looked_at() {
    let (ours, theirs) = (SigningKey::p256("k"), SigningKey::p256("k"));
    let verifier = of_jwks(&[&ours], &[Algorithm::ES256]);
    for (member, value) in [
        ("jwk", theirs.jwk()),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/cert")),
        ("x5c", json!(["AAAA"])),
    ] {
        let mut header = json!({"alg": "ES256", "kid": "k"});
        header[member] = value;
        assert_eq!(user(&verifier, &theirs.sign(&header, &payload())), Err(TokenError::Signature), "{member}");
        assert_eq!(user(&verifier, &ours.sign(&header, &payload())), Ok("u".to_owned()), "{member}");
    }
}

#[test]
fn two_keys_of_one_name_are_both_tried() {
    let (one, other, stranger) = (SigningKey::p256("k"), SigningKey::p256("k"), SigningKey::p256("k"));
    let verifier = of_jwks(&[&one, &other], &[Algorithm::ES256]);
    let token = |key: &SigningKey| key.sign(&json!({"alg": "ES256", "kid": "k"}), &payload());
    assert_eq!(user(&verifier, &token(&one)), Ok("u".to_owned()));
    assert_eq!(user(&verifier, &token(&other)), Ok("u".to_owned()));
    assert_eq!(user(&verifier, &token(&stranger)), Err(TokenError::Signature));
}

#[test]
fn a_secret_and_the_keys_that_come_after_it_are_good_side_by_side() {
    let key = SigningKey::p256("k");
    let mut config = held(KeySet::from_jwks(jwks(&[&key]).as_bytes()).unwrap(), &[Algorithm::ES256]);
    config.secrets = vec![Secret::new(SECRET)];
    config.own.names = vec!["https://id.example".to_owned()];
    config.own.audience = Audience::OneOf(vec!["panel".to_owned()]);
    config.own.may_be_silent = true;
    config.issuers[0].names.clone_from(&config.own.names);
    config.issuers[0].audience = config.own.audience.clone();
    let verifier = TokenVerifier::new(&config);
    let by_key = |claims: &Value| user(&verifier, &key.sign(&json!({"alg": "ES256"}), claims.to_string().as_bytes()));
    let by_secret = |claims: &Value| user(&verifier, &sign(claims));
    let claims = |iss: Value, aud: Value| {
        let mut claims = json!({"id": "u", "exp": NOW + 60, "iss": iss, "aud": aud});
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    };
    let (iss, aud) = (json!("https://id.example"), json!("panel"));
    let nothing = Value::Null;
    let good = || Ok("u".to_owned());
    assert_eq!(by_key(&claims(iss.clone(), aud.clone())), good());
    assert_eq!(by_key(&claims(iss.clone(), nothing.clone())), Err(TokenError::Audience));
    assert!(by_key(&claims(nothing.clone(), aud.clone())).is_err());
    // As the API signed them before there was an issuer.
    assert_eq!(by_secret(&claims(nothing.clone(), nothing.clone())), good());
    assert_eq!(by_secret(&claims(iss.clone(), aud.clone())), good());
    assert_eq!(by_secret(&claims(json!("https://evil.example"), nothing.clone())), Err(TokenError::Issuer));
    assert_eq!(by_secret(&claims(iss, json!("another"))), Err(TokenError::Audience));
}

#[test]
fn a_token_that_comes_again_is_judged_by_its_times_and_by_who_was_dismissed() {
    let key = SigningKey::ed25519("k");
    let verifier = of_jwks(&[&key], &[Algorithm::EdDSA]);
    let claims = json!({"id": "u", "exp": NOW + 60, "iat": NOW - 5});
    let token = key.sign(&json!({"alg": "EdDSA", "kid": "k"}), claims.to_string().as_bytes());
    let at = |second: i64| verifier.verify(&token, Timestamp::from_second(second).unwrap()).map(|_| ());
    assert_eq!((at(NOW), at(NOW + 59), at(NOW + 89)), (Ok(()), Ok(()), Ok(())));
    assert_eq!(at(NOW + 90), Err(TokenError::Expired));
    // Another signature over the same words is another token.
    let forged = format!("{}A", &token[..token.len() - 1]);
    assert!(forged == token || verifier.verify(&forged, now()).is_err());
    verifier.dismissed().add(UserId::new("u"), NOW);
    assert_eq!(at(NOW), Err(TokenError::Dismissed));
}
