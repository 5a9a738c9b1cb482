//! Keys that an issuer publishes: who cannot be checked yet comes back, and who came by a key that is withdrawn goes.

use pulso_harness::{Claims, Closed, Dashboard, Packets, Page, Pulso, SigningKey, Website, jwks, wait};
use serde_json::json;

use super::{ISSUER, mapped, provided, status};
use crate::everywhere::Everywhere;
use crate::feeds::configured;

const LATER: &str = "cannot be checked right now";

/// Believes the keys at this place, and no secret.
fn asking(pulso: Pulso, website: &Website) -> Pulso {
    let pulso = pulso.with("JWT_SECRET", "").with("JWKS_URL", &website.url("/keys"));
    mapped(pulso).with("JWT_ISSUER", ISSUER).with("JWT_AUDIENCE", "authenticated")
}

fn publish(website: &Website, keys: &[&SigningKey]) {
    website.says("/keys", Page::of(jwks(keys)).with("cache-control", "max-age=300"));
}

#[tokio::test]
async fn who_cannot_be_checked_yet_is_told_to_come_back_on_every_transport_and_is_let_in_then() {
    let (pulso, _database) = configured().await;
    let (website, key) = (Website::start().await, SigningKey::p256("k"));
    website.says("/keys", Page::status("500 Internal Server Error"));
    let pulso = asking(pulso, &website).ready().await;
    let token = key.token(&provided());

    let refused = Dashboard::try_connect(pulso.port(), &format!("/ws?token={token}"), &[]).await.unwrap_err();
    assert!(refused.status == 503 && refused.body.contains(LATER), "{refused:?}");
    let stream = pulso.get(&format!("/sse?channel=staff_orders&token={token}")).await;
    assert_eq!((stream.status, stream.header("retry-after")), (503, Some("1")), "{stream:?}");
    let mut staff = pulso.open(&format!("/ws/staff/orders/?token={token}")).await;
    assert_eq!(staff.closed().await, Closed { code: 1013, reason: LATER.to_owned() });
    let auth = json!({ "token": token });
    let answer = Packets::open(pulso.port(), &[]).await.connect(&auth).await;
    assert_eq!(answer, format!(r#"44{{"message":"{LATER}"}}"#));
    let mut screen = pulso.open("/ws").await;
    screen.send(&json!({ "type": "auth", "token": token })).await;
    assert_eq!(screen.error().await, LATER);
    assert_eq!(pulso.refused("KeysUnavailable").await, 5);
    // In the second version with when that is.
    let mut second = pulso.open("/ws?v=2").await;
    second.send(&json!({ "type": "auth", "token": token, "ref": "r" })).await;
    let unchecked =
        json!({ "type": "error", "code": "unchecked", "message": LATER, "ref": "r", "retry": false, "after": 5_000 });
    assert_eq!(second.next().await, unchecked);
    let mut staff = pulso.open(&format!("/ws/staff/orders/?v=2&token={token}")).await;
    let closing = json!({ "type": "closing", "code": 1013, "reason": LATER, "again": true, "after": 5_000 });
    assert_eq!(staff.next().await, closing);
    assert_eq!(staff.closed().await.code, 1013);
    // What is wrong with it whoever signed it is still said at once.
    assert_eq!(status(&pulso, &Claims::user("42").sign("a secret of nobody's, longer than 32 bytes")).await, 401);

    publish(&website, &[&key]);
    wait::until(async || status(&pulso, &token).await == 101, "the keys are here").await;
    screen.send(&json!({ "type": "auth", "token": token })).await;
    screen.ping().await;
    Everywhere::enter(&pulso, &token).await;
}

#[tokio::test]
async fn who_came_by_a_key_that_is_withdrawn_goes_and_comes_back_with_another() {
    let (pulso, _database) = configured().await;
    let (website, old, new) = (Website::start().await, SigningKey::p256("old"), SigningKey::ed25519("new"));
    publish(&website, &[&old, &new]);
    let pulso = asking(pulso, &website).ready().await;
    let (by_old, by_new) = (old.token(&provided()), new.token(&provided()));
    wait::until(async || status(&pulso, &by_old).await == 101, "the keys are here").await;
    let hers = Everywhere::enter(&pulso, &by_old).await;
    let mut renewed = pulso.open(&format!("/ws?token={by_old}")).await;
    renewed.send(&json!({ "type": "auth", "token": by_new })).await;
    renewed.ping().await;

    publish(&website, &[&new]);
    // Whoever brings a key that is not known has the set fetched again, half a minute after the last time.
    let unknown = SigningKey::p256("unknown").token(&provided());
    assert_eq!(status(&pulso, &unknown).await, 503);
    wait::until(async || pulso.closed_with(4001).await > 0, "the set is fetched again").await;
    hers.leave(&Closed { code: 4001, reason: "signing key withdrawn".to_owned() }).await;
    assert_ne!(status(&pulso, &by_old).await, 101, "what is remembered of it does not outlive its key");
    assert_eq!(status(&pulso, &unknown).await, 401, "now it was looked for");
    renewed.ping().await;
    Everywhere::enter(&pulso, &by_new).await;
    assert_eq!(website.asked("/keys"), 2);
}
