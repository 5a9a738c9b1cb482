//! `GET /ws`: who is let in, who is not, and for how long a token holds.

mod handshake;
mod host;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use pulso_harness::token::now;
use pulso_harness::{Claims, Dashboard, Running, SECRET, wait};
use serde_json::{Value, json};

use crate::business::{NEGOCIO, OTHER_OWNER, OWNER, database, open, owner, pulso};

/// Header and claims as given, signed as `algorithm` says whatever the header says.
fn signed_by_hand(header: &Value, claims: &Claims, algorithm: Algorithm, key: &str) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(&claims.json()));
    let signature = sign(message.as_bytes(), &EncodingKey::from_secret(key.as_bytes()), algorithm).unwrap();
    format!("{message}.{signature}")
}

/// Every kind of token that must not let anybody in.
fn bad_tokens() -> Vec<(&'static str, String)> {
    let public_key =
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----\n";
    let good = owner();
    let typed = |alg: &str| json!({ "alg": alg, "typ": "JWT" });
    let none = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(typed("none").to_string()),
        URL_SAFE_NO_PAD.encode(good.json().to_string())
    );
    let cut = good.sign(SECRET).rsplit_once('.').unwrap().0.to_owned();
    let mut flipped = good.sign(SECRET).into_bytes();
    let middle = flipped.iter().position(|&byte| byte == b'.').unwrap() + 9;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let with = |claim: &str, value: Value| good.clone().with(claim, value).sign(SECRET);
    vec![
        ("empty", String::new()),
        ("no token at all", "null".into()),
        ("two parts", cut.clone()),
        ("no signature", format!("{cut}.")),
        ("four parts", format!("{}.x", good.sign(SECRET))),
        ("changed claims", String::from_utf8(flipped).unwrap()),
        ("another key", good.sign("another secret, longer than 32 bytes too")),
        ("none", none),
        ("none with a signature", signed_by_hand(&typed("none"), &good, Algorithm::HS256, SECRET)),
        ("NONE", signed_by_hand(&typed("nOnE"), &good, Algorithm::HS256, SECRET)),
        ("HS384", good.sign_with(&Header::new(Algorithm::HS384), SECRET)),
        ("HS512", good.sign_with(&Header::new(Algorithm::HS512), SECRET)),
        ("RS256 said, our key used", signed_by_hand(&typed("RS256"), &good, Algorithm::HS256, SECRET)),
        ("RS256 said, a public key used", signed_by_hand(&typed("RS256"), &good, Algorithm::HS256, public_key)),
        ("HS256 by a public key", signed_by_hand(&typed("HS256"), &good, Algorithm::HS256, public_key)),
        ("no algorithm", signed_by_hand(&json!({ "typ": "JWT" }), &good, Algorithm::HS256, SECRET)),
        (
            "an unknown critical header",
            signed_by_hand(&json!({ "alg": "HS256", "crit": ["x"], "x": 1 }), &good, Algorithm::HS256, SECRET),
        ),
        ("expired", good.clone().expiring_in(-31).sign(SECRET)),
        ("expired long ago", good.clone().expiring_in(-86_400).sign(SECRET)),
        ("no exp", good.clone().without("exp").sign(SECRET)),
        ("exp as text", with("exp", json!((now() + 60).to_string()))),
        ("exp null", with("exp", Value::Null)),
        ("exp in milliseconds", with("exp", json!((now() + 60) * 1_000))),
        ("exp too far", good.clone().expiring_in(367 * 86_400).sign(SECRET)),
        ("exp huge", with("exp", json!(1e300))),
        ("exp negative", with("exp", json!(-1))),
        ("nbf in the future", with("nbf", json!(now() + 120))),
        ("nbf as text", with("nbf", json!("soon"))),
        ("id is a fraction", with("id", json!(7.5))),
        ("id is null", with("id", Value::Null)),
        (
            "id is an array, and there is a sub",
            good.clone().with("id", json!([OWNER])).with("sub", json!(OWNER)).sign(SECRET),
        ),
        ("no user", good.clone().without("id").sign(SECRET)),
        ("an empty id only", with("id", json!(""))),
        ("user_id is an object", good.clone().without("id").with("user_id", json!({})).sign(SECRET)),
        ("claims that are no object", signed_text("[1]")),
        ("oversized", good.clone().with("more", json!("x".repeat(9_000))).sign(SECRET)),
    ]
}

fn signed_text(claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims));
    let signature = sign(message.as_bytes(), &EncodingKey::from_secret(SECRET.as_bytes()), Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// Fails if the log holds the token or the part of it that is worth something.
fn assert_never_logged(pulso: &Running, tokens: &[String]) {
    for token in tokens {
        let pieces = std::iter::once(token.as_str()).chain(token.split('.').skip(1));
        for piece in pieces.filter(|piece| piece.len() > 12) {
            assert!(!pulso.has_logged(piece), "logged: {piece}");
        }
    }
}

#[tokio::test]
async fn a_token_is_taken_from_the_query_or_the_header() {
    let (pulso, _database) = open().await;
    let token = owner().sign(SECRET);
    let (query, bearer) = (format!("/ws?token={token}"), format!("Bearer {token}"));
    for (path, headers) in [
        (query.as_str(), vec![]),
        ("/ws", vec![("authorization", bearer.as_str())]),
        (query.as_str(), vec![("authorization", bearer.as_str())]),
    ] {
        let mut dashboard = Dashboard::connect(pulso.port(), path, &headers).await;
        dashboard.watch(NEGOCIO).await;
    }
    let lower = bearer.replace("Bearer", "bearer");
    Dashboard::connect(pulso.port(), "/ws", &[("authorization", &lower)]).await.watch(NEGOCIO).await;

    let other = format!("Bearer {}", owner().with("jti", json!("x")).sign(SECRET));
    let refused = Dashboard::try_connect(pulso.port(), &query, &[("authorization", &other)]).await.unwrap_err();
    assert_eq!(refused.status, 401, "{refused:?}");
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(Dashboard::try_connect(pulso.port(), "/ws", &twice).await.unwrap_err().status, 401);
    let empty = [("authorization", "Bearer ")];
    assert_eq!(Dashboard::try_connect(pulso.port(), "/ws", &empty).await.unwrap_err().status, 401);
    assert_never_logged(&pulso, &[token, other.replace("Bearer ", "")]);
}

#[tokio::test]
async fn a_bad_token_is_a_401_wherever_it_comes_and_is_never_logged() {
    let (pulso, _database) = open().await;
    let tokens = bad_tokens();
    for (what, token) in &tokens {
        let path = format!("/ws?token={token}");
        let refused = Dashboard::try_connect(pulso.port(), &path, &[]).await.map(drop).unwrap_err();
        assert_eq!(refused.status, 401, "{what}: {refused:?}");
        let body: Value = serde_json::from_str(&refused.body).unwrap_or_else(|_| panic!("{what}: {refused:?}"));
        assert!(body["error"].is_string() && body["message"].is_string(), "{what}: {body}");
        assert!(body["message"].as_str().unwrap().starts_with("Invalid JWT token"), "{what}: {body}");
        assert!(token.is_empty() || !refused.body.contains(token), "{what}: {body}");

        let header = format!("Bearer {token}");
        let refused = Dashboard::try_connect(pulso.port(), "/ws", &[("authorization", &header)]).await.map(drop);
        assert_eq!(refused.unwrap_err().status, 401, "{what} in the header");

        let mut dashboard = Dashboard::connect(pulso.port(), "/ws", &[]).await;
        dashboard.send(&json!({ "type": "auth", "token": token })).await;
        assert!(dashboard.error().await.starts_with("Invalid JWT token"), "{what} in the first message");
        dashboard.subscribe(NEGOCIO).await;
        assert_eq!(dashboard.error().await, "authenticate first", "{what} in the first message");
    }
    let texts: Vec<String> = tokens.into_iter().map(|(_, token)| token).collect();
    assert_never_logged(&pulso, &texts);
    pulso.until_logged("Invalid JWT token").await;
}

#[tokio::test]
async fn the_user_is_id_else_user_id_else_sub() {
    let (pulso, _database) = open().await;
    let none = || owner().without("id");
    for (claims, owns) in [
        (owner(), true),
        (none().with("user_id", json!(OWNER)), true),
        (none().with("sub", json!(OWNER)), true),
        (none().with("id", json!("")).with("sub", json!(OWNER)), true),
        (owner().with("user_id", json!(OTHER_OWNER)).with("sub", json!(OTHER_OWNER)), true),
        (none().with("user_id", json!(OWNER)).with("sub", json!(OTHER_OWNER)), true),
        (owner().with("id", json!(OTHER_OWNER)).with("user_id", json!(OWNER)), false),
        (none().with("user_id", json!(OTHER_OWNER)).with("sub", json!(OWNER)), false),
        (none().with("user_id", json!(7)), false),
        (owner().with("nbf", json!(now() - 5)).with("iat", json!(now())).with("aud", json!("anybody")), true),
        (owner().with("exp", json!(serde_json::Number::from_f64(3_600.5 + 2.0_f64.powi(31)).unwrap())), false),
    ] {
        let shown = claims.json();
        let path = format!("/ws?token={}", claims.sign(SECRET));
        if shown["exp"].is_f64() {
            // Too far away, and read as the number that it is.
            let refused = Dashboard::try_connect(pulso.port(), &path, &[]).await.map(drop).unwrap_err();
            assert!(refused.body.contains("too far"), "{refused:?}");
            continue;
        }
        let mut dashboard = Dashboard::connect(pulso.port(), &path, &[]).await;
        dashboard.subscribe(NEGOCIO).await;
        let answer = dashboard.next().await;
        assert_eq!(answer["type"], if owns { "stats" } else { "error" }, "{shown}: {answer}");
    }
}

#[tokio::test]
async fn a_numeric_user_id_owns_where_users_are_numbers() {
    let database = pulso_harness::Postgres::shared().empty_database().await;
    database
        .execute(
            "CREATE TABLE negocios (id int PRIMARY KEY, admin_negocio_id int);
             CREATE TABLE citas (negocio_id int NOT NULL, fecha date NOT NULL, estado text);
             INSERT INTO negocios VALUES (5, 7)",
        )
        .await;
    let pulso = pulso(&database.url()).ready().await;
    for user in [json!(7), json!("7")] {
        let mut dashboard = pulso.connect(&Claims::empty().with("user_id", user).expiring_in(60)).await;
        assert_eq!(dashboard.watch("5").await.negocio_id, "5");
    }
    let mut stranger = pulso.connect(&Claims::empty().with("user_id", json!(8)).expiring_in(60)).await;
    stranger.subscribe("5").await;
    stranger.error().await;
}

#[tokio::test]
async fn the_leeway_admits_and_ends_thirty_seconds_after_exp() {
    let (pulso, _database) = open().await;
    let mut late = pulso.connect(&owner().expiring_in(-10)).await;
    late.watch(NEGOCIO).await;

    let exp = now() - 28;
    let mut dashboard = pulso.connect(&owner().with("exp", json!(exp))).await;
    dashboard.watch(NEGOCIO).await;
    let closed = dashboard.closed().await;
    assert_eq!((closed.code, closed.reason.as_str()), (4001, "token expired"));
    assert!(now() >= exp + 30);
    late.ping().await;
}

#[tokio::test]
async fn a_live_connection_ends_when_its_token_does() {
    let (pulso, _database) = open().await;
    let exp = now() + 2;
    let mut dashboard = pulso.connect(&owner().with("exp", json!(exp))).await;
    dashboard.watch(NEGOCIO).await;
    let closed = dashboard.closed().await;
    assert_eq!((closed.code, closed.reason.as_str()), (4001, "token expired"));
    assert!((exp..exp + 20).contains(&now()), "no leeway for a live connection");
}

#[tokio::test]
async fn a_renewed_token_is_answered_with_nothing_and_outlives_the_old_one() {
    let (pulso, _database) = open().await;
    let exp = now() + 2;
    let token = owner().sign(SECRET);
    for message in [json!({ "type": "auth", "token": token }), json!({ "type": "auth", "data": { "token": token } })] {
        let mut dashboard = pulso.connect(&owner().with("exp", json!(exp))).await;
        dashboard.watch(NEGOCIO).await;
        dashboard.send(&message).await;
        // The pong comes next: nothing answered the token.
        dashboard.ping().await;
        wait::until(async || now() > exp + 1, "the old token has expired").await;
        dashboard.ping().await;
        assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 1);
        dashboard.stats().await;
    }
    // And it may end sooner.
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.send(&json!({ "type": "auth", "token": owner().expiring_in(1).sign(SECRET) })).await;
    assert_eq!(dashboard.closed().await.reason, "token expired");
    assert_never_logged(&pulso, &[token]);
}

#[tokio::test]
async fn a_bad_renewal_is_an_error_and_the_old_token_stays() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let good = owner().sign(SECRET);
    for (what, message) in
        bad_tokens().into_iter().map(|(what, token)| (what, json!({ "type": "auth", "token": token }))).chain([
            ("no token", json!({ "type": "auth" })),
            ("a token that is a number", json!({ "type": "auth", "token": 7 })),
            ("two tokens", json!({ "type": "auth", "token": good, "data": { "token": "x" } })),
            ("expired", json!({ "type": "auth", "token": owner().expiring_in(-10).sign(SECRET) })),
        ])
    {
        dashboard.send(&message).await;
        let answer = dashboard.next().await;
        assert_eq!(answer["type"], "error", "{what}: {answer}");
        dashboard.ping().await;
    }
    pulso.notify(NEGOCIO).await;
    dashboard.stats().await;
}

#[tokio::test]
async fn another_users_token_on_a_live_connection_is_a_4001() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let token = Claims::user(OTHER_OWNER).sign(SECRET);
    dashboard.send(&json!({ "type": "auth", "token": token })).await;
    dashboard.subscribe(crate::business::OTHER_NEGOCIO).await;
    match dashboard.next_or_close().await {
        Err(closed) => assert_eq!((closed.code, closed.reason.as_str()), (4001, "another user's token")),
        Ok(message) => panic!("{message}"),
    }
    assert_never_logged(&pulso, &[token]);
}

#[tokio::test]
async fn without_a_token_the_first_message_brings_it() {
    let (pulso, _database) = open().await;
    let token = owner().sign(SECRET);
    for message in [json!({ "type": "auth", "token": token }), json!({ "type": "auth", "data": { "token": token } })] {
        let mut dashboard = Dashboard::connect(pulso.port(), "/ws", &[]).await;
        for early in [
            json!({ "type": "ping" }),
            json!({ "type": "subscribe", "channel": format!("estadisticas:{NEGOCIO}") }),
            json!({ "type": "unsubscribe", "channel": format!("estadisticas:{NEGOCIO}") }),
            json!({ "type": "nada" }),
        ] {
            dashboard.send(&early).await;
            dashboard.error().await;
        }
        dashboard.send_text("no json").await;
        dashboard.error().await;
        pulso.notify(NEGOCIO).await;
        dashboard.send(&message).await;
        dashboard.ping().await;
        dashboard.watch(NEGOCIO).await;
    }
    assert_eq!(pulso.count("pulso_unauthenticated_connections").await, 0);
    assert_never_logged(&pulso, &[token]);
}

#[tokio::test]
async fn who_never_authenticates_is_closed_with_4001() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("AUTH_TIMEOUT", "1s").ready().await;
    let mut silent = Dashboard::connect(pulso.port(), "/ws", &[]).await;
    let mut chatty = Dashboard::connect(pulso.port(), "/ws", &[]).await;
    let mut known = Dashboard::connect(pulso.port(), "/ws", &[]).await;
    known.send(&json!({ "type": "auth", "token": owner().sign(SECRET) })).await;
    chatty.send(&json!({ "type": "auth", "token": owner().sign("a wrong secret of more than 32 bytes") })).await;
    for dashboard in [&mut silent, &mut chatty] {
        let closed = dashboard.closed().await;
        assert_eq!((closed.code, closed.reason.as_str()), (4001, "authentication timeout"));
    }
    known.ping().await;
    known.watch(NEGOCIO).await;
}

#[tokio::test]
async fn tokens_of_a_previous_key_are_good_until_it_is_taken_away() {
    let database = database().await;
    let (old, older) =
        ("the secret before this one of more than 32 bytes", "and the one before that of more than 32 bytes");
    let rotating = pulso(&database.url()).with("JWT_SECRET_PREVIOUS", &format!("{old},{older}")).ready().await;
    for secret in [SECRET, old, older] {
        let path = format!("/ws?token={}", owner().sign(secret));
        Dashboard::connect(rotating.port(), &path, &[]).await.watch(NEGOCIO).await;
    }
    let rotated = pulso(&database.url()).ready().await;
    let path = format!("/ws?token={}", owner().sign(old));
    assert_eq!(Dashboard::try_connect(rotated.port(), &path, &[]).await.unwrap_err().status, 401);
}

#[tokio::test]
async fn an_audience_is_checked_only_where_one_is_configured() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("JWT_AUDIENCE", "pulso").ready().await;
    for (audience, admitted) in [
        (json!("pulso"), true),
        (json!(["api", "pulso"]), true),
        (json!("api"), false),
        (json!([]), false),
        (json!(7), false),
        (Value::Null, false),
    ] {
        let path = format!("/ws?token={}", owner().with("aud", audience.clone()).sign(SECRET));
        let admitted_now = Dashboard::try_connect(pulso.port(), &path, &[]).await;
        assert_eq!(
            admitted_now.as_ref().map_or_else(|refused| refused.status, |_| 101),
            if admitted { 101 } else { 401 },
            "{audience}"
        );
    }
    let path = format!("/ws?token={}", owner().sign(SECRET));
    assert_eq!(Dashboard::try_connect(pulso.port(), &path, &[]).await.unwrap_err().status, 401);
}
