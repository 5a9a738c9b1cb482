//! The restaurant's orders: what may become of them, and which hooks are to be told. Payloads are the product's.
//!
//! Must not know clocks, ids nor HTTP: they are given.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::price::Price;
use crate::hooks::Notice;
use crate::ledger;
use crate::refused::Refused;

/// Orders that are remembered; beyond them the oldest is forgotten.
const MOST_ORDERS: usize = 300;
const MOST_ITEMS: usize = 40;
const MOST_LETTERS: usize = 100;
const MOST_OF_ONE: u32 = 999;

const NO_ORDER: Refused = Refused::Unknown("La orden no existe");

/// What an order or one of its items is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Draft,
    Confirmed,
    Pending,
    InProgress,
    Ready,
    Delivered,
    Cancelled,
}

/// What somebody wants, before it is part of an order.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewItem {
    pub name: String,
    pub qty: u32,
    pub unit_price: Price,
    pub notes: Option<String>,
}

#[derive(Debug)]
pub(super) struct Book {
    restaurant: String,
    orders: VecDeque<Order>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    id: String,
    table_session_id: String,
    status: Status,
    items: Vec<Item>,
    created_at: String,
    updated_at: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    order_id: String,
    name: String,
    qty: u32,
    unit_price: Price,
    status: Status,
    notes: Option<String>,
    created_at: String,
    updated_at: String,
}

/// The body of `/notify/order/new`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderNew<'a> {
    order_id: &'a str,
    restaurant_id: &'a str,
    table_session_id: &'a str,
    status: Status,
    items: &'a [Item],
    created_at: &'a str,
}

/// The body of `/notify/order/status`, and with an item that of `/notify/order/item-status`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusChange<'a> {
    order_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    restaurant_id: &'a str,
    previous_status: Status,
    new_status: Status,
    updated_at: &'a str,
}

impl Book {
    pub(super) fn new(restaurant: String) -> Self {
        Self { restaurant, orders: VecDeque::new() }
    }

    pub(super) fn open(&mut self, id: String, session: &str, now: &str) -> Result<Value, Refused> {
        if !is_short(session) {
            return Err(Refused::Invalid("tableSessionId debe tener entre 1 y 100 caracteres"));
        }
        if self.orders.len() >= MOST_ORDERS {
            self.orders.pop_front();
        }
        let order = Order {
            id,
            table_session_id: session.to_owned(),
            status: Status::Draft,
            items: Vec::new(),
            created_at: now.to_owned(),
            updated_at: now.to_owned(),
        };
        let answer = order.shown(&self.restaurant);
        self.orders.push_back(order);
        Ok(answer)
    }

    pub(super) fn find(&self, id: &str) -> Result<Value, Refused> {
        let order = self.orders.iter().find(|order| order.id == id).ok_or(NO_ORDER)?;
        Ok(order.shown(&self.restaurant))
    }

    pub(super) fn add(&mut self, order: &str, id: String, item: NewItem, now: &str) -> Result<Value, Refused> {
        if !is_short(&item.name) || item.notes.as_ref().is_some_and(|notes| !is_short(notes)) {
            return Err(Refused::Invalid("name y notes deben tener entre 1 y 100 caracteres"));
        }
        if !(1..=MOST_OF_ONE).contains(&item.qty) {
            return Err(Refused::Invalid("qty debe estar entre 1 y 999"));
        }
        let order = self.order(order)?;
        if order.status != Status::Draft {
            return Err(Refused::Conflict("La orden ya está confirmada"));
        }
        if order.items.len() >= MOST_ITEMS {
            return Err(Refused::Conflict("La orden no admite más items"));
        }
        let item = Item {
            id,
            order_id: order.id.clone(),
            name: item.name,
            qty: item.qty,
            unit_price: item.unit_price,
            status: Status::Pending,
            notes: item.notes,
            created_at: now.to_owned(),
            updated_at: now.to_owned(),
        };
        let answer = json!(item);
        order.items.push(item);
        Ok(answer)
    }

    pub(super) fn confirm(&mut self, order: &str, now: &str) -> Result<(Value, Vec<Notice>), Refused> {
        let restaurant = self.restaurant.clone();
        let order = self.order(order)?;
        if order.status != Status::Draft {
            return Err(Refused::Conflict("La orden ya está confirmada"));
        }
        if order.items.is_empty() {
            return Err(Refused::Conflict("La orden no tiene items"));
        }
        order.status = Status::Confirmed;
        now.clone_into(&mut order.updated_at);
        let new = OrderNew {
            order_id: &order.id,
            restaurant_id: &restaurant,
            table_session_id: &order.table_session_id,
            status: order.status,
            items: &order.items,
            created_at: &order.created_at,
        };
        Ok((order.shown(&restaurant), vec![Notice::new("/notify/order/new", &new)]))
    }

    /// An item's change is told first, then what it makes of the order.
    pub(super) fn set_item(
        &mut self,
        order: &str,
        item: &str,
        status: Status,
        now: &str,
    ) -> Result<(Value, Vec<Notice>), Refused> {
        if matches!(status, Status::Draft | Status::Confirmed) {
            return Err(Refused::Invalid("status debe ser PENDING, IN_PROGRESS, READY, DELIVERED o CANCELLED"));
        }
        let restaurant = self.restaurant.clone();
        let order = self.order(order)?;
        let is_draft = order.status == Status::Draft;
        let item = order.items.iter_mut().find(|one| one.id == item);
        let item = item.ok_or(Refused::Unknown("El item no existe"))?;
        if is_draft {
            return Err(Refused::Conflict("La orden aún no está confirmada"));
        }
        let mut notices = Vec::new();
        let previous = std::mem::replace(&mut item.status, status);
        if previous != status {
            now.clone_into(&mut item.updated_at);
            let change = StatusChange {
                order_id: &order.id,
                item_id: Some(&item.id),
                restaurant_id: &restaurant,
                previous_status: previous,
                new_status: status,
                updated_at: now,
            };
            notices.push(Notice::new("/notify/order/item-status", &change));
        }
        let answer = json!(item);
        let reached = order.reached();
        let previous = std::mem::replace(&mut order.status, reached);
        if previous != reached {
            now.clone_into(&mut order.updated_at);
            let change = StatusChange {
                order_id: &order.id,
                item_id: None,
                restaurant_id: &restaurant,
                previous_status: previous,
                new_status: reached,
                updated_at: now,
            };
            notices.push(Notice::new("/notify/order/status", &change));
        }
        Ok((answer, notices))
    }

    /// What is written down of an order.
    pub(super) fn row(&self, id: &str) -> Option<ledger::Order<'_>> {
        let order = self.orders.iter().find(|order| order.id == id)?;
        let (table, status) = (order.table_session_id.as_str(), order.status.as_str());
        let items = json!(order.items).to_string();
        Some(ledger::Order { id: &order.id, restaurant: &self.restaurant, table, status, items })
    }

    fn order(&mut self, id: &str) -> Result<&mut Order, Refused> {
        self.orders.iter_mut().find(|order| order.id == id).ok_or(NO_ORDER)
    }
}

impl Status {
    /// As it is on the wire and in the table.
    fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Confirmed => "CONFIRMED",
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Ready => "READY",
            Self::Delivered => "DELIVERED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl Order {
    fn shown(&self, restaurant: &str) -> Value {
        let mut shown = json!(self);
        shown["restaurantId"] = restaurant.into();
        shown
    }

    /// Where a confirmed order is, by its items.
    fn reached(&self) -> Status {
        let mut left = self.items.iter().map(|item| item.status).filter(|status| *status != Status::Cancelled);
        let Some(first) = left.next() else { return Status::Cancelled };
        let all: Vec<Status> = std::iter::once(first).chain(left).collect();
        if all.iter().all(|status| *status == Status::Delivered) {
            Status::Delivered
        } else if all.iter().all(|status| matches!(status, Status::Ready | Status::Delivered)) {
            Status::Ready
        } else if all.iter().all(|status| *status == Status::Pending) {
            Status::Confirmed
        } else {
            Status::InProgress
        }
    }
}

fn is_short(text: &str) -> bool {
    (1..=MOST_LETTERS).contains(&text.chars().count())
}

#[cfg(test)]
mod tests;
