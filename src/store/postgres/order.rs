//! Where a read stands among the transactions of its database: what tells which of two reads is newer, whoever made them.
//!
//! All snapshots of one primary are cuts of one sequence of completed transactions. A snapshot names the first transaction
//! that had not begun and those before it that were under way: the difference grows with every one that completes, and
//! never falls. Clocks, commit positions and counters beside the database do not order snapshots.
//! Must not know what is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{PgConnection, Row as _};
use tracing::{info, warn};

use super::{failure, transaction};
use crate::store::StoreError;

/// One row: how many transactions are completed in the snapshot of the transaction that asks; nothing on a standby, whose
/// snapshots count otherwise.
pub(super) const COMPLETED: &str = "SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN \
     pg_catalog.pg_snapshot_xmax(seen)::pg_catalog.text::pg_catalog.int8 OPERATOR(pg_catalog.-) \
     (SELECT pg_catalog.count(*) FROM pg_catalog.pg_snapshot_xip(seen)) END AS completed \
     FROM pg_catalog.pg_current_snapshot() AS seen";

const LOOK: &str = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version, \
     pg_catalog.pg_is_in_recovery() AS is_standby";

/// PostgreSQL 13, the first that has `pg_current_snapshot()`.
const SINCE: i32 = 130_000;

/// Of a store whose reads are to be ordered.
#[derive(Debug, Default)]
pub(super) struct Order {
    is_known: AtomicBool,
    told: AtomicBool,
}

impl Order {
    /// Whether this server may be asked.
    pub(super) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    /// Looks whether it may, and says so where it does not tell.
    pub(super) async fn learn(&self, connection: &mut PgConnection, begin: &Arc<str>) -> Result<(), StoreError> {
        let asked = transaction::ask(connection, begin, &LOOK.into(), PgArguments::default()).await;
        let rows = asked.map_err(|(error, _)| failure::of_query(&error))?;
        let row = rows.first().ok_or_else(|| StoreError::Refused("no answer about the server".to_owned()))?;
        let column = |error| failure::of_query(&error);
        let (version, is_standby) =
            (row.try_get::<i32, _>("version").map_err(column)?, row.try_get::<bool, _>("is_standby").map_err(column)?);
        self.is_known.store(version >= SINCE, Ordering::Relaxed);
        let tells = version >= SINCE && !is_standby;
        if !tells && !self.told.swap(true, Ordering::Relaxed) {
            warn!(
                version,
                is_standby, "this database does not tell which of two reads is newer: every node reads for itself"
            );
        } else if tells && self.told.swap(false, Ordering::Relaxed) {
            info!("the database tells which of two reads is newer");
        }
        Ok(())
    }
}

/// What [`COMPLETED`] said, as the last of `rows`.
pub(super) fn completed(rows: &[PgRow]) -> Option<u64> {
    let completed = rows.last()?.try_get::<Option<i64>, _>("completed").ok().flatten()?;
    u64::try_from(completed).ok()
}
