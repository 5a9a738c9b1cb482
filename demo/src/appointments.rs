//! The appointment book: slots of a day, and the rows of `citas`.
//!
//! Must not know what a believable day is.

use std::collections::HashSet;

use jiff::ToSpan as _;
use jiff::civil::{Date, Time};
use sqlx::SqliteConnection;

/// Chairs.
pub(crate) const STATIONS: usize = 3;
/// Half hours from 09:00 to 19:00.
pub(crate) const SLOTS: u8 = 20;
const OPENS_AT: i8 = 9;

/// A half hour on one chair, in the order of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    pub half_hour: u8,
    pub station: usize,
}

impl Slot {
    /// Every slot of a day.
    pub(crate) fn all() -> Vec<Self> {
        (0..SLOTS).flat_map(|half_hour| (0..STATIONS).map(move |station| Self { half_hour, station })).collect()
    }
}

/// `estado` of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Estado {
    Pendiente,
    Atendida,
    Cancelada,
}

impl Estado {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pendiente => "pendiente",
            Self::Atendida => "atendida",
            Self::Cancelada => "cancelada",
        }
    }
}

/// A row to be written.
#[derive(Clone, Debug)]
pub(crate) struct Cita {
    pub id: String,
    pub cliente_id: String,
    pub negocio_id: String,
    pub estacion_id: String,
    pub servicio_id: String,
    pub fecha: Date,
    pub slot: Slot,
}

/// `offset` days after `day`; the calendar's end stands still.
pub(crate) fn day_after(day: Date, offset: i32) -> Date {
    day.saturating_add(offset.days())
}

/// When a half hour begins, as the column holds it.
pub(crate) fn begins(half_hour: u8) -> String {
    let minutes = i16::from(OPENS_AT) * 60 + i16::from(half_hour) * 30;
    Time::midnight().saturating_add(minutes.minutes()).strftime("%H:%M:%S").to_string()
}

pub(crate) async fn insert(db: &mut SqliteConnection, cita: &Cita, estado: Estado) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO citas \
         (id, cliente_id, negocio_id, estacion_id, servicio_id, fecha, hora_inicio, hora_fin, estado) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&cita.id)
    .bind(&cita.cliente_id)
    .bind(&cita.negocio_id)
    .bind(&cita.estacion_id)
    .bind(&cita.servicio_id)
    .bind(cita.fecha.to_string())
    .bind(begins(cita.slot.half_hour))
    .bind(begins(cita.slot.half_hour + 1))
    .bind(estado.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// What the book says about today and in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Page {
    pub total: i64,
    pub today: i64,
    pub pending_today: i64,
    /// Booked for earlier days and never closed.
    pub overdue: i64,
    pub coming: i64,
    pub pending_coming: i64,
}

pub(crate) async fn page(db: &mut SqliteConnection, today: Date) -> Result<Page, sqlx::Error> {
    let row: (i64, i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE fecha = $1), \
         COUNT(*) FILTER (WHERE fecha = $1 AND estado = 'pendiente'), \
         COUNT(*) FILTER (WHERE fecha < $1 AND estado = 'pendiente'), COUNT(*) FILTER (WHERE fecha > $1), \
         COUNT(*) FILTER (WHERE fecha > $1 AND estado = 'pendiente') FROM citas",
    )
    .bind(today.to_string())
    .fetch_one(db)
    .await?;
    let (total, today, pending_today, overdue, coming, pending_coming) = row;
    Ok(Page { total, today, pending_today, overdue, coming, pending_coming })
}

/// Chair and beginning of every appointment of a day that was not cancelled.
pub(crate) async fn taken(db: &mut SqliteConnection, fecha: Date) -> Result<HashSet<(String, String)>, sqlx::Error> {
    let rows = sqlx::query_as("SELECT estacion_id, hora_inicio FROM citas WHERE fecha = $1 AND estado <> 'cancelada'");
    Ok(rows.bind(fecha.to_string()).fetch_all(db).await?.into_iter().collect())
}

/// Closes the first appointment that waits, up to today.
pub(crate) async fn attend_first(db: &mut SqliteConnection, today: Date) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE citas SET estado = 'atendida' WHERE id = (SELECT id FROM citas \
         WHERE estado = 'pendiente' AND fecha <= $1 ORDER BY fecha, hora_inicio, id LIMIT 1)",
    )
    .bind(today.to_string())
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn cancel_any(db: &mut SqliteConnection, today: Date) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE citas SET estado = 'cancelada' WHERE id = (SELECT id FROM citas \
         WHERE estado = 'pendiente' AND fecha = $1 ORDER BY random() LIMIT 1)",
    )
    .bind(today.to_string())
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a closed appointment of today out of the book: it was written twice.
pub(crate) async fn remove_closed(db: &mut SqliteConnection, today: Date) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM citas WHERE id = (SELECT id FROM citas \
         WHERE estado <> 'pendiente' AND fecha = $1 ORDER BY random() LIMIT 1)",
    )
    .bind(today.to_string())
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn archive_oldest(db: &mut SqliteConnection, today: Date, count: i64) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM citas WHERE id IN (SELECT id FROM citas WHERE fecha < $1 ORDER BY fecha, id LIMIT $2)")
        .bind(today.to_string())
        .bind(count)
        .execute(db)
        .await?;
    Ok(())
}

/// Some waiting appointment of `today`, or of a later day.
pub(crate) async fn any_pending(
    db: &mut SqliteConnection,
    today: Date,
    later: bool,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM citas WHERE estado = 'pendiente' AND (fecha > $1) = $2 AND fecha >= $1 \
         ORDER BY random() LIMIT 1",
    )
    .bind(today.to_string())
    .bind(later)
    .fetch_optional(db)
    .await
}

pub(crate) async fn move_to(
    db: &mut SqliteConnection,
    id: &str,
    fecha: Date,
    slot: Slot,
    estacion_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE citas SET fecha = $2, hora_inicio = $3, hora_fin = $4, estacion_id = $5 WHERE id = $1")
        .bind(id)
        .bind(fecha.to_string())
        .bind(begins(slot.half_hour))
        .bind(begins(slot.half_hour + 1))
        .bind(estacion_id)
        .execute(db)
        .await?;
    Ok(())
}
