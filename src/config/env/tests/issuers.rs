//! Whose tokens an operator means to believe, and what of it is refused at start.

use pulso_harness::{Scratch, SigningKey, jwks};

use super::{config, mistake, read, warnings};
use crate::config::{Algorithm, Audience, AuthConfig, ClaimPath, IssuerKeys, KeysAt};

const URL: &str = "https://id.example/keys";
const ISSUER: &str = "https://id.example/";
/// No `JWT_SECRET`.
const NONE: (&str, &str) = ("JWT_SECRET", "");

fn remote(auth: &AuthConfig) -> &KeysAt {
    match &auth.issuers[0].keys {
        IssuerKeys::Remote(remote) => &remote.at,
        IssuerKeys::Held(set) => panic!("{set:?}"),
    }
}

/// A file that is there while the test runs.
struct Written {
    path: String,
    _scratch: Scratch,
}

impl Written {
    fn new(name: &str, text: &str) -> Self {
        let scratch = Scratch::new();
        Self { path: scratch.write(name, text).display().to_string(), _scratch: scratch }
    }

    fn path(&self) -> &str {
        &self.path
    }
}

#[test]
fn a_secret_alone_is_believed_as_ever() {
    let auth = config(&[]).auth;
    assert!(auth.issuers.is_empty() && !auth.own.may_be_silent);
    assert_eq!((auth.own.algorithms.as_slice(), &auth.own.audience), (&[Algorithm::HS256][..], &Audience::Any));
    let auth = config(&[("JWT_AUDIENCE", "panel, app"), ("JWT_ISSUER", "api"), ("JWT_ALGORITHMS", "HS512")]).auth;
    assert_eq!(auth.own.audience, Audience::OneOf(vec!["panel".to_owned(), "app".to_owned()]));
    assert_eq!((auth.own.names, auth.own.algorithms), (vec!["api".to_owned()], vec![Algorithm::HS512]));
}

#[test]
fn a_jwks_needs_no_secret_and_may_stand_beside_one() {
    let jwks = [("JWKS_URL", URL), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", "panel")];
    for secret in [&[NONE][..], &[]] {
        let auth = config(&[&jwks[..], secret].concat()).auth;
        assert_eq!(auth.secrets.is_empty(), !secret.is_empty());
        assert_eq!(remote(&auth), &KeysAt::Jwks(URL.parse().unwrap()));
        let issuer = &auth.issuers[0];
        assert_eq!(issuer.algorithms, [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]);
        assert_eq!((issuer.names.as_slice(), auth.own.may_be_silent), (&[ISSUER.to_owned()][..], true));
        assert_eq!(issuer.audience, Audience::OneOf(vec!["panel".to_owned()]));
    }
}

#[test]
fn discovery_is_asked_where_the_issuer_says() {
    let auth = config(&[NONE, ("OIDC_ISSUER", "https://id.example/tenant/"), ("JWT_AUDIENCE", "*")]).auth;
    let url = "https://id.example/tenant/.well-known/openid-configuration".parse().unwrap();
    assert_eq!(remote(&auth), &KeysAt::Discovery { issuer: "https://id.example/tenant/".to_owned(), url });
    assert_eq!(auth.issuers[0].names, ["https://id.example/tenant/"]);
    assert_eq!(auth.issuers[0].audience, Audience::Any);
    assert!(mistake(&[("OIDC_ISSUER", "https://id.example/?a=b"), NONE, ("JWT_AUDIENCE", "*")]).contains("neither ?"));
    let both = [("JWT_ISSUER", ISSUER), ("OIDC_ISSUER", "https://id.example"), ("JWT_AUDIENCE", "*")];
    assert!(mistake(&both).contains("OIDC_ISSUER is too"));
}

#[test]
fn keys_that_may_sign_for_others_need_an_issuer_and_an_audience() {
    assert!(mistake(&[("JWKS_URL", URL), ("JWT_AUDIENCE", "panel")]).contains("Set JWT_ISSUER"));
    assert!(mistake(&[("JWT_AUDIENCE", ""), ("JWKS_URL", URL), ("JWT_ISSUER", ISSUER)]).contains("or * if"));
    assert!(mistake(&[("JWT_AUDIENCE", ""), ("OIDC_ISSUER", ISSUER)]).contains("or * if"));
    assert!(read(&[("JWKS_URL", URL), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", "*")]).is_ok());
    assert!(mistake(&[("JWT_AUDIENCE", "*,panel")]).contains("alone"));
    assert!(mistake(&[("JWT_ISSUER", "*")]).contains("everybody"));
}

#[test]
fn keys_come_over_tls_or_from_this_machine() {
    let url = |url: &'static str| [("JWKS_URL", url), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", "*")];
    for good in ["http://127.0.0.1:3000/keys", "http://localhost/keys", "http://[::1]/keys", URL] {
        assert!(read(&url(good)).is_ok(), "{good}");
    }
    for (bad, told) in [
        ("http://id.example/keys", "JWKS_ALLOW_HTTP=true"),
        ("http://10.0.0.1/keys", "JWKS_ALLOW_HTTP=true"),
        ("http://127.0.0.1.example/keys", "JWKS_ALLOW_HTTP=true"),
        ("ftp://id.example/keys", "is not https"),
        ("file:///etc/keys", "is not https"),
        ("id.example/keys", "is not a URL"),
        ("https://user:hunter2pw@id.example/keys", "before the @"),
    ] {
        let said = mistake(&url(bad));
        assert!(said.contains(told) && !said.contains("hunter2pw"), "{said}");
    }
    let allowed = [&url("http://keycloak:8080/keys")[..], &[("JWKS_ALLOW_HTTP", "true")]].concat();
    assert!(matches!(&config(&allowed).auth.issuers[0].keys, IssuerKeys::Remote(keys) if keys.allow_http));
}

#[test]
fn keys_may_be_in_a_file_or_in_the_setting_itself() {
    let (key, rsa) = (SigningKey::p256("a"), SigningKey::rsa("b"));
    let (set, pem) = (Written::new("set.json", &jwks(&[&key, &rsa])), Written::new("key.pem", &key.pem()));
    let held = |vars: &[(&str, &str)]| match &config(vars).auth.issuers[0].keys {
        IssuerKeys::Held(set) => set.keys().len(),
        IssuerKeys::Remote(remote) => panic!("{remote:?}"),
    };
    assert_eq!(held(&[NONE, ("JWKS_FILE", set.path()), ("JWT_AUDIENCE", "panel")]), 2);
    let on_one_line = key.pem().replace('\n', "\\n");
    for text in [pem.path(), &key.pem(), &on_one_line] {
        assert_eq!(held(&[NONE, ("JWT_PUBLIC_KEY", text)]), 1, "{text}");
    }
    assert!(mistake(&[("JWT_AUDIENCE", ""), ("JWKS_FILE", set.path())]).contains("or * if"));
    for (variable, value, told) in [
        ("JWKS_FILE", "/nonexistent.json", "cannot be read"),
        ("JWKS_FILE", "/", "cannot be read"),
        ("JWKS_FILE", pem.path(), "not a JSON Web Key Set"),
        ("JWT_PUBLIC_KEY", set.path(), "not a public key in PEM"),
        ("JWT_PUBLIC_KEY", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "cannot be used"),
    ] {
        let said = mistake(&[(variable, value), ("JWT_AUDIENCE", "*")]);
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn every_algorithm_has_a_key_and_every_key_an_algorithm() {
    let key = SigningKey::p384("a");
    let pem = key.pem();
    let public = ("JWT_PUBLIC_KEY", pem.as_str());
    for (vars, told) in [
        (&[("JWT_ALGORITHMS", "RS256,HS256")][..], "RS256 needs public keys"),
        (
            &[("JWT_ALGORITHMS", "RS256,ES256"), ("JWKS_URL", URL), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", "a")],
            "Add HS256",
        ),
        (
            &[("JWT_ALGORITHMS", "HS256"), ("JWKS_URL", URL), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", "a")],
            "Add the algorithm",
        ),
        (&[("JWT_ALGORITHMS", "HS256,ES384"), NONE, public], "HS256 needs JWT_SECRET"),
        (&[("JWT_ALGORITHMS", "none,HS256")], "\"none\" is not one that is accepted"),
        (&[("JWT_ALGORITHMS", "hs256,HS256")], "Write some of: HS256"),
        (&[public], "its keys serve ES384 and the algorithms are RS256, ES256, EdDSA"),
    ] {
        let said = mistake(vars);
        assert!(said.contains(told), "{said}");
    }
    let auth = config(&[public, ("JWT_ALGORITHMS", "HS256,ES384,ES384")]).auth;
    assert_eq!(
        (auth.own.algorithms, &auth.issuers[0].algorithms[..]),
        (vec![Algorithm::HS256], &[Algorithm::ES384][..])
    );
}

#[test]
fn one_place_for_keys_is_enough() {
    let vars = [("JWT_PUBLIC_KEY", "/nonexistent"), ("JWKS_URL", URL), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", "*")];
    assert!(mistake(&vars).contains("JWKS_URL is too"));
    let file = Written::new("one.json", r#"[{"issuer":"https://a.example","audience":"*"}]"#);
    let beside = [("JWKS_URL", URL), ("JWT_ISSUERS_FILE", file.path()), ("JWT_AUDIENCE", "*")];
    assert!(mistake(&beside).contains("JWT_ISSUERS_FILE is too"));
}

#[test]
fn claims_are_found_by_paths_and_what_users_write_is_warned_of() {
    let auth =
        config(&[("CLAIM_USER", "sub"), ("CLAIM_ROLE", "realm_access.roles"), ("STAFF_ROLES", "nurse, doctor")]).auth;
    let claims = &auth.own.claims;
    assert_eq!(
        (&claims.user, &claims.role),
        (&ClaimPath::list("sub").unwrap(), &ClaimPath::list("realm_access.roles").ok())
    );
    assert_eq!(claims.staff_roles, ["nurse", "doctor"]);
    assert!(mistake(&[("CLAIM_NEGOCIO", "https://example.com/tenant")]).contains("in quotes"));
    for (variable, path) in [("CLAIM_NEGOCIO", "user_metadata.negocio_id"), ("CLAIM_ROLE", "unsafe_metadata.role")] {
        assert!(warnings(&[(variable, path)]).contains(&format!("{variable}: {path} is what users write")), "{path}");
    }
    assert!(!warnings(&[("CLAIM_NEGOCIO", "app_metadata.negocio_id")]).contains("CLAIM_"));
}

#[test]
fn a_file_names_several_issuers_each_with_its_own() {
    let key = SigningKey::ed25519("k");
    let pem = key.pem().replace('\n', "\\n");
    let text = format!(
        r#"[
            {{"issuer": "https://a.example", "jwks_url": "https://a.example/keys", "audience": ["panel", "app"],
              "algorithms": ["RS256"], "claims": {{"negocio": "app_metadata.negocio_id"}}, "user_prefix": "a:"}},
            {{"issuer": "https://b.example/", "audience": "*", "staff_roles": ["Nurse"], "user_prefix": "a:b:"}},
            {{"issuer": "own", "public_key": "{pem}"}}
        ]"#
    );
    let file = Written::new("several.json", &text);
    let vars = [("JWT_ISSUERS_FILE", file.path()), ("CLAIM_USER", "sub"), NONE];
    let auth = config(&vars).auth;
    let [a, b, own] = &auth.issuers[..] else { panic!("{:?}", auth.issuers) };
    assert_eq!(a.algorithms, [Algorithm::RS256]);
    assert_eq!(a.audience, Audience::OneOf(vec!["panel".to_owned(), "app".to_owned()]));
    assert_eq!(a.claims.negocio, ClaimPath::list("app_metadata.negocio_id").unwrap());
    assert_eq!(
        (&a.claims.user, &a.claims.others_prefixes[..]),
        (&ClaimPath::list("sub").unwrap(), &["a:b:".to_owned()][..])
    );
    assert!(
        matches!(&b.keys, IssuerKeys::Remote(keys) if matches!(&keys.at, KeysAt::Discovery { issuer, .. } if issuer == "https://b.example/"))
    );
    assert_eq!((&b.claims.staff_roles[..], b.claims.others_prefixes.len()), (&["Nurse".to_owned()][..], 0));
    assert!(matches!(&own.keys, IssuerKeys::Held(set) if set.keys().len() == 1));
    assert_eq!(own.claims.others_prefixes, ["a:", "a:b:"]);
    assert!(!warnings(&vars).contains("share their users"));
    // The API's own tokens and the last entry's name people alike.
    assert!(warnings(&vars[..2]).contains("\"JWT_SECRET\" and \"own\" share their users"));
}

#[test]
fn every_mistake_of_every_entry_is_said_at_once() {
    let text = r#"[
        {"issuer": "https://a.example", "jwks_url": "http://a.example/keys", "algorithms": ["none"]},
        {"issuer": "https://b.example", "isuer": "x"},
        {"issuer": "https://c.example", "jwks_url": "https://c.example", "jwks_file": "x", "audience": ["*", "a"], "claims": {"user": "a..b"}},
        {"issuer": "https://d.example", "audience": "x", "claims": {"negocio": "user_metadata.n"}},
        {"issuer": "https://d.example", "audience": "x"}
    ]"#;
    let file = Written::new("wrong.json", text);
    let mistakes = read(&[("JWT_ISSUERS_FILE", file.path())]).unwrap_err();
    let said: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    for told in [
        "entry 1 (\"https://a.example\"): whoever is on the way",
        "entry 1 (\"https://a.example\"): \"none\" is not an algorithm",
        "entry 1 (\"https://a.example\"): it has no audience",
        "entry 2: unknown field `isuer`",
        "entry 3 (\"https://c.example\"): it says more than once",
        "entry 3 (\"https://c.example\"): its audience has `*`",
        "entry 3 (\"https://c.example\"): user is \"a..b\": a part of it is empty",
        "entry 5 (\"https://d.example\") is there twice",
    ] {
        assert!(said.iter().any(|line| line.starts_with(&format!("JWT_ISSUERS_FILE: {told}"))), "{told}: {said:#?}");
    }
    assert_eq!(said.len(), 8, "{said:#?}");
    for (text, told) in [("{}", "is not an array"), ("[]", "names no issuer"), ("", "is not an array")] {
        let file = Written::new("none.json", text);
        assert!(mistake(&[("JWT_ISSUERS_FILE", file.path())]).contains(told), "{text}");
    }
}
