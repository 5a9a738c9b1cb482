//! What the customers' own APIs write down before they call a hook: the orders of the restaurant and of the clinic, and the
//! sales of the shop, which live queries read.
//!
//! Must not know HTTP, nor what the rows are read for.

use std::str::FromStr as _;

use jiff::{Timestamp, ToSpan as _};
use rand::Rng as _;
use rand::rngs::StdRng;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::Mutex;

use crate::clock::Clock;

/// Orders that are kept: as many as the restaurant remembers.
const MOST_ORDERS: i64 = 300;
/// Of an hour that is over when the shop's till is opened.
const SALES_AN_HOUR: std::ops::RangeInclusive<u32> = 4..=24;

/// A way of its own to the businesses' database.
#[derive(Debug)]
pub(crate) struct Ledger {
    connection: Mutex<SqliteConnection>,
}

/// An order as its row has it.
#[derive(Clone, Debug)]
pub(crate) struct Order<'a> {
    pub id: &'a str,
    pub restaurant: &'a str,
    pub table: &'a str,
    pub status: &'a str,
    /// JSON.
    pub items: String,
}

/// An order of a clinic's kiosk, as its row has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KioskOrder<'a> {
    pub id: u64,
    pub negocio: &'a str,
    pub device: &'a str,
    pub room: Option<&'a str>,
    pub status: &'a str,
    pub placed: Timestamp,
}

/// A sale; `number` is its own for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sale {
    pub number: u64,
    pub table: Option<usize>,
    pub cents: u32,
}

impl Ledger {
    /// Of a database that has its tables.
    pub(crate) async fn open(database_url: &str) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(database_url)?.disable_statement_logging();
        Ok(Self { connection: Mutex::new(options.connect().await?) })
    }

    /// Writes an order as it is now. What was promised when it was first written stays.
    pub(crate) async fn write_order(
        &self,
        order: Order<'_>,
        confirmed: Timestamp,
        promised: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO pedidos (id, restaurante_id, mesa, estado, productos, confirmado_en, prometido_para) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (id) DO UPDATE SET estado = excluded.estado, productos = excluded.productos",
        )
        .bind(order.id)
        .bind(order.restaurant)
        .bind(order.table)
        .bind(order.status)
        .bind(order.items)
        .bind(column(confirmed))
        .bind(column(promised))
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "DELETE FROM pedidos WHERE id NOT IN (SELECT id FROM pedidos ORDER BY confirmado_en DESC, id LIMIT $1)",
        )
        .bind(MOST_ORDERS)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Writes an order of a kiosk as it is now, and lets go of those long before it.
    pub(crate) async fn write_kiosk_order(&self, order: KioskOrder<'_>) -> Result<(), sqlx::Error> {
        let id = i64::try_from(order.id).unwrap_or(i64::MAX);
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO pedidos_clinica (id, negocio_id, dispositivo, habitacion, estado, pedido_en) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET estado = excluded.estado",
        )
        .bind(id)
        .bind(order.negocio)
        .bind(order.device)
        .bind(order.room)
        .bind(order.status)
        .bind(column(order.placed))
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM pedidos_clinica WHERE id <= $1")
            .bind(id - MOST_ORDERS)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Writes a sale, and lets go of those of earlier days.
    pub(crate) async fn add_sale(&self, negocio: &str, sale: Sale, clock: &Clock) -> Result<(), sqlx::Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        insert_sale(&mut transaction, negocio, sale, clock.now()).await?;
        sqlx::query("DELETE FROM ventas WHERE hecha_en < $1")
            .bind(clock.today().to_string())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    #[cfg(test)]
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.into_inner().close().await
    }
}

/// The sales of today's hours so far, numbered up to the one before `next`.
pub(crate) async fn open_till(
    db: &mut SqliteConnection,
    rng: &mut StdRng,
    negocio: &str,
    next: u64,
    clock: &Clock,
) -> Result<(), sqlx::Error> {
    let mut number = next;
    let mut until = clock.now();
    loop {
        let from = until.saturating_sub(1.hour()).unwrap_or(until);
        if clock.day_of(from) != clock.today() {
            return Ok(());
        }
        for _ in 0..rng.random_range(SALES_AN_HOUR) {
            number -= 1;
            let at = until.saturating_sub(rng.random_range(1..3_600_000).milliseconds()).unwrap_or(from);
            let sale = Sale { number, table: None, cents: any_amount(rng) };
            insert_sale(db, negocio, sale, at).await?;
        }
        until = from;
    }
}

/// What somebody pays.
pub(crate) fn any_amount(rng: &mut StdRng) -> u32 {
    rng.random_range(35..=1_200) * 5
}

async fn insert_sale(db: &mut SqliteConnection, negocio: &str, sale: Sale, at: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO ventas (id, negocio_id, mesa, centavos, hecha_en) VALUES ($1, $2, $3, $4, $5)")
        .bind(i64::try_from(sale.number).unwrap_or(i64::MAX))
        .bind(negocio)
        .bind(sale.table.and_then(|table| i64::try_from(table).ok()))
        .bind(sale.cents)
        .bind(column(at))
        .execute(db)
        .await?;
    Ok(())
}

/// A moment as SQLite's own functions write one: `2026-03-04 03:00:00.000`, in UTC.
pub(crate) fn column(moment: Timestamp) -> String {
    format!("{moment:.3}").trim_end_matches('Z').replace('T', " ")
}
