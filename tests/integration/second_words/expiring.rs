//! `expiring`: said once a token, in time to fetch another.

use pulso_harness::{Claims, SECRET, token};
use serde_json::json;

use super::{Foreign, assert_keys, signed};
use crate::business::owner;
use crate::feeds::open;

fn until(exp: i64) -> Claims {
    owner().with("exp", json!(exp))
}

#[tokio::test]
async fn a_token_that_ends_is_told_of_once_before_it_does() {
    let (pulso, _database) = open().await;
    let exp = token::now() + 3;
    let mut client = Foreign::connect(&pulso, &signed("/ws", &until(exp))).await;
    client.hear("hello").await;
    let expiring = client.hear("expiring").await;
    assert_keys(&expiring, &["type", "expires"]);
    assert_eq!(expiring["expires"], exp);
    assert!(token::now() <= exp);
    let closing = client.hear("closing").await;
    assert_keys(&closing, &["type", "code", "reason", "again", "after"]);
    assert_eq!((&closing["code"], &closing["reason"]), (&json!(4001), &json!("token expired")));
    assert_eq!(client.closed().await, (4001, "token expired".to_owned()));
}

#[tokio::test]
async fn a_token_that_is_good_for_long_is_not_spoken_of() {
    let (pulso, _database) = open().await;
    // Far from the end, and nearer to it than a minute would be of a longer one.
    for left in [36_000, 50] {
        let mut client = Foreign::connect(&pulso, &signed("/ws", &until(token::now() + left))).await;
        client.hear("hello").await;
        client.ping().await;
    }
}

#[tokio::test]
async fn a_token_of_a_minute_is_told_of_in_its_last_seconds() {
    let (pulso, _database) = open().await;
    let exp = token::now() + 60;
    let mut client = Foreign::connect(&pulso, &signed("/ws", &until(exp))).await;
    client.hear("hello").await;
    // Of ten hours, which comes in the last tenth of them.
    let old = until(exp).with("iat", json!(exp - 36_000));
    let mut late = Foreign::connect(&pulso, &signed("/ws", &old)).await;
    late.hear("hello").await;
    for client in [&mut client, &mut late] {
        let expiring = client.hear("expiring").await;
        assert_eq!(expiring["expires"], exp);
        assert!(token::now() >= exp - 7, "not while most of it is left");
    }
    // A newer one is told of anew.
    let newer = token::now() + 3;
    client.say(&json!({ "type": "auth", "token": until(newer).sign(SECRET) }));
    assert_eq!(client.hear("authenticated").await["expires"], newer);
    assert_eq!(client.hear("expiring").await["expires"], newer);
    client.hear("closing").await;
}

#[tokio::test]
async fn staff_is_told_too() {
    let (pulso, _database) = open().await;
    let exp = token::now() + 3;
    let claims = super::nurse().with("exp", json!(exp));
    let mut staff = Foreign::connect(&pulso, &signed("/ws/staff/orders/", &claims)).await;
    staff.hear("hello").await;
    staff.hear("subscribed").await;
    assert_eq!(staff.hear("expiring").await["expires"], exp);
    assert_eq!(staff.hear("closing").await["code"], 4001);
    assert_eq!(staff.closed().await.0, 4001);
}
