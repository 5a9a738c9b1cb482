//! Several statements that stand or fall together, by the one way that is right behind a transaction pooler too.
//!
//! Nothing is repeated once a statement was sent: whether it took effect is then for the caller to find out.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Executor as _};
use tracing::debug;

use super::connections::{ConnectionPermit, Lease};
use super::{PostgresStore, failure};
use crate::store::StoreError;

/// A transaction under way. Dropped without [`Write::commit`] it closes its connection, and nothing has happened.
pub(super) struct Write<'a> {
    // Before `_permit`: the next one finds it, or its place.
    lease: Lease<'a>,
    _permit: ConnectionPermit<'a>,
}

impl<'a> Write<'a> {
    /// On a connection that waits or else a new one.
    pub(super) async fn begin(store: &'a PostgresStore) -> Result<Self, StoreError> {
        let turn = store.connections.turn().await?;
        if let Some(mut lease) = turn.reuse() {
            match open(store, &mut lease).await {
                Ok(()) => return Ok(Self { lease, _permit: turn }),
                Err(error) if failure::is_lost(&error) => {
                    debug!(error = failure::plain(&error), "a waiting connection had died; writing on a new one");
                    store.connections.clear();
                }
                Err(error) => return Err(failure::of_query(&error)),
            }
        }
        let mut lease = turn.fresh().await?;
        open(store, &mut lease).await.map_err(|error| failure::of_query(&error))?;
        Ok(Self { lease, _permit: turn })
    }

    pub(super) async fn rows(&mut self, sql: &'static str, arguments: PgArguments) -> Result<Vec<PgRow>, StoreError> {
        let query = sqlx::query_with(sql, arguments).persistent(false);
        let connection = self.lease.connection().map_err(|error| failure::of_query(&error))?;
        query.fetch_all(connection).await.map_err(|error| failure::of_query(&error))
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.end("COMMIT").await
    }

    pub(super) async fn roll_back(self) -> Result<(), StoreError> {
        self.end("ROLLBACK").await
    }

    async fn end(self, how: &'static str) -> Result<(), StoreError> {
        let Self { mut lease, _permit } = self;
        let connection = lease.connection().map_err(|error| failure::of_query(&error))?;
        connection.execute(sqlx::raw_sql(how)).await.map_err(|error| failure::of_query(&error))?;
        lease.keep();
        Ok(())
    }
}

async fn open(store: &PostgresStore, lease: &mut Lease<'_>) -> Result<(), sqlx::Error> {
    let begin = AssertSqlSafe(store.limits.begin_write.clone());
    lease.connection()?.execute(sqlx::raw_sql(begin)).await.map(drop)
}
