//! The end of a connection in the second version: said before the close, and a token's before it comes.

use pulso_harness::{Claims, Dashboard, SECRET, client_frame};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::socket::{greeted, say};
use crate::business::owner;
use crate::feeds::{open, signed};

fn closing(code: u16, reason: &str, again: bool, after: u64) -> Value {
    json!({ "type": "closing", "code": code, "reason": reason, "again": again, "after": after })
}

async fn is_closed_with(dashboard: &mut Dashboard, wanted: Value) {
    assert_eq!(dashboard.next().await, wanted);
    let closed = dashboard.closed().await;
    assert_eq!((json!(closed.code), json!(closed.reason)), (wanted["code"].clone(), wanted["reason"].clone()));
}

#[tokio::test]
async fn a_token_that_ends_is_asked_for_once_and_its_end_is_said() {
    let (pulso, _database) = open().await;
    let token = |seconds| Claims::user("ana").expiring_in(seconds).sign(SECRET);
    let (mut dashboard, hello) = greeted(&pulso, &format!("/ws?token={}", token(3))).await;
    let expiring = json!({ "type": "expiring", "expires": hello["expires"] });
    assert_eq!(dashboard.next().await, expiring);
    // Another, which has its own.
    say(&mut dashboard, json!({ "type": "auth", "token": token(4), "ref": "r" })).await;
    let authenticated = dashboard.next().await;
    assert_eq!((&authenticated["type"], &authenticated["ref"]), (&json!("authenticated"), &json!("r")));
    assert_eq!(dashboard.next().await, json!({ "type": "expiring", "expires": authenticated["expires"] }));
    is_closed_with(&mut dashboard, closing(4001, "token expired", false, 0)).await;
}

#[tokio::test]
async fn staff_are_asked_for_a_token_too_and_a_long_one_is_not_asked_for() {
    let (pulso, _database) = open().await;
    let staff = Claims::empty().expiring_in(3_600).with("role", json!("STAFF"));
    let (mut long, _) = greeted(&pulso, &signed("/ws/staff/orders/", &staff.clone().expiring_in(36_000))).await;
    long.next().await;
    let (mut short, hello) = greeted(&pulso, &signed("/ws/staff/orders/", &staff.expiring_in(3))).await;
    short.next().await;
    assert_eq!(short.next().await, json!({ "type": "expiring", "expires": hello["expires"] }));
    is_closed_with(&mut short, closing(4001, "token expired", false, 0)).await;
    long.ping().await;
}

#[tokio::test]
async fn whatever_ends_a_connection_is_said_before() {
    let (pulso, _database) = open().await;
    let (mut dismissed, _) = greeted(&pulso, &signed("/ws", &owner())).await;
    assert_eq!(pulso.post("/api/disconnect", &json!({ "user": crate::business::OWNER }).to_string()).await.status, 200);
    is_closed_with(&mut dismissed, closing(4001, "session ended", false, 0)).await;

    let (mut broken, _) = greeted(&pulso, &signed("/ws", &Claims::user("ana"))).await;
    // Of an opcode that there is not.
    broken.send_raw(&client_frame(0x83, b"x")).await;
    is_closed_with(&mut broken, closing(1002, "protocol error", false, 0)).await;

    let mut unknown = pulso.open("/ws?v=2").await;
    let (mut staying, _) = greeted(&pulso, &signed("/ws", &Claims::user("ana"))).await;
    pulso.signal(Signal::TERM);
    is_closed_with(&mut staying, closing(1001, "going away", true, 0)).await;
    is_closed_with(&mut unknown, closing(1001, "going away", true, 0)).await;
}
