//! `pulso migrate` on PostgreSQL: which steps are missing, each applied with its record.
//!
//! Must not be called by anything that serves.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgArguments;

use super::{PostgresStore, change, failure};
use crate::store::StoreError;
use crate::store::migrations::{self, Migration, POSTGRES, Step};

/// For one step, which may wait for another `pulso migrate`.
const PATIENCE: Duration = Duration::from_mins(1);

/// Which of the steps are not recorded here.
pub(super) async fn missing(store: &PostgresStore) -> Result<Vec<Step>, StoreError> {
    let nothing = PgArguments::default();
    let table = store.rows(&"SELECT to_regclass('pulso_migrations') IS NOT NULL".into(), nothing.clone()).await?;
    if !table.first().is_some_and(|row| row.try_get(0).unwrap_or(false)) {
        return Ok(POSTGRES.to_vec());
    }
    let rows = store.rows(&"SELECT version FROM pulso_migrations".into(), nothing).await?;
    let applied: Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(migrations::missing(&POSTGRES, &applied.map_err(|error| failure::of_query(&error))?))
}

/// Applies them, unless somebody else does at the same time.
pub(super) async fn migrate(store: &PostgresStore) -> Result<Migration, StoreError> {
    let mut migration = Migration::default();
    for step in missing(store).await? {
        if apply(store, step).await? {
            migration.applied.push(step);
        }
    }
    Ok(migration)
}

/// False if another has applied the step meanwhile.
async fn apply(store: &PostgresStore, step: Step) -> Result<bool, StoreError> {
    match change::carry_out(store, step, PATIENCE, &recorded(step)).await? {
        Ok(()) => Ok(true),
        Err(error) if is_recorded(&error) => Ok(false),
        Err(error) => Err(of_step(step, &error)),
    }
}

/// The record comes first: where it is there already, everything after it is void.
fn recorded(Step { version, name, sql }: Step) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS pulso_migrations (
             version bigint PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
         INSERT INTO pulso_migrations (version, name) VALUES ({version}, '{name}');
         {sql}"
    )
}

fn is_recorded(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|error| error.is_unique_violation() && error.table() == Some("pulso_migrations"))
}

fn of_step(step: Step, error: &sqlx::Error) -> StoreError {
    let advice = match error.as_database_error().and_then(DatabaseError::code).as_deref() {
        Some("42501") => {
            "run `pulso migrate` with the DATABASE_URL of a role that may create tables here (the schema's owner, or \
             one that was granted CREATE ON SCHEMA); the role that serves does not need that right"
        }
        Some("25006" | "0A000") => "run `pulso migrate` on the primary, not on a standby that only reads",
        Some("42P07") => {
            "somebody created it by hand: drop it, or record the step in pulso_migrations if it is the very same"
        }
        Some("3F000") => "the role's search_path names no schema that exists",
        _ => return failure::of_query(error),
    };
    StoreError::Refused(format!("{step}: {}; {advice}", failure::plain(error)))
}
