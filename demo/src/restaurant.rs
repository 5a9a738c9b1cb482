//! The restaurant: its order book behind one door, and every change of it told to the hooks in the order in which it
//! happened.
//!
//! Must not know HTTP nor who asks.

mod book;
mod kitchen;
mod price;

use std::sync::Arc;

use jiff::ToSpan as _;
use rand::{Rng as _, random};
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Builder;

use super::hooks::{Hooks, Notice};
use super::refused::Refused;
use crate::clock::Clock;
use crate::ledger::Ledger;

use book::Book;
pub(super) use book::{NewItem, Status};
pub(super) use kitchen::Kitchen;

/// In how many seconds a guest is promised the food: the demo's kitchen is quick, and now and then too slow.
const PROMISED_SECONDS: std::ops::RangeInclusive<i64> = 20..=70;

/// One restaurant.
#[derive(Debug)]
pub(super) struct Restaurant {
    pub id: String,
    /// Held while the hooks are told, so that two changes are never told in the wrong order.
    book: Mutex<Book>,
    ledger: Arc<Ledger>,
    hooks: Hooks,
    clock: Clock,
}

impl Restaurant {
    pub(crate) fn new(id: String, ledger: Arc<Ledger>, hooks: Hooks, clock: Clock) -> Self {
        Self { book: Mutex::new(Book::new(id.clone())), id, ledger, hooks, clock }
    }

    pub(crate) async fn open(&self, session: &str) -> Result<Value, Refused> {
        self.book.lock().await.open(uuid(), session, &self.now())
    }

    pub(crate) async fn find(&self, order: &str) -> Result<Value, Refused> {
        self.book.lock().await.find(order)
    }

    pub(crate) async fn add(&self, order: &str, item: NewItem) -> Result<Value, Refused> {
        self.book.lock().await.add(order, uuid(), item, &self.now())
    }

    pub(crate) async fn confirm(&self, order: &str) -> Result<Value, Refused> {
        self.tell(order, |book, now| book.confirm(order, now)).await
    }

    pub(crate) async fn set_item(&self, order: &str, item: &str, status: Status) -> Result<Value, Refused> {
        self.tell(order, |book, now| book.set_item(order, item, status, now)).await
    }

    /// Carries a change out, writes the order down as it then is, and tells the hooks.
    async fn tell(
        &self,
        order: &str,
        change: impl FnOnce(&mut Book, &str) -> Result<(Value, Vec<Notice>), Refused>,
    ) -> Result<Value, Refused> {
        let mut book = self.book.lock().await;
        let (answer, notices) = change(&mut book, &self.now())?;
        if let Err(error) = self.write(&book, order).await {
            tracing::warn!(%error, "demo: the order could not be written");
        }
        self.hooks.call_all(notices).await;
        Ok(answer)
    }

    async fn write(&self, book: &Book, order: &str) -> Result<(), sqlx::Error> {
        let Some(row) = book.row(order) else { return Ok(()) };
        let now = self.clock.now();
        let promised = now.saturating_add(rand::rng().random_range(PROMISED_SECONDS).seconds()).unwrap_or(now);
        self.ledger.write_order(row, now, promised).await
    }

    fn now(&self) -> String {
        self.clock.iso()
    }
}

fn uuid() -> String {
    Builder::from_random_bytes(random()).into_uuid().to_string()
}
