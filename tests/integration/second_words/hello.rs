//! `hello`: the first frame of every connection, as soon as it is known who is there; and which version is spoken.

use pulso_harness::{Claims, SECRET, token};
use serde_json::{Value, json};

use super::{Foreign, assert_keys, cashier, id, nurse, signed, subscribe, waiter};
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OWNER, owner};
use crate::feeds::{configured, open};

const ALWAYS: [&str; 7] = ["type", "v", "server", "now", "ping", "silence", "id"];
const DEVICES: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES (1, 'ipad-1', true), (3, 'ipad-3', false);";

/// Fails unless it says what every `hello` says, and these keys beside.
fn assert_hello(hello: &Value, more: &[&str]) {
    assert_keys(hello, &[&ALWAYS[..], more].concat());
    assert_eq!((&hello["v"], &hello["ping"], &hello["silence"]), (&json!(2), &json!(25_000), &json!(45_000)));
    assert_eq!(hello["server"], env!("CARGO_PKG_VERSION"));
    assert!((token::now() - hello["now"].as_i64().unwrap()).abs() < 60, "{hello}");
    assert!(id(hello) > 0);
}

#[tokio::test]
async fn a_hello_is_first_and_says_who_one_is_and_until_when() {
    let (pulso, database) = open().await;
    database.execute(DEVICES).await;
    let exp = token::now() + 3_600;
    let claims = Claims::naming("ana", &[NEGOCIO, OTHER_NEGOCIO]).with("role", json!("ADMIN")).with("exp", json!(exp));
    let mut client = Foreign::connect(&pulso, &signed("/ws", &claims)).await;
    let hello = client.hear("hello").await;
    assert_hello(&hello, &["user", "negocios", "role", "expires"]);
    assert_eq!((&hello["user"], &hello["role"], &hello["expires"]), (&json!("ana"), &json!("ADMIN"), &json!(exp)));
    assert_eq!(hello["negocios"], json!([NEGOCIO, OTHER_NEGOCIO]));
    // What the token opens by itself is named behind it.
    for negocio in [NEGOCIO, OTHER_NEGOCIO] {
        let joined = client.hear("subscribed").await;
        assert_keys(&joined, &["type", "channel", "id"]);
        assert_eq!((&joined["channel"], &joined["id"]), (&json!(format!("negocio:{negocio}")), &hello["id"]));
    }
    client.ping().await;

    let mut client = Foreign::connect(&pulso, &signed("/ws", &owner())).await;
    let hello = client.hear("hello").await;
    assert_eq!(hello["user"], OWNER);
    client.ping().await;

    let mut staff = Foreign::connect(&pulso, &signed("/ws/staff/orders/", &nurse())).await;
    assert_hello(&staff.hear("hello").await, &["role", "expires"]);
    assert_eq!(staff.hear("subscribed").await["channel"], "staff_orders");
    staff.ping().await;

    let mut kiosk = Foreign::connect(&pulso, "/ws/kiosk/orders/?v=2&device_uid=ipad-1").await;
    assert_hello(&kiosk.hear("hello").await, &[]);
    assert_eq!(kiosk.hear("subscribed").await["channel"], "device");
    kiosk.ping().await;
}

#[tokio::test]
async fn who_signs_in_by_message_has_a_hello_then_and_a_newer_token_is_acknowledged() {
    let (pulso, _database) = open().await;
    let mut client = Foreign::connect(&pulso, "/ws?v=2").await;
    let early = client.ask(&subscribe("canal:x:y"), "error").await;
    assert_eq!(early["code"], "not_authenticated");
    client.say(&json!({ "type": "auth", "token": cashier().sign(SECRET) }));
    let hello = client.hear("hello").await;
    assert_eq!((&hello["user"], &hello["negocios"]), (&json!("cajera"), &json!([NEGOCIO])));
    assert_eq!(client.hear("subscribed").await["channel"], format!("negocio:{NEGOCIO}"));
    let exp = token::now() + 7_200;
    client.say(&json!({ "type": "auth", "data": { "token": cashier().with("exp", json!(exp)).sign(SECRET) } }));
    let authenticated = client.hear("authenticated").await;
    assert_eq!(authenticated["expires"], exp);
    assert!((token::now() - authenticated["now"].as_i64().unwrap()).abs() < 60, "{authenticated}");
    client.ping().await;
}

#[tokio::test]
async fn a_token_that_names_no_user_comes_in_where_one_of_the_feeds_would_take_it() {
    let (pulso, _database) = open().await;
    for (claims, channel) in [(waiter(), "restaurante:r-1"), (nurse(), "staff_orders")] {
        let mut client = Foreign::connect(&pulso, "/ws?v=2").await;
        client.say(&json!({ "type": "auth", "token": claims.sign(SECRET) }));
        let hello = client.hear("hello").await;
        assert_eq!(hello["user"], Value::Null, "{hello}");
        let joined = client.ask(&json!({ "type": "subscribe", "channel": channel, "ref": "r" }), "subscribed").await;
        assert_eq!((&joined["channel"], &joined["ref"]), (&json!(channel), &json!("r")));
        client.ping().await;
    }
    // Without the version it is refused as ever.
    let nobody = Claims::empty().expiring_in(600);
    assert_eq!(Foreign::refused(&pulso, &signed("/ws", &nobody)).await, 401);
    assert_eq!(Foreign::refused(&pulso, &signed("/ws", &waiter()).replace("v=2", "v=1")).await, 401);
}

#[tokio::test]
async fn the_time_in_a_hello_is_the_servers() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.at("2031-01-01 00:00:00").ready().await;
    let new_year = 1_924_992_000;
    let claims = owner().with("exp", json!(new_year + 3_600));
    let hello = Foreign::connect(&pulso, &signed("/ws", &claims)).await.hear("hello").await;
    let now = hello["now"].as_i64().unwrap();
    assert!((new_year..new_year + 600).contains(&now), "{hello}");
    assert_eq!(hello["expires"], new_year + 3_600);
}

#[tokio::test]
async fn a_greater_version_is_answered_with_the_greatest_there_is_and_what_is_none_is_refused() {
    let (pulso, database) = open().await;
    database.execute(DEVICES).await;
    let token = owner().sign(SECRET);
    for version in ["2", "3", "17", "99999999999999999999999999"] {
        let mut client = Foreign::connect(&pulso, &format!("/ws?token={token}&v={version}")).await;
        assert_eq!(client.hear("hello").await["v"], 2, "{version}");
    }
    let mut first = Foreign::connect(&pulso, &format!("/ws?token={token}&v=1")).await;
    first.ping().await;
    let nurse = nurse().sign(SECRET);
    for path in [
        format!("/ws?token={token}"),
        "/ws?a=b".into(),
        format!("/ws/staff/orders/?token={nurse}"),
        "/ws/kiosk/orders/?device_uid=ipad-1".into(),
    ] {
        for version in ["v=0", "v=2&v=2", "v=2.0", "v=", "v=-1", "v=%2B2", "v=two", "v=2%20", "v=1&v=2", "v=0x2"] {
            assert_eq!(Foreign::refused(&pulso, &format!("{path}&{version}")).await, 400, "{path} {version}");
        }
    }
}
