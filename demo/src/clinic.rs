//! The clinic: its kiosks, the orders that they place, and how these go on by themselves. Every change is told to the
//! hooks in the order in which it happened.
//!
//! Must not know HTTP nor who asks.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::hooks::{Hooks, Notice};
use super::refused::Refused;
use crate::clock::Clock;
use crate::ledger::{KioskOrder, Ledger};

/// The live query of the orders that are open.
pub(crate) const OPEN_ORDERS: &str = "pedidos-clinica";
/// The kiosk of the printed link.
pub const KIOSK: &str = "ipad-room-101";

/// The clinic's kiosks, as its database has them.
pub(super) const DEVICES: [Device; 6] = [
    Device { uid: KIOSK, room: Some("101"), is_active: true },
    Device { uid: "ipad-room-102", room: Some("102"), is_active: true },
    Device { uid: "ipad-room-203", room: Some("203"), is_active: true },
    Device { uid: "ipad-room-207", room: Some("207"), is_active: true },
    Device { uid: "ipad-sala-espera", room: None, is_active: true },
    Device { uid: "ipad-room-104", room: Some("104"), is_active: false },
];

/// Orders under way at once.
const MOST_OPEN: usize = 100;
/// Beyond this the clinic's own guests order nothing more.
const BUSY: usize = 6;
const MOST_ITEMS: usize = 40;
const MOST_OF_ONE: u32 = 99;
const STEPS: [&str; 4] = ["PLACED", "PREPARING", "READY", "DELIVERED"];

#[derive(Clone, Copy, Debug)]
pub(super) struct Device {
    pub uid: &'static str,
    pub room: Option<&'static str>,
    pub is_active: bool,
}

/// What a kiosk sends.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NewOrder {
    pub device_uid: String,
    pub items: Vec<Line>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    #[serde(rename = "product_id")]
    pub _product: u32,
    pub quantity: u32,
}

/// One clinic, known by `negocio_id`.
#[derive(Debug)]
pub(super) struct Clinic {
    pub negocio_id: String,
    /// Held while the hooks are told, so that two changes are never told in the wrong order.
    orders: Mutex<Orders>,
    /// How long an order stays as it is.
    step_ms: RangeInclusive<u64>,
    ledger: Arc<Ledger>,
    hooks: Hooks,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Orders {
    last: u64,
    /// Oldest first.
    open: VecDeque<Order>,
}

#[derive(Debug)]
struct Order {
    id: u64,
    device: Device,
    placed: Timestamp,
    step: usize,
    due: Instant,
}

/// The body of `/notify/pedido`.
#[derive(Serialize)]
struct NewOrderNotice<'a> {
    r#type: &'static str,
    order_id: u64,
    room_code: Option<&'a str>,
    device_uid: &'a str,
    placed_at: &'a str,
    negocio_id: &'a str,
}

/// The body of `/notify/pedido/estado`.
#[derive(Serialize)]
struct StatusNotice<'a> {
    r#type: &'static str,
    device_uid: &'a str,
    order_id: u64,
    status: &'static str,
    from_status: &'static str,
    changed_at: &'a str,
}

impl Clinic {
    pub(crate) fn new(
        negocio_id: String,
        ledger: Arc<Ledger>,
        hooks: Hooks,
        clock: Clock,
        step_ms: RangeInclusive<u64>,
    ) -> Self {
        Self { negocio_id, orders: Mutex::default(), step_ms, ledger, hooks, clock }
    }

    /// A kiosk's order.
    pub(crate) async fn place(&self, wanted: &NewOrder) -> Result<Value, Refused> {
        let device = DEVICES.into_iter().find(|device| device.is_active && device.uid == wanted.device_uid);
        let device = device.ok_or(Refused::Unknown("El dispositivo no existe o está inactivo"))?;
        let is_sound = |line: &Line| (1..=MOST_OF_ONE).contains(&line.quantity);
        if !(1..=MOST_ITEMS).contains(&wanted.items.len()) || !wanted.items.iter().all(is_sound) {
            return Err(Refused::Invalid("items debe tener entre 1 y 40 productos, de 1 a 99 unidades cada uno"));
        }
        let mut orders = self.orders.lock().await;
        if orders.open.len() >= MOST_OPEN {
            return Err(Refused::Full("La cocina está llena; inténtalo en un momento"));
        }
        orders.last += 1;
        let (id, now) = (orders.last, self.now());
        let order = Order { id, device, placed: self.clock.now(), step: 0, due: self.due() };
        self.write(&order).await;
        orders.open.push_back(order);
        let placed = NewOrderNotice {
            r#type: "new_order",
            order_id: id,
            room_code: device.room,
            device_uid: device.uid,
            placed_at: &now,
            negocio_id: &self.negocio_id,
        };
        self.hooks.call(Notice::new("/notify/pedido", &placed)).await;
        Ok(json!({
            "id": id,
            "status": STEPS[0],
            "room_code": device.room,
            "device_uid": device.uid,
            "placed_at": now,
        }))
    }

    /// The guest of the printed kiosk always waits for something: whoever opens it sees a ticket move within a step.
    pub(crate) async fn keep_kiosk_busy(&self) {
        if self.orders.lock().await.open.iter().any(|order| order.device.uid == KIOSK) {
            return;
        }
        let line = Line { _product: rand::rng().random_range(1..=12), quantity: 1 };
        if let Err(refused) = self.place(&NewOrder { device_uid: KIOSK.to_owned(), items: vec![line] }).await {
            tracing::debug!(%refused, "demo: the clinic refused its own guest");
        }
    }

    /// Moves on what has been as it is for long enough.
    pub(crate) async fn advance(&self) {
        let mut orders = self.orders.lock().await;
        let now = Instant::now();
        let mut has_moved = false;
        for order in orders.open.iter_mut().filter(|order| order.due <= now) {
            let Some((from, to)) = STEPS.get(order.step).zip(STEPS.get(order.step + 1)) else { continue };
            order.step += 1;
            order.due = self.due();
            self.write(order).await;
            has_moved = true;
            let moved = StatusNotice {
                r#type: "order_status_changed",
                device_uid: order.device.uid,
                order_id: order.id,
                status: to,
                from_status: from,
                changed_at: &self.now(),
            };
            self.hooks.call(Notice::new("/notify/pedido/estado", &moved)).await;
        }
        orders.open.retain(|order| order.step + 1 < STEPS.len());
        if has_moved {
            let open = json!({ "name": OPEN_ORDERS, "key": self.negocio_id });
            self.hooks.call(Notice::new("/notify/consulta", &open)).await;
        }
    }

    /// Writes an order down as it is, before anybody is told.
    async fn write(&self, order: &Order) {
        let Order { id, device, placed, step, .. } = *order;
        let (negocio, status) = (self.negocio_id.as_str(), STEPS[step]);
        let row = KioskOrder { id, negocio, device: device.uid, room: device.room, status, placed };
        if let Err(error) = self.ledger.write_kiosk_order(row).await {
            tracing::warn!(%error, "demo: the clinic's order could not be written");
        }
    }

    /// Somebody in some room is hungry, unless many are.
    pub(crate) async fn order_something(&self, rng: &mut StdRng) {
        let active: Vec<Device> = DEVICES.into_iter().filter(|device| device.is_active).collect();
        let Some(device) = active.choose(rng) else { return };
        if self.orders.lock().await.open.len() >= BUSY {
            return;
        }
        let line = Line { _product: rng.random_range(1..=12), quantity: rng.random_range(1..=3) };
        let wanted = NewOrder { device_uid: device.uid.to_owned(), items: vec![line] };
        if let Err(refused) = self.place(&wanted).await {
            tracing::debug!(%refused, "demo: the clinic refused its own guest");
        }
    }

    fn due(&self) -> Instant {
        Instant::now() + Duration::from_millis(rand::rng().random_range(self.step_ms.clone()))
    }

    fn now(&self) -> String {
        self.clock.iso()
    }
}
