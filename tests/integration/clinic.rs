//! The orders of a clinic: its staff has the new ones, each kiosk has its own, and whoever may not listen reads why.

mod devices;
mod guessing;
mod kiosk;
mod staff;

use pulso_harness::{Claims, Closed, Dashboard, Running};
use serde_json::json;

use crate::feeds::assert_refused;

const ORDER: &str =
    r#"{"order_id":123,"room_code":"101","device_uid":"ipad-room-101","placed_at":"2025-01-15T14:30:00.000Z"}"#;
pub const TOLD_STAFF: &str = r#"{"type":"new_order","order_id":123,"room_code":"101","device_uid":"ipad-room-101","placed_at":"2025-01-15T14:30:00.000Z"}"#;
pub const STAFF: [&str; 2] = ["/ws/staff/orders/", "/ws/staff/orders"];
const KIOSK: [&str; 2] = ["/ws/kiosk/orders/", "/ws/kiosk/orders"];
pub const DEVICES: &str = "
    CREATE TABLE devices (id uuid PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES
        ('d0000000-0000-4000-8000-000000000101', 'ipad-room-101', true),
        ('d0000000-0000-4000-8000-000000000102', 'ipad-room-102', true),
        ('d0000000-0000-4000-8000-000000000103', 'ipad-room-103', false);";
pub const IPAD_101: &str = "d0000000-0000-4000-8000-000000000101";

pub fn nurse() -> Claims {
    Claims::user("enfermera").with("role", json!("STAFF"))
}

pub fn kiosk_path(uid: &str) -> String {
    format!("/ws/kiosk/orders/?device_uid={uid}")
}

/// The body of a change of an order's status, but for the device.
fn change(device: &str, order: u64) -> String {
    format!(
        r#"{{{device},"order_id":{order},"status":"READY","from_status":"PREPARING","changed_at":"2025-01-15T14:35:00.000Z"}}"#
    )
}

fn of_uid(uid: &str, order: u64) -> String {
    change(&format!("\"device_uid\":\"{uid}\""), order)
}

pub fn told_kiosk(order: u64) -> String {
    format!(
        r#"{{"type":"order_status_changed","order_id":{order},"status":"READY","from_status":"PREPARING","changed_at":"2025-01-15T14:35:00.000Z"}}"#
    )
}

/// Connects, and reads how that ends: nothing may come before the Close.
async fn turned_away(pulso: &Running, path: &str, headers: &[(&str, &str)]) -> Closed {
    let mut refused = Dashboard::connect(pulso.port(), path, headers).await;
    refused.text_or_close().await.expect_err("a Close before anything else")
}

fn closed(code: u16, reason: &str) -> Closed {
    Closed { code, reason: reason.to_owned() }
}

fn invalid_token() -> Closed {
    closed(4001, "invalid token")
}

fn device_refused() -> Closed {
    closed(4001, "unknown or inactive device")
}

#[tokio::test]
async fn a_page_of_another_origin_is_a_403_on_every_endpoint() {
    let (pulso, database) = crate::feeds::configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.with("WS_ALLOWED_ORIGINS", "https://panel.example.com,http://localhost:5173").ready().await;
    let staff = crate::feeds::signed("", &nurse());
    let mut paths: Vec<String> = STAFF.iter().map(|path| format!("{path}{staff}")).collect();
    paths.extend(KIOSK.iter().map(|path| format!("{path}?device_uid=ipad-room-101")));
    paths.extend(KIOSK.iter().map(|path| format!("{path}?device_uid=unknown")));
    paths.extend(STAFF.iter().map(|path| format!("{path}?token=bad")));
    paths.push(format!("/ws{staff}"));
    for path in &paths {
        for origin in ["https://evil.example", "null", "http://panel.example.com", "http://localhost:3000"] {
            let refused = Dashboard::try_connect(pulso.port(), path, &[("origin", origin)]).await;
            assert_eq!(refused.unwrap_err().status, 403, "{path} from {origin}");
        }
        for headers in [&[("origin", "https://panel.example.com")][..], &[]] {
            assert!(Dashboard::try_connect(pulso.port(), path, headers).await.is_ok(), "{path} from {headers:?}");
        }
    }
}

#[tokio::test]
async fn a_call_that_is_not_right_is_a_400_that_names_the_field() {
    let (pulso, database) = crate::feeds::open().await;
    database.execute(DEVICES).await;
    let mut staff = pulso.open(&crate::feeds::signed(STAFF[0], &nurse())).await;
    let mut kiosk = pulso.open(&kiosk_path("ipad-room-101")).await;
    kiosk.ping().await;
    for (old, new, field) in [
        ("123", "\"123\"", "order_id"),
        ("123", "1.0", "order_id"),
        ("\"order_id\":123,", "", "order_id"),
        ("\"101\"", "101", "room_code"),
        ("\"ipad-room-101\"", "null", "device_uid"),
        ("\"ipad-room-101\"", "7", "device_uid"),
        ("\"2025-01-15T14:30:00.000Z\"", "1736951400", "placed_at"),
        ("{", "{\"negocio_id\":[],", "negocio_id"),
        ("{", "{\"type\":\"order_status_changed\",", "type"),
    ] {
        assert_refused(&pulso.post("/notify/pedido", &ORDER.replacen(old, new, 1)).await, 400, &format!("{field} "));
    }
    let good = of_uid("ipad-room-101", 1);
    for (old, new, field) in [
        (":1,", ":\"1\",", "order_id"),
        ("PREPARING", "preparing", "from_status"),
        ("\"PREPARING\"", "null", "from_status"),
        ("\"changed_at\"", "\"changed\"", "changed_at"),
        ("{", "{\"device_id\":\"7\",", "device_uid"),
        ("\"device_uid\":\"ipad-room-101\",", "", "device_uid"),
        ("\"ipad-room-101\"", "\"\"", "device_uid"),
    ] {
        let answer = pulso.post("/notify/pedido/estado", &good.replacen(old, new, 1)).await;
        assert_refused(&answer, 400, &format!("{field} "));
    }
    for status in ["\"SHIPPED\"", "\"ready\"", "7", "null", "\"\""] {
        let answer = pulso.post("/notify/pedido/estado", &good.replace("\"READY\"", status)).await;
        assert_refused(&answer, 400, "status must be one of PLACED, PREPARING, READY, DELIVERED, CANCELLED");
    }
    for device in [r#""device_uid":"ipad-room-999""#, r#""device_id":"no-uuid""#, r#""device_id":7"#] {
        let answer = pulso.post("/notify/pedido/estado", &change(device, 1)).await;
        assert_refused(&answer, 404, "device_uid or device_id: there is no such device");
    }
    staff.ping().await;
    kiosk.ping().await;
}
