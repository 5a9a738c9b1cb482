//! `pulso migrate --rollup`: the counters, their triggers and all that is in them.
//!
//! Must not be called by anything that serves.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgArguments;

use super::super::{PostgresStore, change, failure};
use super::{exposed, look};
use crate::store::{RollupChange, StoreError};

const BUILD: &str = include_str!("../../../../sql/rollup.postgres.sql");
const REMOVE: &str = include_str!("../../../../sql/rollup.remove.postgres.sql");

const PARTS: &str = "
    SELECT EXISTS (SELECT FROM pg_catalog.pg_class
                    WHERE oid IN (pg_catalog.to_regclass('pulso_stats_total')::oid, pg_catalog.to_regclass('pulso_stats_day')::oid,
                                  pg_catalog.to_regclass('pulso_stats_delta')::oid))
        OR EXISTS (SELECT FROM pg_catalog.pg_proc
                    WHERE oid IN (pg_catalog.to_regprocedure('pulso_stats_count()')::oid,
                                  pg_catalog.to_regprocedure('pulso_stats_fold(anyarray)')::oid))";

/// For counting every appointment there is.
const PATIENCE: Duration = Duration::from_mins(30);

/// False if there was nothing to do.
pub(in crate::store::postgres) async fn change(
    store: &PostgresStore,
    change: RollupChange,
) -> Result<bool, StoreError> {
    let sql = match change {
        RollupChange::Create if look(store).await?.is_ok() && exposed(store).await?.is_empty() => return Ok(false),
        RollupChange::Repair if exposed(store).await?.is_empty() => return Ok(false),
        RollupChange::Create | RollupChange::Rebuild | RollupChange::Repair => BUILD,
        RollupChange::Remove if !is_there(store).await? => return Ok(false),
        RollupChange::Remove => REMOVE,
    };
    let done = change::carry_out(store, "rollup", PATIENCE, &change::of_busy_table(sql)).await?;
    done.map(|()| true).map_err(|error| explain(&error))
}

/// Any part of it.
async fn is_there(store: &PostgresStore) -> Result<bool, StoreError> {
    let rows = store.rows(&PARTS.into(), PgArguments::default()).await?;
    Ok(rows.first().is_some_and(|row| row.try_get(0).unwrap_or(true)))
}

fn explain(error: &sqlx::Error) -> StoreError {
    let advice = match error.as_database_error().and_then(DatabaseError::code).as_deref() {
        Some("42501") => {
            "run this with the DATABASE_URL of the owner of citas, who may create tables in the schema and sees all rows; \
             the role that serves needs neither right"
        }
        Some("55P03") => {
            "some transaction has held citas for several seconds; try again, at a quieter moment if need be"
        }
        Some("42P01") => "the rollup counts the table citas of the built-in query",
        Some("42804" | "42883") => "the types of citas have changed: first run `pulso migrate --rollup remove`",
        Some("25006" | "0A000") => "run this on the primary, not on a standby that only reads",
        Some("42809") => "the rollup needs triggers on citas, which must be a table",
        Some("3F000") => "the role's search_path names no schema that exists",
        _ => return failure::of_query(error),
    };
    StoreError::Refused(format!("rollup: {}; {advice}", failure::plain(error)))
}
