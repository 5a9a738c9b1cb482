//! A change of tables and triggers: one message and one transaction, so that a pooler cannot come in between and nobody ever
//! sees half of it, and one change at a time, whoever makes it.
//!
//! Must not know what is changed, nor be called by anything that serves.

use std::fmt::Display;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor as _};
use tokio::time::timeout;

use super::{PostgresStore, failure};
use crate::store::StoreError;

/// Whoever writes a table waits behind us while we wait for it.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Carries out `sql` within `patience`. What the server objects to is the inner error; `what` names it where it says nothing.
pub(super) async fn carry_out(
    store: &PostgresStore,
    what: impl Display,
    patience: Duration,
    sql: &str,
) -> Result<Result<(), sqlx::Error>, StoreError> {
    let limit = patience + store.limits.connect;
    let late = || StoreError::TimedOut(format!("{what}: no answer within {limit:?}"));
    timeout(limit, run(store, patience, sql)).await.unwrap_or_else(|_| Err(late()))
}

async fn run(store: &PostgresStore, patience: Duration, sql: &str) -> Result<Result<(), sqlx::Error>, StoreError> {
    let batch = format!(
        "{begin};
         SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('pulso migrate', 0::pg_catalog.int8));
         {sql};
         COMMIT",
        begin = store.limits.begin_writing_within(patience),
    );
    let turn = store.connections.turn().await?;
    let mut lease = turn.fresh().await?;
    let connection = lease.connection().map_err(|error| failure::of_query(&error))?;
    Ok(connection.execute(sqlx::raw_sql(AssertSqlSafe(batch))).await.map(drop))
}

/// `sql` about a table that others write meanwhile; of what is not there to be dropped nothing is said.
pub(super) fn of_busy_table(sql: &str) -> String {
    format!(
        "SET LOCAL lock_timeout = {};
         SET LOCAL client_min_messages = warning;
         {sql}",
        LOCK_PATIENCE.as_millis()
    )
}
