//! `pulso migrate` on SQLite, which creates the file if it is not there.
//!
//! Must not be called by anything that serves an operator's database.

use std::time::Duration;

use sqlx::Row as _;
use tokio::time::{Instant, timeout_at};

use super::SqliteStore;
use super::write::Value::{Integer, Text};
use super::write::Writer;
use crate::store::StoreError;
use crate::store::migrations::{self, Migration, SQLITE, Step};

/// For all steps, which may wait for another `pulso migrate`.
const PATIENCE: Duration = Duration::from_mins(1);

const RECORDS: &str = "CREATE TABLE IF NOT EXISTS pulso_migrations (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)";

/// Which of the steps are not recorded here.
pub(super) async fn missing(store: &SqliteStore) -> Result<Vec<Step>, StoreError> {
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'pulso_migrations'";
    if store.read(table, &[]).await?.is_empty() {
        return Ok(SQLITE.to_vec());
    }
    let rows = store.read("SELECT version FROM pulso_migrations", &[]).await?;
    let applied: Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(migrations::missing(&SQLITE, &applied.map_err(|error| super::of_query(&error))?))
}

/// Applies them, unless somebody else does at the same time.
pub(super) async fn migrate(store: &SqliteStore) -> Result<Migration, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    let late = || StoreError::TimedOut(format!("not migrated within {PATIENCE:?}"));
    timeout_at(deadline, apply(store, deadline)).await.unwrap_or_else(|_| Err(late()))
}

async fn apply(store: &SqliteStore, deadline: Instant) -> Result<Migration, StoreError> {
    let options = store.pool.connect_options();
    let file = options.get_filename();
    let was_there = file.exists();
    let writer = Writer::new(store.writer.options().create_if_missing(true));
    let mut applied = Vec::new();
    for step in SQLITE {
        let of_step = |error| match error {
            StoreError::Refused(said) => StoreError::Refused(format!("{step}: {said}{}", advice(&said))),
            other => other,
        };
        let mut write = writer.begin(deadline).await.map_err(of_step)?;
        let table = write.rows("SELECT 1 FROM sqlite_master WHERE name = 'pulso_migrations'", &[]).await?;
        let version = [Integer(step.version)];
        let is_recorded = !table.is_empty()
            && !write.rows("SELECT 1 FROM pulso_migrations WHERE version = $1", &version).await?.is_empty();
        if is_recorded {
            write.roll_back().await?;
            continue;
        }
        write.run(RECORDS).await.map_err(of_step)?;
        write.run(step.sql).await.map_err(of_step)?;
        let record = [Integer(step.version), Text(step.name)];
        write.rows("INSERT INTO pulso_migrations (version, name) VALUES ($1, $2)", &record).await.map_err(of_step)?;
        write.commit().await?;
        applied.push(step);
    }
    let is_new = !was_there && file.exists();
    Ok(Migration { created: is_new.then(|| file.display().to_string()), applied })
}

fn advice(said: &str) -> &'static str {
    if said.contains("readonly") {
        "; run `pulso migrate` as a user who may write the file and its directory, and without mode=ro in DATABASE_URL"
    } else if said.contains("already exists") {
        "; somebody created it by hand: drop it, or record the step in pulso_migrations if it is the very same"
    } else {
        ""
    }
}
