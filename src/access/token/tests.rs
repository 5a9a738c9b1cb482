//! Which tokens are good, and whom they name.

mod issuers;
mod keys;
mod vectors;

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::*;
use crate::config::{Audience, Secret};

const SECRET: &str = "a-development-secret-of-32-bytes-and-more";
const OTHER: &str = "another-development-secret-of-32-bytes-or-so";
const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn sign_with(secret: &str, header: &Value, payload: &[u8]) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let message = format!("{}.{}", part(header.to_string().as_bytes()), part(payload));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn sign(claims: &Value) -> String {
    sign_with(SECRET, &json!({"alg": "HS256", "typ": "JWT"}), claims.to_string().as_bytes())
}

fn config() -> AuthConfig {
    AuthConfig::new(Secret::new(SECRET))
}

fn verify(token: &str) -> Result<Identity, TokenError> {
    TokenVerifier::new(&config()).verify(token, now())
}

fn claims(claims: &Value) -> Result<Identity, TokenError> {
    verify(&sign(claims))
}

#[test]
fn a_token_that_is_given_as_in_a_header_is_that_token() {
    let token = sign(&json!({"id": "u1", "exp": NOW + 60}));
    for given in [format!("Bearer {token}"), format!("bearer  {token} "), format!("BEARER {token}")] {
        assert_eq!(verify(&given).unwrap().user.id().as_str(), "u1", "{given}");
    }
    for given in [format!("Basic {token}"), format!("Bearer{token}"), "Bearer".to_owned(), format!("Bearer x {token}")]
    {
        assert_eq!(verify(&given), Err(TokenError::Malformed), "{given}");
    }
    assert_eq!(verify("Bearer "), Err(TokenError::Empty));
}

#[test]
fn the_user_is_id_else_user_id_else_sub_else_the_camel_case_one() {
    let exp = NOW + 60;
    for (payload, user) in [
        (json!({"id": "u1", "user_id": "u2", "sub": "u3", "exp": exp}), Some("u1")),
        (json!({"user_id": "u2", "sub": "u3", "exp": exp}), Some("u2")),
        (json!({"user_id": 42, "exp": exp}), Some("42")),
        (json!({"sub": "u3", "exp": exp}), Some("u3")),
        (json!({"id": "", "sub": "u3", "exp": exp}), Some("u3")),
        (json!({"id": "", "exp": exp}), None),
        (json!({"id": null, "sub": "u3", "exp": exp}), None),
        (json!({"id": 7, "sub": "u3", "exp": exp}), Some("7")),
        (json!({"id": 1.0, "sub": "u3", "exp": exp}), None),
        (json!({"userId": "u4", "exp": exp}), Some("u4")),
        (json!({"sub": "u3", "userId": 4, "exp": exp}), Some("u3")),
        (json!({"id": ["u1"], "exp": exp}), None),
        (json!({"id": {"x": 1}, "user_id": "u2", "exp": exp}), None),
        (json!({"id": true, "exp": exp}), None),
        (json!({"user_id": 1.5, "exp": exp}), None),
        (json!({"user_id": null, "exp": exp}), None),
        (json!({"sub": 9, "exp": exp}), Some("9")),
        (json!({"userId": 9, "exp": exp}), Some("9")),
        (json!({"email": "a@b.c", "jti": "x", "exp": exp}), None),
    ] {
        let found = claims(&payload);
        match user {
            Some(user) => assert_eq!(found.unwrap().user.id().as_str(), user, "{payload}"),
            None => assert_eq!(found, Err(TokenError::NoUser), "{payload}"),
        }
    }
}

#[test]
fn only_strings_and_integers_name_a_negocio() {
    let exp = NOW + 60;
    for (extra, named) in [
        (json!({}), vec![]),
        (json!({"negocio_id": "n1"}), vec!["n1"]),
        (json!({"negocio_id": 7}), vec!["7"]),
        (json!({"negocio_id": "n1", "negocios": ["n2", 3, "n4"]}), vec!["n1", "n2", "3", "n4"]),
        (json!({"negocio_id": null}), vec![]),
        (json!({"negocio_id": ""}), vec![]),
        (json!({"negocio_id": 1.5}), vec![]),
        (json!({"negocio_id": true}), vec![]),
        (json!({"negocio_id": ["n1"]}), vec![]),
        (json!({"negocio_id": {"id": "n1"}}), vec![]),
        (json!({"negocios": "n1"}), vec![]),
        (json!({"negocios": {"n1": true}}), vec![]),
        (json!({"negocios": [null, 1.5, ["n1"], {}, false, "n2"]}), vec!["n2"]),
    ] {
        let mut payload = json!({"id": "u", "exp": exp});
        payload.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(claims(&payload).unwrap().negocios[..], named[..], "{payload}");
    }
}

#[test]
fn expiry_is_required_numeric_near_and_ahead() {
    let far = 366 * 86_400;
    for (exp, answer) in [
        (json!(NOW + 60), Ok(NOW + 60)),
        (json!(NOW + 1), Ok(NOW + 1)),
        // Inside the leeway the connection lives until the leeway ends.
        (json!(NOW), Ok(NOW + 30)),
        (json!(NOW - 29), Ok(NOW + 1)),
        (json!(NOW - 30), Err(TokenError::Expired)),
        (json!(NOW - 3_600), Err(TokenError::Expired)),
        (json!(0), Err(TokenError::Expired)),
        (json!(-5), Err(TokenError::Expired)),
        (json!(i64::MIN), Err(TokenError::Expired)),
        (json!(1_800_000_060.75), Ok(NOW + 60)),
        (json!(NOW + far), Ok(NOW + far)),
        (json!(NOW + far + 1), Err(TokenError::ExpiryTooFar)),
        (json!(NOW * 1_000), Err(TokenError::ExpiryTooFar)),
        (json!(i64::MAX), Err(TokenError::ExpiryTooFar)),
        (json!(u64::MAX), Err(TokenError::ExpiryTooFar)),
        (json!(1e300), Err(TokenError::ExpiryTooFar)),
        (json!("1800000060"), Err(TokenError::NoExpiry)),
        (json!(null), Err(TokenError::NoExpiry)),
        (json!([NOW + 60]), Err(TokenError::Malformed)),
        (json!(true), Err(TokenError::NoExpiry)),
    ] {
        let found = claims(&json!({"id": "u", "exp": exp})).map(|identity| identity.expires_at);
        assert_eq!(found, answer, "{exp}");
    }
    assert_eq!(claims(&json!({"id": "u"})), Err(TokenError::NoExpiry));
}

#[test]
fn a_token_from_the_future_waits() {
    let with = |nbf: Value| claims(&json!({"id": "u", "exp": NOW + 600, "nbf": nbf})).map(|_| ());
    assert_eq!(with(json!(NOW - 5)), Ok(()));
    assert_eq!(with(json!(NOW + 30)), Ok(()));
    assert_eq!(with(json!(NOW + 31)), Err(TokenError::NotYetValid));
    assert_eq!(with(json!(u64::MAX)), Err(TokenError::NotYetValid));
    assert_eq!(with(json!("soon")), Err(TokenError::Malformed));
    assert_eq!(with(json!(null)), Err(TokenError::Malformed));
}

#[test]
fn the_algorithm_is_ours_and_not_the_tokens() {
    let payload = json!({"id": "u", "exp": NOW + 60}).to_string();
    for alg in
        ["none", "None", "NONE", "nOnE", "", "hs256", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "dir"]
    {
        let token = sign_with(SECRET, &json!({"alg": alg, "typ": "JWT"}), payload.as_bytes());
        assert_eq!(verify(&token), Err(TokenError::Algorithm), "{alg}");
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_eq!(verify(&unsigned), Err(TokenError::Algorithm), "{alg}");
    }
    for header in
        [json!({"typ": "JWT"}), json!({"alg": null}), json!({"alg": ["HS256"]}), json!(["HS256"]), json!("HS256")]
    {
        assert_eq!(verify(&sign_with(SECRET, &header, payload.as_bytes())), Err(TokenError::Malformed), "{header}");
    }
    // Truly signed, by another member of the family.
    let mut header = Header::new(Algorithm::HS512);
    header.typ = None;
    let claims = json!({"id": "u", "exp": NOW + 60});
    let token = encode(&header, &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    assert_eq!(verify(&token), Err(TokenError::Algorithm));
}

#[test]
fn no_critical_header_is_understood() {
    let payload = json!({"id": "u", "exp": NOW + 60}).to_string();
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!(null), json!("exp"), json!(["http://example.com/x"])]
    {
        let header = json!({"alg": "HS256", "crit": crit, "b64": false});
        assert_eq!(verify(&sign_with(SECRET, &header, payload.as_bytes())), Err(TokenError::Critical), "{crit}");
    }
}

#[test]
fn another_key_or_a_changed_byte_is_refused() {
    let payload = json!({"id": "u", "exp": NOW + 60});
    let header = json!({"alg": "HS256"});
    assert_eq!(verify(&sign_with(OTHER, &header, payload.to_string().as_bytes())), Err(TokenError::Signature));

    let good = sign(&payload);
    let parts: Vec<_> = good.split('.').collect();
    let forged = URL_SAFE_NO_PAD.encode(json!({"id": "admin", "exp": NOW + 60}).to_string());
    assert_eq!(verify(&format!("{}.{forged}.{}", parts[0], parts[2])), Err(TokenError::Signature));
    assert_eq!(verify(&format!("{}.{}.", parts[0], parts[1])), Err(TokenError::Signature));
    assert_eq!(verify(&format!("{}.{}.{}", parts[0], parts[1], &parts[2][..20])), Err(TokenError::Signature));
}

#[test]
fn previous_keys_are_good_during_a_rotation() {
    let mut config = config();
    config.secrets.push(Secret::new(OTHER));
    let payload = json!({"id": "u", "exp": NOW + 60}).to_string();
    let old = sign_with(OTHER, &json!({"alg": "HS256"}), payload.as_bytes());
    assert!(TokenVerifier::new(&config).verify(&old, now()).is_ok());
    assert!(TokenVerifier::new(&config).verify(&sign(&json!({"id": "u", "exp": NOW + 60})), now()).is_ok());
}

#[test]
fn what_is_no_token_is_refused() {
    let good = sign(&json!({"id": "u", "exp": NOW + 60}));
    assert_eq!(verify(""), Err(TokenError::Empty));
    for text in [
        ".",
        "..",
        "...",
        "a",
        "a.b",
        "a.b.c",
        "null",
        "undefined",
        "Bearer x",
        &format!("{good}.x"),
        &format!(" {good}"),
        &format!("{good}\n"),
        &format!("{good}\0"),
        &format!("{good}="),
        &good.replace('.', ","),
        &format!("{good}é"),
        &format!("Basic {good}"),
        &format!("{good}%20"),
    ] {
        assert_eq!(verify(text), Err(TokenError::Malformed), "{text:?}");
    }
    let header = json!({"alg": "HS256"});
    for payload in ["", "[]", "1", "null", "\"id\"", "{", "{\"id\":\"u\",\"exp\":1e999}", "\u{feff}{}"] {
        assert_eq!(verify(&sign_with(SECRET, &header, payload.as_bytes())), Err(TokenError::Malformed), "{payload}");
    }
    assert_eq!(verify(&sign_with(SECRET, &header, b"\xff\xfe")), Err(TokenError::Malformed));
    let deep = format!("{{\"id\":{}", "[".repeat(2_000));
    assert_eq!(verify(&sign_with(SECRET, &header, deep.as_bytes())), Err(TokenError::Malformed));
}

#[test]
fn an_oversized_token_is_refused_before_it_is_read() {
    let token = sign(&json!({"id": "u", "exp": NOW + 60, "padding": "x".repeat(9_000)}));
    assert_eq!(verify(&token), Err(TokenError::TooLong));
    let fits = sign(&json!({"id": "u", "exp": NOW + 60, "padding": "x".repeat(5_000)}));
    assert!(verify(&fits).is_ok());
}

#[test]
fn the_audience_counts_only_where_it_is_configured() {
    let with = |aud: Value| sign(&json!({"id": "u", "exp": NOW + 60, "aud": aud}));
    assert!(verify(&with(json!("panel"))).is_ok());
    let mut config = config();
    config.own.audience = Audience::OneOf(vec!["panel".to_owned()]);
    let verifier = TokenVerifier::new(&config);
    assert!(verifier.verify(&with(json!("panel")), now()).is_ok());
    assert!(verifier.verify(&with(json!(["app", "panel"])), now()).is_ok());
    for aud in [json!("app"), json!(["app"]), json!([]), json!(null), json!(7)] {
        assert_eq!(verifier.verify(&with(aud.clone()), now()), Err(TokenError::Audience), "{aud}");
    }
    let none = sign(&json!({"id": "u", "exp": NOW + 60}));
    assert_eq!(verifier.verify(&none, now()), Err(TokenError::Audience));
}

#[test]
fn every_refusal_says_invalid_jwt_token_and_nothing_of_the_token() {
    use TokenError::*;
    for error in [
        Empty,
        TooLong,
        Malformed,
        Algorithm,
        Critical,
        Signature,
        NoExpiry,
        Expired,
        ExpiryTooFar,
        NotYetValid,
        Audience,
        NoUser,
    ] {
        assert!(error.to_string().starts_with("Invalid JWT token: "), "{error}");
    }
    let verifier = TokenVerifier::new(&config());
    assert!(!format!("{verifier:?}").contains(SECRET));
}

#[test]
fn a_minted_token_is_good_and_names_what_it_was_asked_to() {
    let ids = ["n1".to_owned(), "n2".to_owned()];
    for negocios in [&ids[..0], &ids[..1], &ids[..]] {
        let holder = Holder { negocios: negocios.to_vec(), ..Holder::user("u1") };
        let token = mint(&Secret::new(SECRET), &holder, Duration::from_hours(12), now()).unwrap();
        let identity = verify(&token).unwrap();
        assert_eq!(identity.user.id().as_str(), "u1");
        assert_eq!(*identity.negocios, *negocios);
        assert_eq!(identity.expires_at, NOW + 12 * 3_600);
    }
}
