//! The shop's till: sales, and what they do to stock, tables and promotions.
//!
//! Must not know how its notices travel.

use rand::Rng as _;
use rand::rngs::StdRng;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::hooks::Notice;
use super::ledger::{Sale, any_amount};

const TABLES: usize = 12;
const PRODUCTS: usize = 24;
const PROMOTIONS: usize = 5;
/// Stock after a delivery.
const FULL_STOCK: u32 = 40;
/// Below this somebody orders more.
const LOW_STOCK: u32 = 4;

#[derive(Debug)]
pub(super) struct Shop {
    negocio_id: String,
    next_sale: u64,
    is_occupied: [bool; TABLES],
    stock: [u32; PRODUCTS],
    is_on: [bool; PROMOTIONS],
}

/// What happened at the till: hooks are called after the row is there.
#[derive(Debug)]
pub(super) struct Trade {
    pub sale: Option<Sale>,
    pub notices: Vec<Notice>,
}

/// The body of `/notify/venta`.
#[derive(Serialize)]
struct SaleNotice<'a> {
    negocio_id: &'a str,
    #[serde(rename = "saleId")]
    sale: u64,
    #[serde(rename = "tableId")]
    table: Option<usize>,
    /// Two decimals to the letter: money.
    total: Option<Box<RawValue>>,
    timestamp: &'a str,
}

impl Shop {
    /// `next_sale`: the number of the next one.
    pub(crate) fn new(negocio_id: String, next_sale: u64, rng: &mut StdRng) -> Self {
        Self {
            negocio_id,
            next_sale,
            is_occupied: std::array::from_fn(|_| rng.random_bool(0.4)),
            stock: std::array::from_fn(|_| rng.random_range(LOW_STOCK..=FULL_STOCK)),
            is_on: std::array::from_fn(|_| rng.random_bool(0.5)),
        }
    }

    /// What happens next, mostly a sale; `now` in ISO 8601.
    pub(crate) fn step(&mut self, rng: &mut StdRng, now: &str) -> Trade {
        let notice = match rng.random_range(0..10) {
            0..6 => return self.sell(rng, now),
            6..8 => self.seat(rng),
            8 => self.count(rng),
            _ => self.promote(rng),
        };
        Trade { sale: None, notices: vec![notice] }
    }

    pub(crate) fn negocio_id(&self) -> &str {
        &self.negocio_id
    }

    /// A table pays and leaves, or somebody takes something away.
    fn sell(&mut self, rng: &mut StdRng, now: &str) -> Trade {
        let number = self.next_sale;
        self.next_sale += 1;
        let table = rng.random_bool(0.7).then(|| rng.random_range(0..TABLES));
        let cents = any_amount(rng);
        let total = format!("{}.{:02}", cents / 100, cents % 100);
        let sale = SaleNotice {
            negocio_id: &self.negocio_id,
            sale: number,
            table: table.map(|table| table + 1),
            total: RawValue::from_string(total).ok(),
            timestamp: now,
        };
        let mut notices = vec![Notice::new("/notify/venta", &sale)];
        let sale = Sale { number, table: sale.table, cents };
        if let Some(table) = table.filter(|&table| std::mem::take(&mut self.is_occupied[table])) {
            notices.push(self.table(table));
        }
        Trade { sale: Some(sale), notices }
    }

    fn seat(&mut self, rng: &mut StdRng) -> Notice {
        let table = rng.random_range(0..TABLES);
        self.is_occupied[table] = !self.is_occupied[table];
        self.table(table)
    }

    fn table(&self, table: usize) -> Notice {
        let status = if self.is_occupied[table] { "occupied" } else { "free" };
        self.notice("/notify/mesa", json!({"tableId": table + 1, "action": "status_changed", "status": status}))
    }

    fn count(&mut self, rng: &mut StdRng) -> Notice {
        let product = rng.random_range(0..PRODUCTS);
        let left = self.stock[product];
        self.stock[product] = if left < LOW_STOCK { FULL_STOCK } else { left - rng.random_range(1..LOW_STOCK) };
        let stock = self.stock[product];
        self.notice(
            "/notify/producto",
            json!({"productId": 101 + product, "action": "stock_updated", "newStock": stock}),
        )
    }

    fn promote(&mut self, rng: &mut StdRng) -> Notice {
        let promotion = rng.random_range(0..PROMOTIONS);
        self.is_on[promotion] = !self.is_on[promotion];
        let is_on = self.is_on[promotion];
        self.notice(
            "/notify/promocion",
            json!({"promotionId": 701 + promotion, "action": "status_changed", "enabled": is_on}),
        )
    }

    fn notice(&self, path: &'static str, mut event: serde_json::Value) -> Notice {
        event["negocio_id"] = self.negocio_id.as_str().into();
        Notice::new(path, &event)
    }
}
