//! Which keys are taken from a set, by what each is known, and with which a token may have been signed. The keys were
//! made with OpenSSL.

use serde_json::{Map, Value, json};

use super::*;
use crate::config::Secret;

const JWKS: &str = include_str!("tests/openssl.json");
/// The same keys in the same order.
const PEM: &str = include_str!("tests/openssl.pem");
const PKCS_1: &str = include_str!("tests/pkcs1.pem");
const UNFIT: &str = include_str!("tests/unfit.json");

/// A key of the set above, or one of no use, by its name.
fn entry(name: &str) -> Map<String, Value> {
    let (set, unfit): (Value, Value) = (serde_json::from_str(JWKS).unwrap(), serde_json::from_str(UNFIT).unwrap());
    let of_set = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == name).cloned();
    of_set.unwrap_or_else(|| unfit[name].clone()).as_object().unwrap().clone()
}

fn with(name: &str, member: &str, value: Value) -> Value {
    let mut entry = entry(name);
    entry.insert(member.to_owned(), value);
    entry.into()
}

fn set_of(entries: &[Value]) -> Result<KeySet, KeysError> {
    KeySet::from_jwks(json!({ "keys": entries }).to_string().as_bytes())
}

/// Why an entry is left out of a set.
fn unfit(entry: Value) -> Unfit {
    match set_of(&[entry]) {
        Err(KeysError::NoneUsable(left_out)) => left_out[0].why,
        other => panic!("{other:?}"),
    }
}

fn served(key: &Key) -> Vec<&'static str> {
    Algorithm::ALL.iter().filter(|algorithm| key.serves(**algorithm)).map(|algorithm| algorithm.name()).collect()
}

fn names(keys: &[std::sync::Arc<Key>]) -> Vec<Option<&str>> {
    keys.iter().map(|key| key.kid()).collect()
}

#[test]
fn a_key_serves_the_algorithms_of_its_type_alone() {
    let set = KeySet::from_jwks(JWKS.as_bytes()).unwrap();
    let found: Vec<_> = set.keys().iter().map(|key| (key.kid().unwrap(), key.kind(), served(key))).collect();
    assert_eq!(
        found,
        [
            ("rsa", Kind::Rsa(2_048), vec!["RS256", "RS384", "RS512", "PS256"]),
            ("p256", Kind::P256, vec!["ES256"]),
            ("p384", Kind::P384, vec!["ES384"]),
            ("ed", Kind::Ed25519, vec!["EdDSA"]),
        ]
    );
    assert_eq!(set.left_out(), []);
    let secret = KeySet::from_secrets(&[Secret::new("short")]);
    assert_eq!(served(&secret.keys()[0]), ["HS256", "HS384", "HS512"]);
}

#[test]
fn a_key_is_known_again_however_it_is_written_and_called() {
    let (jwks, pem) = (KeySet::from_jwks(JWKS.as_bytes()).unwrap(), KeySet::from_pem(PEM).unwrap());
    let ids = |set: &KeySet| -> Vec<KeyId> { set.keys().iter().map(|key| key.id()).collect() };
    assert_eq!(ids(&jwks), ids(&pem));
    assert_eq!(ids(&KeySet::from_pem(PKCS_1).unwrap()), ids(&pem)[..1]);
    let renamed = set_of(&[with("ed", "kid", json!("another"))]).unwrap();
    assert_eq!(ids(&renamed), ids(&pem)[3..]);
    assert!(jwks.holds(ids(&renamed)[0]) && !renamed.holds(ids(&jwks)[0]));
}

#[test]
fn what_a_set_says_of_its_key_holds() {
    let key = |entry: Value| set_of(&[entry]).unwrap().keys()[0].clone();
    assert_eq!(served(&key(with("rsa", "alg", json!("RS512")))), ["RS512"]);
    assert_eq!(served(&key(with("ed", "alg", json!("Ed25519")))), ["EdDSA"]);
    assert_eq!(served(&key(with("p256", "key_ops", json!(["sign", "verify"])))), ["ES256"]);
    assert_eq!(served(&key(with("p256", "use", json!("sig")))), ["ES256"]);
    assert_eq!(unfit(with("rsa", "use", json!("enc"))), Unfit::OtherUse);
    assert_eq!(unfit(with("rsa", "key_ops", json!(["sign"]))), Unfit::OtherUse);
    assert_eq!(unfit(with("rsa", "key_ops", json!("verify"))), Unfit::OtherUse);
    assert_eq!(unfit(with("rsa", "alg", json!("RSA-OAEP"))), Unfit::UnknownAlgorithm);
    assert_eq!(unfit(with("rsa", "alg", json!("none"))), Unfit::UnknownAlgorithm);
    assert_eq!(unfit(with("rsa", "alg", json!("HS256"))), Unfit::AlgorithmOfAnotherType("HS256"));
    assert_eq!(unfit(with("p256", "alg", json!("ES384"))), Unfit::AlgorithmOfAnotherType("ES384"));
}

#[test]
fn a_key_that_is_weak_or_unknown_or_broken_is_left_out_and_said() {
    assert_eq!(unfit(entry("weak").into()), Unfit::WeakRsa(1_024));
    assert_eq!(unfit(entry("k1").into()), Unfit::UnknownCurve);
    assert_eq!(unfit(json!({ "kty": "OKP", "crv": "Ed448", "x": "AA" })), Unfit::UnknownCurve);
    assert_eq!(unfit(json!({ "kty": "AKP", "alg": "RS256" })), Unfit::UnknownType);
    // A point of another curve, one that is on none, coordinates that are too long, too short and no base64.
    assert_eq!(unfit(with("p256", "crv", json!("P-384"))), Unfit::Unreadable);
    assert_eq!(unfit(with("p256", "y", entry("p256")["x"].clone())), Unfit::Unreadable);
    assert_eq!(unfit(with("ed", "x", json!("AAAA"))), Unfit::Unreadable);
    assert_eq!(unfit(with("p256", "x", json!("%%"))), Unfit::Unreadable);
    assert_eq!(unfit(with("rsa", "e", json!("Ag"))), Unfit::Unreadable, "an even exponent");
    assert_eq!(unfit(with("rsa", "e", json!("AQAAAAAB"))), Unfit::Unreadable, "a long exponent");
    assert_eq!(unfit(with("rsa", "n", json!(""))), Unfit::Unreadable);
    assert_eq!(unfit(with("rsa", "kid", json!(7))), Unfit::Unreadable);
    assert_eq!(unfit(with("ed", "d", json!("AA"))), Unfit::Private);
    assert_eq!(unfit(json!("a key")), Unfit::Unreadable);

    let set = set_of(&[entry("weak").into(), entry("p256").into(), with("rsa", "use", json!("enc"))]).unwrap();
    assert_eq!(names(set.keys()), [Some("p256")]);
    let said: Vec<String> = set.left_out().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "one without a kid: it is an RSA key of 1024 bits; 2048 are the least",
            "\"rsa\": it is for another use than to verify signatures"
        ]
    );
}

#[test]
fn a_modulus_with_a_sign_byte_and_base64_with_padding_are_read() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    let plain = set_of(&[entry("rsa").into()]).unwrap();
    let n = URL_SAFE_NO_PAD.decode(entry("rsa")["n"].as_str().unwrap()).unwrap();
    let padded = URL_SAFE.encode([&[0], &n[..]].concat());
    assert!(padded.ends_with('='));
    let signed = set_of(&[with("rsa", "n", json!(padded))]).unwrap();
    assert_eq!(signed.keys()[0].id(), plain.keys()[0].id());
    assert_eq!(signed.keys()[0].kind(), Kind::Rsa(2_048));
}

#[test]
fn a_shared_secret_is_taken_from_an_operators_file_and_never_from_the_web() {
    let secret = json!({ "keys": [{ "kty": "oct", "kid": "s", "k": "A".repeat(43) }] }).to_string();
    let own = KeySet::from_own_jwks(secret.as_bytes()).unwrap();
    assert_eq!(served(&own.keys()[0]), ["HS256", "HS384", "HS512"]);
    let refused = KeySet::from_jwks(secret.as_bytes()).unwrap_err();
    assert!(refused.to_string().contains("\"s\": it is a shared secret"), "{refused}");
    let short = secret.replace(&"A".repeat(43), "AAAA");
    assert!(KeySet::from_own_jwks(short.as_bytes()).unwrap_err().to_string().contains("less than 32 bytes"));
}

#[test]
fn a_set_that_is_none_or_too_much_is_refused_whole() {
    for text in ["", "null", "[]", "{}", r#"{"keys":{}}"#, "<html>", r#"{"keys":[]} x"#] {
        assert_eq!(KeySet::from_jwks(text.as_bytes()).unwrap_err(), KeysError::NotJwks, "{text}");
    }
    assert_eq!(KeySet::from_jwks(br#"{"keys":[]}"#).unwrap_err(), KeysError::Empty);
    let many = |count: usize| {
        let entries: Vec<Value> = (0..count).map(|number| with("ed", "kid", json!(number.to_string()))).collect();
        set_of(&entries)
    };
    assert_eq!(many(MAX_KEYS).unwrap().keys().len(), MAX_KEYS);
    assert_eq!(many(MAX_KEYS + 1).unwrap_err(), KeysError::TooMany(101));
    let long = format!("{}{}", JWKS, " ".repeat(MAX_BYTES - JWKS.len()));
    assert!(KeySet::from_jwks(long.as_bytes()).is_ok());
    assert_eq!(KeySet::from_jwks(format!("{long} ").as_bytes()).unwrap_err(), KeysError::TooLarge);
}

#[test]
fn a_kid_says_which_key_and_keys_without_one_are_tried_where_no_other_is_meant() {
    let mut nameless = entry("p256");
    nameless.remove("kid");
    let other = with("p256", "x", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"));
    let mut other = other.as_object().unwrap().clone();
    other.insert("y".to_owned(), json!("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"));
    let set = set_of(&[nameless.into(), other.into(), entry("rsa").into()]).unwrap();
    let meant =
        |kid, algorithm| set.candidates(kid, algorithm).iter().map(|key| key.kid().map(str::to_owned)).collect();
    let meant = |kid, algorithm| -> Vec<Option<String>> { meant(kid, algorithm) };
    let p256 = Some("p256".to_owned());
    assert_eq!(meant(Some("p256"), Algorithm::ES256), std::slice::from_ref(&p256));
    assert_eq!(meant(None, Algorithm::ES256), [None, p256]);
    assert_eq!(meant(Some("unknown"), Algorithm::ES256), [None]);
    assert_eq!(meant(Some("unknown"), Algorithm::RS256), []);
    // A name is another key's, whatever the algorithm: the others are not tried.
    assert_eq!(meant(Some("rsa"), Algorithm::ES256), []);
    assert_eq!(meant(Some("rsa"), Algorithm::HS256), []);
}

#[test]
fn two_keys_of_one_kid_are_both_meant_and_the_same_key_twice_is_one() {
    let namesake = with("p256", "kid", json!("rsa"));
    let set = set_of(&[entry("rsa").into(), namesake, entry("rsa").into()]).unwrap();
    assert_eq!(names(set.keys()), [Some("rsa"), Some("rsa")]);
    assert_eq!(set.left_out(), [LeftOut { kid: Some("rsa".to_owned()), why: Unfit::Repeated }]);
    assert_eq!(set.candidates(Some("rsa"), Algorithm::RS256)[0].kind(), Kind::Rsa(2_048));
    assert_eq!(set.candidates(Some("rsa"), Algorithm::ES256)[0].kind(), Kind::P256);
}

#[test]
fn a_token_without_a_kid_is_tried_against_a_few_public_keys_and_all_secrets() {
    let entries: Vec<Value> = (0..20).map(|number| with("ed", "kid", json!(number.to_string()))).collect();
    assert_eq!(set_of(&entries).unwrap().candidates(None, Algorithm::EdDSA).len(), 8);
    let secrets: Vec<Secret> = (0..20).map(|number| Secret::new(format!("secret {number}"))).collect();
    assert_eq!(KeySet::from_secrets(&secrets).candidates(None, Algorithm::HS256).len(), 20);
}

#[test]
fn a_pem_that_is_no_public_key_is_refused_with_what_it_is() {
    let refused = |text: &str| KeySet::from_pem(text).unwrap_err();
    assert_eq!(refused(include_str!("tests/weak.pem")), KeysError::Unfit(Unfit::WeakRsa(1_024)));
    assert_eq!(refused(include_str!("tests/secp256k1.pem")), KeysError::Unfit(Unfit::UnknownType));
    assert_eq!(refused(include_str!("tests/certificate.pem")), KeysError::Certificate);
    let private = PKCS_1.replace("RSA PUBLIC KEY", "PRIVATE KEY");
    assert_eq!(refused(&private), KeysError::Unfit(Unfit::Private));
    for text in ["", "a key", "-----BEGIN PUBLIC KEY-----", "-----BEGIN X-----\nAAAA\n-----END X-----"] {
        assert_eq!(refused(text), KeysError::NotPem, "{text}");
    }
}

#[test]
fn keys_are_not_shown() {
    let set = KeySet::from_secrets(&[Secret::new("do not show this")]);
    let shown = format!("{set:?} {:?}", set.keys()[0].id());
    assert!(!shown.contains("show") && shown.contains("Secret"), "{shown}");
}

#[test]
fn a_fixed_source_knows_at_once_what_it_holds() {
    let source = Source::fixed(KeySet::from_jwks(JWKS.as_bytes()).unwrap());
    let Looked::Keys(keys) = source.look(Some("ed"), Algorithm::EdDSA) else { panic!("it is there") };
    assert!(source.holds(keys[0].id()));
    assert!(matches!(source.look(Some("other"), Algorithm::EdDSA), Looked::Unknown));
    assert!(matches!(source.look(Some("ed"), Algorithm::ES256), Looked::Unknown));
}
