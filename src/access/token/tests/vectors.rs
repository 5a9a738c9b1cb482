//! The examples of RFC 7515, 7520 and 8037 that are signed by algorithms of ours and have a compact form.

use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::access::keys::KeySet;
use crate::config::{Algorithm, IssuerConfig, IssuerKeys};

/// When the one that has an end was still good.
const THEN: i64 = 1_300_819_000;

#[derive(Deserialize)]
struct Vector {
    of: String,
    alg: String,
    key: Value,
    token: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn verifier(key: &Value) -> TokenVerifier {
    let set = KeySet::from_own_jwks(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
    let issuer = IssuerConfig {
        names: Vec::new(),
        audience: Audience::Any,
        algorithms: Algorithm::ALL.to_vec(),
        keys: IssuerKeys::Held(set),
        claims: Arc::default(),
    };
    TokenVerifier::new(&AuthConfig { secrets: Vec::new(), issuers: vec![issuer], ..config() })
}

#[test]
fn every_vector_is_well_signed_and_no_byte_of_it_may_change() {
    let then = Timestamp::from_second(THEN).unwrap();
    assert_eq!(vectors().len(), 8);
    for Vector { of, alg, key, token } in vectors() {
        let verifier = verifier(&key);
        match verifier.claims(&token, then) {
            Ok(claims) => assert_eq!(claims.expires_at(), 1_300_819_380, "{of}"),
            // Well signed, and no claims but prose.
            Err(refused) => assert_eq!(refused, TokenError::Malformed, "{of}"),
        }
        let signed_by = verifier.explain(&token, then).key;
        assert_eq!(signed_by.is_some(), of.starts_with("RFC 7515"), "{of}");
        let (message, signature) = token.rsplit_once('.').unwrap();
        for place in [0, signature.len() / 2] {
            let other = if signature.as_bytes()[place] == b'A' { "B" } else { "A" };
            let mut changed = signature.to_owned();
            changed.replace_range(place..=place, other);
            let forged = format!("{message}.{changed}");
            assert_eq!(verifier.claims(&forged, then).unwrap_err(), TokenError::Signature, "{of}: {alg}");
        }
        let (header, payload) = message.split_once('.').unwrap();
        let changed = format!("{header}.{payload}AAAA.{signature}");
        assert_eq!(verifier.claims(&changed, then).unwrap_err(), TokenError::Signature, "{of}: {alg}");
    }
}

#[test]
fn what_is_not_signed_in_the_rfcs_is_not_believed() {
    // RFC 7515, A.5.
    let unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    for Vector { key, token, of, .. } in vectors() {
        let verifier = verifier(&key);
        let then = Timestamp::from_second(THEN).unwrap();
        assert_eq!(verifier.claims(unsigned, then).unwrap_err(), TokenError::Algorithm, "{of}");
        // RFC 7520, 4.5: what was signed is elsewhere.
        let mut parts = token.split('.');
        let detached = format!("{}..{}", parts.next().unwrap(), parts.nth(1).unwrap());
        assert_eq!(verifier.claims(&detached, then).unwrap_err(), TokenError::Signature, "{of}");
    }
}
