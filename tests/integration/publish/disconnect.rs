//! `POST /api/disconnect`: all connections of a user or a device end, and an older token opens nothing any more.

use std::time::Duration;

use pulso_harness::{Claims, Closed, Dashboard, EventStream, SECRET, token};
use serde_json::json;
use tokio::time::sleep;

use crate::business::NEGOCIO;
use crate::feeds::{assert_reached, assert_refused, open, signed};

const DEVICES: &str = "
    CREATE TABLE devices (id int PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES (1, 'ipad-1', true), (2, 'ipad-2', true);";

fn ended() -> Closed {
    Closed { code: 4001, reason: "session ended".to_owned() }
}

/// A member of the staff who also has a till.
fn employee(id: &str) -> Claims {
    let claims = Claims::naming(id, &[NEGOCIO]).with("role", json!("STAFF"));
    claims.with("iat", json!(token::now() - 5))
}

#[tokio::test]
async fn a_user_who_is_dismissed_is_out_everywhere_and_an_older_token_brings_nobody_back() {
    let (pulso, _database) = open().await;
    let old = employee("ana");
    let mut hers = [
        pulso.connect(&old).await,
        pulso.open("/ws").await,
        pulso.open(&signed("/ws/staff/orders/", &old)).await,
        pulso.open(&signed("/ws/staff/orders", &old)).await,
    ];
    hers[1].send(&json!({ "type": "auth", "token": old.sign(SECRET) })).await;
    let mut stream = pulso.events(&format!("{}&channel=negocio:{NEGOCIO}", signed("/sse", &old))).await;
    stream.next_block().await;
    let mut others =
        [pulso.connect(&employee("eva")).await, pulso.open(&signed("/ws/staff/orders/", &employee("eva"))).await];
    for listening in hers.iter_mut().chain(&mut others) {
        listening.ping().await;
    }
    assert_reached(&pulso.post("/api/disconnect", r#"{"user":"ana","motivo":"despedida"}"#).await, 5);
    for listening in &mut hers {
        assert_eq!(listening.closed().await, ended());
    }
    let last = stream.last().await.unwrap();
    assert_eq!((last.name.as_str(), last.json()), ("close", json!({ "code": 4001, "reason": "session ended" })));

    // Refused at every door, whatever else the token says; no `iat` may be as old as any.
    for refused in [old.clone(), old.without("iat"), employee("ana").with("id", json!("eva")).with("sub", json!("ana"))]
    {
        let path = signed("/ws", &refused);
        assert_eq!(Dashboard::try_connect(pulso.port(), &path, &[]).await.unwrap_err().status, 401);
        let mut staff = pulso.open(&signed("/ws/staff/orders/", &refused)).await;
        assert_eq!(staff.closed().await, Closed { code: 4001, reason: "invalid token".to_owned() });
        let path = format!("{}&channel=staff_orders", signed("/sse", &refused));
        assert_eq!(EventStream::try_open(pulso.port(), &path, &[]).await.unwrap_err().status, 401);
        let mut unknown = pulso.open("/ws").await;
        unknown.send(&json!({ "type": "auth", "token": refused.sign(SECRET) })).await;
        assert!(unknown.error().await.starts_with("Invalid JWT token"));
    }
    let newer = employee("ana").with("iat", json!(token::now() + 1));
    pulso.connect(&newer).await.ping().await;
    pulso.open(&signed("/ws/staff/orders/", &newer)).await.ping().await;
    for listening in &mut others {
        listening.ping().await;
    }
    assert_reached(&pulso.post("/api/disconnect", r#"{"user":"nadie"}"#).await, 0);
}

#[tokio::test]
async fn who_is_on_the_way_in_when_she_is_dismissed_does_not_stay() {
    let (pulso, _database) = open().await;
    for round in 0..15 {
        let user = format!("ana-{round}");
        let (screen, staff) = (signed("/ws", &employee(&user)), signed("/ws/staff/orders/", &employee(&user)));
        let entering = (0..40).map(async |number: u64| {
            sleep(Duration::from_micros(number * 100)).await;
            Dashboard::try_connect(pulso.port(), if number.is_multiple_of(2) { &screen } else { &staff }, &[]).await
        });
        let dismissing = async {
            sleep(Duration::from_millis(2)).await;
            pulso.post("/api/disconnect", &json!({ "user": user }).to_string()).await
        };
        let (entered, answer) = tokio::join!(futures_util::future::join_all(entering), dismissing);
        assert_eq!(answer.status, 200);
        for entered in entered {
            match entered {
                Ok(mut socket) => assert_eq!(socket.closed().await.code, 4001),
                Err(refused) => assert_eq!(refused.status, 401),
            }
        }
    }
}

#[tokio::test]
async fn a_live_connection_cannot_be_renewed_with_what_was_issued_before() {
    let (pulso, _database) = open().await;
    let newer = employee("ana").with("iat", json!(token::now() + 2));
    assert_reached(&pulso.post("/api/disconnect", r#"{"user":"ana"}"#).await, 0);
    let mut back = pulso.connect(&newer).await;
    back.send(&json!({ "type": "auth", "token": employee("ana").sign(SECRET) })).await;
    assert!(back.error().await.starts_with("Invalid JWT token"));
    back.ping().await;
}

#[tokio::test]
async fn a_user_may_have_a_number_and_a_device_either_of_its_names() {
    let (pulso, database) = open().await;
    database.execute(DEVICES).await;
    let numbered = || Claims::empty().with("user_id", json!(7)).expiring_in(60);
    for body in [r#"{"user":7}"#, r#"{"user":"7"}"#] {
        let claims = numbered().with("iat", json!(token::now() + 1));
        let mut seven = pulso.connect(&claims).await;
        seven.ping().await;
        assert_reached(&pulso.post("/api/disconnect", body).await, 1);
        assert_eq!(seven.closed().await, ended());
    }
    let kiosk = async |uid: &str| {
        let mut kiosk = pulso.open(&format!("/ws/kiosk/orders/?device_uid={uid}")).await;
        kiosk.ping().await;
        kiosk
    };
    let mut stays = kiosk("ipad-2").await;
    for body in [r#"{"device_uid":"ipad-1"}"#, r#"{"device_id":1}"#, r#"{"device_id":"1"}"#] {
        // It is still active, so it may come back.
        let mut ends = [kiosk("ipad-1").await, kiosk("ipad-1").await];
        assert_reached(&pulso.post("/api/disconnect", body).await, 2);
        for kiosk in &mut ends {
            assert_eq!(kiosk.closed().await, ended());
        }
    }
    stays.ping().await;
    let unknown = "device_uid or device_id: there is no such device";
    assert_refused(&pulso.post("/api/disconnect", r#"{"device_uid":"ipad-9"}"#).await, 404, unknown);
    for body in ["{}", r#"{"user":null}"#, r#"{"user":""}"#, r#"{"user":"ana","device_id":1}"#, r#"{"user":["ana"]}"#] {
        assert_refused(&pulso.post("/api/disconnect", body).await, 400, "user ");
    }
}
