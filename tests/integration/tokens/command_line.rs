//! What `pulso token` says of tokens that others sign, and `pulso check` of who is believed.

use pulso_harness::{Claims, Page, SECRET, Scratch, SigningKey, Website, jwks};
use serde_json::{Value, json};

use super::{ISSUER, believing, mapped, provided};
use crate::business::{NEGOCIO, database, pulso};

#[tokio::test]
async fn a_good_token_is_said_whose_it_is_and_what_it_opens() {
    let key = SigningKey::p256("key-1");
    let (pulso, _scratch) = believing(mapped(pulso("")), &[&key]);
    let (code, said, complaints) = pulso.run(&["token", "--check", &key.token(&provided())]).await;
    assert_eq!((code, complaints.as_str()), (0, ""), "{said}");
    let watched = format!("\"{NEGOCIO}\", and what the database says that \"42\" owns");
    for line in [
        "algorithm     ES256".to_owned(),
        "signed with   \"key-1\", P-256".to_owned(),
        format!("judged by     {ISSUER}"),
        format!("issuer named  {ISSUER:?}"),
        "user          \"42\"".to_owned(),
        format!("businesses    \"{NEGOCIO}\""),
        format!("appointments  {watched}"),
        format!("channels      {watched}"),
        format!("pos           \"negocio:{NEGOCIO}\""),
        "restaurant    \"restaurant:r-1\"".to_owned(),
        format!("clinic        \"staff_orders:{NEGOCIO}\""),
    ] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
}

#[tokio::test]
async fn a_bad_token_is_said_why_and_what_to_set_and_no_secret_is_shown() {
    let key = SigningKey::p256("key-1");
    let (pulso, _scratch) = believing(mapped(pulso("")), &[&key]);
    let pulso = pulso.with("JWT_SECRET", SECRET);
    for (token, told) in [
        (key.token(&provided().with("iss", json!("https://id.example/"))), "JWT_ISSUER"),
        (key.token(&provided().with("aud", json!("x"))), "JWT_AUDIENCE"),
        (key.token(&provided().expiring_in(-60)), "it has expired"),
        (SigningKey::p256("key-1").token(&provided()), "its signature does not match"),
        (SigningKey::p256("key-2").token(&provided()), "its key is not known"),
        (SigningKey::p384("key-1").token(&provided()), "JWT_ALGORITHMS"),
        (key.token(&provided().without("sub")), "refused: Invalid JWT token: it names no user"),
        ("eyJ.x.\u{1b}[31m".to_owned(), "It is not a token"),
    ] {
        let (code, said, complaints) = pulso.run(&["token", "--check", &token]).await;
        assert!(said.contains(told), "{told}: {said}{complaints}");
        assert_eq!(code, i32::from(told != "refused: Invalid JWT token: it names no user"), "{said}");
        assert!(!said.contains(SECRET) && !said.contains('\u{1b}') && complaints.is_empty(), "{said}{complaints}");
    }
    let own = Claims::user("ana").with("restaurantId", json!("r-1")).sign(SECRET);
    let (code, said, _) = pulso.run(&["token", "--check", &own]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("judged by     JWT_SECRET\nsigned with   a shared secret"), "{said}");
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed_and_it_says_why() {
    let key = SigningKey::p256("key-1");
    let (pulso, _scratch) = believing(pulso(""), &[&key]);
    let (code, said, complaints) = pulso.run(&["token", "--user", "ana"]).await;
    assert_eq!((code, said.as_str()), (64, ""));
    assert!(
        complaints.contains("JWT_SECRET: it is not set, and the keys that are configured only verify"),
        "{complaints}"
    );
    // With one beside the keys it signs what the claim map reads.
    let both = mapped(pulso.with("JWT_SECRET", SECRET).with("JWT_ALGORITHMS", "ES256,HS512"));
    let args = ["token", "--user", "ana", "--negocio", NEGOCIO, "--restaurant", "r-1", "--role", "nurse"];
    let (code, token, complaints) = both.run(&args).await;
    assert_eq!((code, complaints.as_str()), (0, ""));
    let (code, said, _) = both.run(&["token", "--check", token.trim_end()]).await;
    assert_eq!(code, 0, "{said}");
    for line in
        ["algorithm     HS512", "user          \"ana\"", "restaurant    \"restaurant:r-1\"", "staff         yes"]
    {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
}

#[tokio::test]
async fn the_check_fetches_the_keys_once_and_says_what_they_are() {
    let (website, key) = (Website::start().await, SigningKey::p256("key-1"));
    let database = database().await;
    let pulso = pulso(&database.url()).with("JWKS_URL", &website.url("/keys")).with("JWT_ISSUER", ISSUER);
    let pulso = mapped(pulso).with("JWT_AUDIENCE", "authenticated").with("JWT_SECRET", "");
    let mut unfit = key.jwk();
    (unfit["kid"], unfit["crv"]) = (json!("odd"), json!("P-521"));
    website.says("/keys", Page::of(json!({ "keys": [key.jwk(), unfit] }).to_string()));
    let (_, said, _) = pulso.run(&["check"]).await;
    assert!(said.contains("ok       the keys of https://id.example: \"key-1\" (P-256)\n"), "{said}");
    assert!(said.contains("warning  a key of https://id.example is left out, \"odd\": "), "{said}");
    assert_eq!(website.asked("/keys"), 1);
    let (code, said, complaints) = pulso.run(&["token", "--check", &key.token(&provided())]).await;
    assert_eq!((code, complaints.as_str()), (0, ""), "{said}");

    website.says("/keys", Page::of(jwks(&[&SigningKey::p384("key-2")])));
    let (code, said, _) = pulso.run(&["check"]).await;
    assert!(code == 1 && said.contains("None of them serves an algorithm that is accepted"), "{said}");
    website.says("/keys", Page::status("404 Not Found"));
    let (code, said, _) = pulso.run(&["check"]).await;
    assert!(code == 1 && said.contains("PROBLEM  the keys of https://id.example cannot be fetched"), "{said}");
    let (code, said, complaints) = pulso.run(&["token", "--check", &key.token(&provided())]).await;
    assert!(code == 1 && said.contains("refused       cannot be checked right now"), "{said}");
    assert!(complaints.contains("the keys of https://id.example cannot be fetched"), "{complaints}");
}

#[tokio::test]
async fn issuers_that_share_their_users_are_said() {
    let scratch = Scratch::new();
    let entry = |issuer: &str, prefix: &str| json!({ "issuer": issuer, "jwks_url": "https://127.0.0.1:1/keys", "audience": "a", "user_prefix": prefix });
    let database = database().await;
    let check = async |entries: Value| {
        let file = scratch.write("issuers.json", &entries.to_string()).display().to_string();
        pulso(&database.url()).with("JWT_ISSUERS_FILE", &file).with("JWT_SECRET", "").run(&["check"]).await
    };
    let shared = "\"https://a.example\" and \"https://b.example\" share their users";
    let (_, _, complaints) = check(json!([entry("https://a.example", ""), entry("https://b.example", "")])).await;
    assert!(complaints.contains(shared), "{complaints}");
    let (_, _, complaints) = check(json!([entry("https://a.example", ""), entry("https://b.example", "b:")])).await;
    assert!(!complaints.contains("share their users"), "{complaints}");
}
