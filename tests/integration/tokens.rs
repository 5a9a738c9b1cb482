//! Tokens that somebody else signs, on every transport, read as its claim map says.

mod command_line;
mod fetched;

use pulso::config::{Audience, Config, IssuerKeys};
use pulso_harness::{Claims, Dashboard, Packets, Pulso, Running, SECRET, Scratch, SigningKey, jwks, token};
use serde_json::{Value, json};

use crate::business::NEGOCIO;
use crate::everywhere::{Everywhere, ended};
use crate::feeds::{assert_reached, configured};
use crate::readme::blocks::block_of;

const ISSUER: &str = "https://id.example";

/// As a provider says it: nothing stands where Pulso's own names would look for it.
fn provided() -> Claims {
    Claims::empty()
        .with("iss", json!(ISSUER))
        .with("aud", json!("authenticated"))
        .with("sub", json!("42"))
        .with("iat", json!(token::now() - 5))
        .with("app_metadata", json!({ "negocio_id": NEGOCIO, "restaurant": "r-1", "roles": ["nurse"] }))
        .expiring_in(3_600)
}

/// The claim map of [`provided`].
fn mapped(pulso: Pulso) -> Pulso {
    pulso
        .with("CLAIM_USER", "sub")
        .with("CLAIM_NEGOCIO", "app_metadata.negocio_id")
        .with("CLAIM_RESTAURANT", "app_metadata.restaurant")
        .with("CLAIM_ROLE", "app_metadata.roles")
        .with("STAFF_ROLES", "NURSE")
}

/// Believes `keys`, which stand in a file, and no secret.
fn believing(pulso: Pulso, keys: &[&SigningKey]) -> (Pulso, Scratch) {
    let scratch = Scratch::new();
    let file = scratch.write("jwks.json", &jwks(keys));
    let pulso = pulso.with("JWT_SECRET", "").with("JWKS_FILE", &file.display().to_string());
    (pulso.with("JWT_ISSUER", ISSUER).with("JWT_AUDIENCE", "authenticated"), scratch)
}

async fn status(pulso: &Running, token: &str) -> u16 {
    match Dashboard::try_connect(pulso.port(), &format!("/ws?token={token}"), &[]).await {
        Ok(_) => 101,
        Err(refused) => refused.status,
    }
}

#[tokio::test]
async fn a_providers_token_opens_every_feed_on_every_transport_and_its_user_is_found_by_the_mapped_name() {
    let (pulso, _database) = configured().await;
    let keys = [SigningKey::rsa("r"), SigningKey::p256("p"), SigningKey::ed25519("e")];
    let all: Vec<&SigningKey> = keys.iter().collect();
    let (pulso, _scratch) = believing(mapped(pulso), &all);
    let pulso = pulso.ready().await;
    for (number, key) in keys.iter().enumerate() {
        let user = format!("user-{number}");
        let token = key.token(&provided().with("sub", json!(user)));
        let hers = Everywhere::enter(&pulso, &token).await;
        let answer = pulso.post("/api/disconnect", &json!({ "user": user }).to_string()).await;
        assert_reached(&answer, Everywhere::CONNECTIONS);
        hers.leave(&ended()).await;
        assert_eq!(status(&pulso, &token).await, 401, "what is remembered of it does not outlive the dismissal");
    }
}

#[tokio::test]
async fn what_a_map_does_not_name_opens_nothing() {
    let (pulso, _database) = configured().await;
    let key = SigningKey::p256("k");
    let (pulso, _scratch) = believing(mapped(pulso), &[&key]);
    let pulso = pulso.ready().await;
    let todays = provided()
        .without("app_metadata")
        .with("negocio_id", json!(NEGOCIO))
        .with("negocio", json!(NEGOCIO))
        .with("restaurantId", json!("r-1"))
        .with("role", json!("ADMIN"))
        .with("is_staff", json!(true))
        .with("app_metadata.negocio_id", json!(NEGOCIO))
        .with("user_metadata", json!({ "negocio_id": NEGOCIO }));
    let token = key.token(&todays);
    let mut staff = pulso.open(&format!("/ws/staff/orders/?token={token}")).await;
    assert_eq!(staff.closed().await.code, 4003);
    let refused = Packets::open(pulso.port(), &[]).await.connect(&json!({ "token": token })).await;
    assert_eq!(refused, r#"44{"message":"No restaurantId"}"#);
    let mut screen = pulso.open(&format!("/ws?token={token}")).await;
    screen.subscribe(NEGOCIO).await;
    assert_eq!(screen.error().await, "not allowed to subscribe to this channel");
    let stream = pulso.get(&format!("/sse?channel=negocio:{NEGOCIO}&token={token}")).await;
    assert_eq!(stream.status, 403);
    // Whom the map does not find is nobody, whatever else names somebody.
    let nobody = provided().without("sub").with("id", json!("42")).with("user_id", json!("42"));
    assert_eq!(status(&pulso, &key.token(&nobody)).await, 401);
}

#[tokio::test]
async fn only_what_the_issuer_signed_for_this_server_is_believed() {
    let (pulso, _database) = configured().await;
    let (key, stranger) = (SigningKey::p256("k"), SigningKey::p256("k"));
    let (pulso, _scratch) = believing(mapped(pulso), &[&key]);
    let pulso = pulso.ready().await;
    assert_eq!(status(&pulso, &key.token(&provided())).await, 101);
    let with = |claim: &str, value: Value| key.token(&provided().with(claim, value));
    for (token, why) in [
        (stranger.token(&provided()), "another's key of the same name"),
        (with("iss", json!("https://id.example/")), "another issuer"),
        (key.token(&provided().without("iss")), "no issuer"),
        (with("iss", json!([ISSUER])), "an issuer that is no text"),
        (with("aud", json!("elsewhere")), "another audience"),
        (key.token(&provided().without("aud")), "no audience"),
        (key.token(&provided().expiring_in(-60)), "it is over"),
        (provided().sign(SECRET), "the secret is not configured"),
        (provided().sign(&key.pem()), "the public key is no secret"),
        (key.sign(&json!({ "alg": "none" }), provided().json().to_string().as_bytes()), "signed by none"),
        (key.sign(&json!({ "alg": "RS256", "kid": "k" }), provided().json().to_string().as_bytes()), "as RS256"),
    ] {
        assert_eq!(status(&pulso, &token).await, 401, "{why}");
        // In `auth`, in words; on Socket.IO with the same answer as ever.
        let mut screen = pulso.open("/ws").await;
        screen.send(&json!({ "type": "auth", "token": token })).await;
        assert!(screen.error().await.starts_with("Invalid JWT token"), "{why}");
        let refused = Packets::open(pulso.port(), &[]).await.connect(&json!({ "token": token })).await;
        assert_eq!(refused, r#"44{"message":"Invalid token"}"#, "{why}");
    }
    assert!(pulso.log().iter().all(|line| !line.contains(&key.token(&provided())[..40])), "no token is logged");
}

#[tokio::test]
async fn a_token_of_the_old_kind_is_renewed_by_one_of_the_new_without_losing_the_screen() {
    let (pulso, _database) = configured().await;
    let key = SigningKey::p256("k");
    let (pulso, _scratch) = believing(pulso, &[&key]);
    let pulso = pulso.with("JWT_SECRET", SECRET).ready().await;
    let old = Claims::user("42").with("negocio_id", json!(NEGOCIO));
    let mut screen = pulso.connect(&old).await;
    screen.watch(NEGOCIO).await;
    let new = old.with("iss", json!(ISSUER)).with("aud", json!("authenticated"));
    screen.send(&json!({ "type": "auth", "token": key.token(&new) })).await;
    screen.ping().await;
    let noticed = pulso.post("/notify/cita", &json!({ "negocio_id": NEGOCIO }).to_string()).await;
    assert_eq!(noticed.json()["subscribers"], 1, "{noticed:?}");
    // And another's does not take it over.
    screen.send(&json!({ "type": "auth", "token": key.token(&new.with("id", json!("43"))) })).await;
    assert_eq!(screen.closed().await.reason, "another user's token");
}

#[test]
fn the_file_of_issuers_in_the_readme_is_read_as_it_says() {
    let scratch = Scratch::new();
    let file =
        scratch.write("issuers.json", &block_of("reference/settings.md", "issuers-file").text).display().to_string();
    let vars = |name: &str| match name {
        "DATABASE_URL" => Some("sqlite://citas.db".to_owned()),
        "JWT_ISSUERS_FILE" => Some(file.clone()),
        "JWT_SECRET" => Some(SECRET.to_owned()),
        _ => None,
    };
    let (config, warnings) = Config::from_env(&vars).unwrap();
    let [login, org] = &config.auth.issuers[..] else { panic!("{:?}", config.auth.issuers) };
    assert_eq!(login.names, ["https://login.example.com/"]);
    assert_eq!(login.audience, Audience::OneOf(vec!["https://push.example.com".to_owned()]));
    assert_eq!((login.claims.user_prefix.as_str(), org.claims.user_prefix.as_str()), ("login:", "org:"));
    assert!(matches!((&login.keys, &org.keys), (IssuerKeys::Remote(_), IssuerKeys::Remote(_))));
    assert!(warnings.iter().all(|warning| warning.variable != "JWT_ISSUERS_FILE"), "{warnings:?}");
}
