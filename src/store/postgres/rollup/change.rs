//! `pulso migrate --rollup`: one message and one transaction, so that a pooler cannot come in between and nobody ever
//! sees half of it.
//!
//! Must not be called by anything that serves.

use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use tokio::time::timeout;

use super::super::{PostgresStore, failure};
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
/// Whoever writes citas waits behind us while we wait for it.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

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
    let limit = PATIENCE + store.limits.connect;
    let late = || StoreError::TimedOut(format!("rollup: no answer within {limit:?}"));
    timeout(limit, run(store, sql)).await.unwrap_or_else(|_| Err(late()))?;
    Ok(true)
}

/// Any part of it.
async fn is_there(store: &PostgresStore) -> Result<bool, StoreError> {
    let rows = store.rows(&PARTS.into(), PgArguments::default()).await?;
    Ok(rows.first().is_some_and(|row| row.try_get(0).unwrap_or(true)))
}

async fn run(store: &PostgresStore, sql: &str) -> Result<(), StoreError> {
    let batch = format!(
        "{begin};
         SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('pulso migrate', 0::pg_catalog.int8));
         SET LOCAL lock_timeout = {lock_patience};
         SET LOCAL client_min_messages = warning;
         {sql};
         COMMIT",
        begin = store.limits.begin_writing_within(PATIENCE),
        lock_patience = LOCK_PATIENCE.as_millis(),
    );
    let turn = store.connections.turn().await?;
    let mut lease = turn.fresh().await?;
    let connection = lease.connection().map_err(|error| failure::of_query(&error))?;
    let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(batch))).await;
    done.map(drop).map_err(|error| explain(&error))
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
