//! The boards of orders and sales in a real Chromium, moved by the real hooks of the real server.

mod begins;
mod consultas;
mod expiry;
mod gaps;
mod hostile;
mod languages;
mod named;
mod refused;
mod shown;

use jiff::Timestamp;
use pulso_harness::{Claims, Database, Pulso, Running, SECRET, token};
use serde_json::{Value, json};

use crate::business::{NEGOCIO, OWNER, database, pulso};
use crate::tab::{Tab, address};

pub const KEY: &str = "a-key-for-the-hooks";
pub const RESTAURANT: &str = "33333333-3333-4333-8333-333333333333";
pub const OTHER_RESTAURANT: &str = "44444444-4444-4444-8444-444444444444";
const DEVICE: &str = "ipad-room-101";
pub const OTHER_DEVICE: &str = "ipad-room-102";

/// What is on the glass, as lists of lines.
const BOARDS: &str =
    "[...document.querySelectorAll('#panel, .view')].filter((board) => !board.closest('[hidden]')).map(({ id }) => id)";
const CARDS: &str = "[...document.querySelectorAll('#restaurante [data-order]')].map((card) => \
    `${card.closest('[data-column]').dataset.column} ${card.dataset.order} ${card.dataset.status}`)";
const ITEMS: &str = "[...document.querySelectorAll('#restaurante [data-item]')].map(({ dataset }) => `${dataset.item} ${dataset.status}`)";
const COUNTS: &str =
    "[...document.querySelectorAll('#restaurante .count')].map(({ textContent }) => textContent).join(' ')";
const ARRIVALS: &str = "[...document.querySelectorAll('#clinica .arrival')].map((row) => `${row.dataset.order} ${row.querySelector('.place').textContent}`)";
const TICKETS: &str = "[...document.querySelectorAll('#kiosko .ticket')].map((card) => \
    `${card.dataset.order} ${card.dataset.status} ${card.querySelector('.ticket-state').textContent}`)";
const SALES: &str = "[...document.querySelectorAll('#ventas .sale')].map((row) => \
    [row.dataset.kind, ...['.sale-title', '.sale-detail', '.amount'].map((part) => row.querySelector(part).textContent)].filter(Boolean).join(' | '))";
const TONES: &str = "[...document.querySelectorAll('.view')].filter((board) => board.checkVisibility()).map((board) => \
    `${board.id} ${board.querySelector('.status').dataset.tone}`)";

const ALL_GOOD: [&str; 4] = ["restaurante good", "kiosko good", "clinica good", "ventas good"];

/// The server with every feed, its hooks and two kiosks.
pub struct Stage {
    pub running: Running,
    pub database: Database,
}

/// The server, not started yet; and what it needs to live.
pub async fn furnished() -> (Pulso, Database) {
    let database = database().await;
    database
        .execute(&format!(
            "CREATE TABLE devices (id bigint PRIMARY KEY, device_uid text UNIQUE, is_active boolean);
             INSERT INTO devices VALUES (1, '{DEVICE}', true), (2, '{OTHER_DEVICE}', true), (3, 'ipad-switched-off', false)"
        ))
        .await;
    (pulso(&database.url()).with("NOTIFY_API_KEY", KEY), database)
}

impl Stage {
    pub async fn open() -> Self {
        let (pulso, database) = furnished().await;
        Self { running: pulso.ready().await, database }
    }

    pub fn port(&self) -> u16 {
        self.running.port()
    }

    /// Calls a hook as the REST API does; returns how many screens it has reached.
    pub async fn call(&self, path: &str, body: &str) -> u64 {
        let head = format!("POST {path} HTTP/1.1\ncontent-type: application/json\nx-api-key: {KEY}");
        let answer = self.running.exchange(&head, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["clients"].as_u64().unwrap()
    }

    /// As [`Self::call`], for one screen.
    pub async fn tell(&self, path: &str, body: impl ToString) {
        let body = body.to_string();
        assert_eq!(self.call(path, &body).await, 1, "{path} {body}");
    }
}

/// Somebody who may see everything: a user, a business, a restaurant, the staff of a clinic.
fn everything() -> Claims {
    waiter().with("id", json!(OWNER)).with("negocios", json!([NEGOCIO])).with("role", json!("ADMIN"))
}

/// The token of the order service, which names a restaurant and no business.
pub fn waiter() -> Claims {
    let claims = Claims::empty().with("userId", json!("u-1")).with("role", json!("WAITER"));
    claims.with("restaurantId", json!(RESTAURANT)).expiring_in(3_600)
}

/// The token of the clinic's API.
pub fn staff() -> Claims {
    Claims::empty().with("user_id", json!(7)).with("role", json!("STAFF")).expiring_in(3_600)
}

/// The token of a shop.
fn seller() -> Claims {
    Claims::naming(OWNER, &[NEGOCIO])
}

pub fn signed(claims: &Claims) -> String {
    claims.sign(SECRET)
}

fn now() -> String {
    format!("{:.3}", Timestamp::from_second(token::now()).unwrap())
}

/// An order with two items, `<order>-a` and `<order>-b`.
pub fn new_order(restaurant: &str, order: &str) -> Value {
    let item = |suffix: &str, name: &str, notes: Value| {
        json!({
            "id": format!("{order}-{suffix}"), "orderId": order, "name": name, "qty": 2, "unitPrice": "15.50",
            "status": "PENDING", "notes": notes, "createdAt": now(), "updatedAt": now(),
        })
    };
    json!({
        "orderId": order, "restaurantId": restaurant, "tableSessionId": "mesa-4", "status": "CONFIRMED",
        "items": [item("a", "Hamburguesa", Value::Null), item("b", "Limonada", json!("sin azúcar"))], "createdAt": now(),
    })
}

pub fn order_status(restaurant: &str, order: &str, from: &str, to: &str) -> Value {
    json!({ "orderId": order, "restaurantId": restaurant, "previousStatus": from, "newStatus": to, "updatedAt": now() })
}

pub fn item_status(restaurant: &str, order: &str, item: &str, to: &str) -> Value {
    let mut change = order_status(restaurant, order, "PENDING", to);
    change["itemId"] = json!(item);
    change
}

fn of_business(negocio: &str, mut body: Value) -> Value {
    body["negocio_id"] = json!(negocio);
    body
}

/// `negocio`: the clinic's, where there are several.
pub fn arrival(negocio: Option<&str>, order: u64, room: Option<&str>) -> Value {
    let arrival = json!({ "order_id": order, "room_code": room, "device_uid": DEVICE, "placed_at": now() });
    match negocio {
        Some(negocio) => of_business(negocio, arrival),
        None => arrival,
    }
}

pub fn ticket(device: &str, order: u64, from: &str, to: &str) -> Value {
    json!({ "device_uid": device, "order_id": order, "status": to, "from_status": from, "changed_at": now() })
}

/// As text: the amount's digits are the point.
fn sale(negocio: &str, id: u64, total: &str) -> String {
    let now = now();
    format!(r#"{{"negocio_id":"{negocio}","saleId":{id},"tableId":5,"total":{total},"timestamp":"{now}"}}"#)
}

/// The page of who sees everything, by way of `port`, with all lines open.
async fn everything_in(tab: &mut Tab, port: u16, token: &str) {
    tab.open(&address(port, &[("token", token), ("negocio", NEGOCIO), ("device", DEVICE)])).await;
    tab.wait_eval(BOARDS, json!(["restaurante", "kiosko", "panel", "clinica", "ventas"])).await;
    wait_tones(tab, &ALL_GOOD).await;
}

/// The state lines of the boards that are shown, in the page's order.
async fn wait_tones(tab: &mut Tab, tones: &[&str]) {
    tab.wait_eval(TONES, tones.to_vec()).await;
}
