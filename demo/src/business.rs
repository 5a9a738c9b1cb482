//! The business and its database: created with a past, kept alive by an open connection, gone when dropped.
//!
//! Must not know HTTP.

use std::str::FromStr as _;
use std::sync::Arc;

use jiff::civil::{Date, Weekday};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use uuid::Builder;

use super::appointments::{self, Cita, Estado, Slot};
use super::clinic;
use super::step::{self, Step};
use crate::clock::Clock;
use crate::ledger::{self, Ledger};
use crate::waiting_room;

const SCHEMA: &str = include_str!("../../sql/schema.sqlite.sql");
/// What the customers' own APIs write beside it.
const TABLES: &str = include_str!("../../sql/demo.sqlite.sql");
const NAME: &str = "Casa El Almendro";

const PAST_DAYS: i32 = 28;
const COMING_DAYS: i32 = 7;

/// The demo's database did something unexpected. Its text names nothing secret.
#[derive(Debug, thiserror::Error)]
#[error("the demo's database failed: {0}")]
pub struct DemoError(#[from] sqlx::Error);

/// One business in a database of its own.
#[derive(Debug)]
pub struct Business {
    pub negocio_id: String,
    /// The user who owns it, for the printed token.
    pub owner_id: String,
    pub restaurant_id: String,
    pub name: &'static str,
    /// For the server's store. The database lives as long as this business.
    pub database_url: String,
    /// Writes, and keeps the database in memory by staying open.
    connection: SqliteConnection,
    /// What its other APIs write.
    pub(super) ledger: Arc<Ledger>,
    /// The number of the next sale.
    pub(super) next_sale: u64,
    cast: Cast,
}

/// By which names the world knows the business.
#[derive(Debug)]
pub(super) struct Ids {
    negocio: String,
    owner: String,
    restaurant: String,
}

/// Who and what appears in appointments.
#[derive(Debug)]
pub(super) struct Cast {
    negocio_id: String,
    clientes: Vec<String>,
    servicios: Vec<String>,
    estaciones: Vec<String>,
}

impl Business {
    /// A new database with four weeks of past, a day under way and bookings ahead, by `clock`'s calendar. Whoever gives the
    /// same `seed` gets the same ids, and the same past on the same day; without one the ids are those of the documents.
    pub async fn create(seed: Option<u64>, clock: &Clock) -> Result<Self, DemoError> {
        let mut rng = StdRng::seed_from_u64(seed.unwrap_or_default());
        let ids = if seed.is_some() { Ids::any(&mut rng) } else { Ids::documented() };
        Self::create_with(ids, &mut rng, clock).await
    }

    pub(super) async fn create_with(ids: Ids, rng: &mut StdRng, clock: &Clock) -> Result<Self, DemoError> {
        // Never from `rng`: two businesses of one seed must not share a database.
        let name = uuid(&mut StdRng::from_os_rng());
        let database_url = format!("sqlite://file:pulso-demo-{name}?mode=memory&cache=shared");
        let options = SqliteConnectOptions::from_str(&database_url)?.create_if_missing(true);
        let Ids { negocio: negocio_id, owner: owner_id, restaurant: restaurant_id } = ids;
        let mut connection = options.disable_statement_logging().connect().await?;
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
        sqlx::raw_sql(TABLES).execute(&mut connection).await?;
        let mut business = Self {
            negocio_id: negocio_id.clone(),
            owner_id,
            restaurant_id,
            name: NAME,
            ledger: Arc::new(Ledger::open(&database_url).await?),
            database_url,
            connection,
            next_sale: rng.random_range(1_000..9_000),
            cast: Cast {
                negocio_id,
                clientes: (0..40).map(|_| uuid(rng)).collect(),
                servicios: (0..4).map(|_| uuid(rng)).collect(),
                estaciones: (0..appointments::STATIONS).map(|_| uuid(rng)).collect(),
            },
        };
        business.fill(rng, clock).await?;
        Ok(business)
    }

    /// One believable change, committed.
    pub(super) async fn step(&mut self, rng: &mut StdRng, clock: &Clock) -> Result<Step, DemoError> {
        let today = clock.today();
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let step = step::take(&mut transaction, rng, &self.cast, today).await?;
        waiting_room::follow(&mut transaction, rng, today, clock.now()).await?;
        transaction.commit().await?;
        Ok(step)
    }

    async fn fill(&mut self, rng: &mut StdRng, clock: &Clock) -> Result<(), DemoError> {
        let today = clock.today();
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT INTO negocios (id, admin_negocio_id, nombre, estado) VALUES ($1, $2, $3, 1)")
            .bind(&self.negocio_id)
            .bind(&self.owner_id)
            .bind(self.name)
            .execute(&mut *transaction)
            .await?;
        for device in clinic::DEVICES {
            sqlx::query("INSERT INTO devices (device_uid, is_active) VALUES ($1, $2)")
                .bind(device.uid)
                .bind(device.is_active)
                .execute(&mut *transaction)
                .await?;
        }
        for offset in -PAST_DAYS..=COMING_DAYS {
            let fecha = appointments::day_after(today, offset);
            for (number, slot) in opening(rng, offset, fecha).into_iter().enumerate() {
                let cita = self.cast.cita(rng, fecha, slot);
                let estado = match offset {
                    ..0 => past(rng),
                    0 if number % 2 == 0 => past(rng),
                    _ => Estado::Pendiente,
                };
                appointments::insert(&mut transaction, &cita, estado).await?;
            }
        }
        ledger::open_till(&mut transaction, rng, &self.negocio_id, self.next_sale, clock).await?;
        transaction.commit().await?;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    #[cfg(test)]
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        if let Some(ledger) = Arc::into_inner(self.ledger) {
            ledger.close().await?;
        }
        self.connection.close().await
    }
}

impl Ids {
    /// Those that the documents' examples use.
    fn documented() -> Self {
        Self {
            negocio: "6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f".to_owned(),
            owner: "11111111-1111-4111-8111-111111111111".to_owned(),
            restaurant: "r-1".to_owned(),
        }
    }

    pub(super) fn any(rng: &mut StdRng) -> Self {
        Self { negocio: uuid(rng), owner: uuid(rng), restaurant: uuid(rng) }
    }
}

impl Cast {
    /// A new appointment of some client for some service.
    pub(super) fn cita(&self, rng: &mut StdRng, fecha: Date, slot: Slot) -> Cita {
        let any = |ids: &[String], rng: &mut StdRng| ids.choose(rng).cloned().unwrap_or_default();
        Cita {
            id: uuid(rng),
            cliente_id: any(&self.clientes, rng),
            negocio_id: self.negocio_id.clone(),
            estacion_id: self.estacion(slot).to_owned(),
            servicio_id: any(&self.servicios, rng),
            fecha,
            slot,
        }
    }

    /// The chair of a slot.
    pub(super) fn estacion(&self, slot: Slot) -> &str {
        self.estaciones.get(slot.station).map_or("", String::as_str)
    }
}

/// The slots a day of the initial diary is booked in: none on past Sundays, few far ahead.
fn opening(rng: &mut StdRng, offset: i32, fecha: Date) -> Vec<Slot> {
    let count = match offset {
        ..0 if fecha.weekday() == Weekday::Sunday => 0,
        ..0 => rng.random_range(4..=8),
        0 => 12,
        _ => rng.random_range(2..=6),
    };
    let mut slots = Slot::all();
    slots.shuffle(rng);
    slots.truncate(count);
    slots.sort();
    slots
}

/// How an appointment ended: most people come.
fn past(rng: &mut StdRng) -> Estado {
    if rng.random_bool(0.88) { Estado::Atendida } else { Estado::Cancelada }
}

fn uuid(rng: &mut StdRng) -> String {
    Builder::from_random_bytes(rng.random()).into_uuid().to_string()
}
