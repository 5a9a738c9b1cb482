//! Who has come for an appointment of today and waits to be called.
//!
//! Must not know what else becomes of appointments, nor when the next step is due.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use rand::Rng as _;
use rand::rngs::StdRng;
use sqlx::SqliteConnection;

use crate::ledger::column;

/// Chairs.
const MOST_WAITING: i64 = 6;
/// A long wait: the demo's day is quick.
const LONG_SECONDS: i64 = 30;

/// What a step of the book makes of the room: who was called or will not come has left, and now and then somebody arrives.
pub(crate) async fn follow(
    db: &mut SqliteConnection,
    rng: &mut StdRng,
    today: Date,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM sala_de_espera WHERE cita_id NOT IN \
         (SELECT id FROM citas WHERE estado = 'pendiente' AND fecha = $1)",
    )
    .bind(today.to_string())
    .execute(&mut *db)
    .await?;
    if rng.random_bool(0.5) {
        arrive(db, today, now).await?;
    }
    Ok(())
}

/// The first of today's who is not there yet takes a chair, if one is free.
async fn arrive(db: &mut SqliteConnection, today: Date, now: Timestamp) -> Result<(), sqlx::Error> {
    let long = now.saturating_add(LONG_SECONDS.seconds()).unwrap_or(now);
    sqlx::query(
        "INSERT INTO sala_de_espera (cita_id, negocio_id, llegada, limite) \
         SELECT id, negocio_id, $2, $3 FROM citas \
         WHERE estado = 'pendiente' AND fecha = $1 AND id NOT IN (SELECT cita_id FROM sala_de_espera) \
         AND (SELECT COUNT(*) FROM sala_de_espera) < $4 ORDER BY hora_inicio, id LIMIT 1",
    )
    .bind(today.to_string())
    .bind(column(now))
    .bind(column(long))
    .bind(MOST_WAITING)
    .execute(db)
    .await?;
    Ok(())
}
