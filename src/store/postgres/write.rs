//! Several statements that stand or fall together, by the one way that is right behind a transaction pooler too.
//!
//! Nothing is repeated once a statement was sent: whether it took effect is then for the caller to find out.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Executor as _};
use tokio::sync::SemaphorePermit;
use tracing::debug;

use super::connections::Lease;
use super::{PostgresStore, failure};
use crate::store::StoreError;

/// A transaction under way. Dropped without [`Write::commit`] it closes its connection, and nothing has happened.
pub(super) struct Write<'a> {
    lease: Lease<'a>,
    _permit: SemaphorePermit<'a>,
}

impl<'a> Write<'a> {
    /// On a connection that waits or else a new one.
    pub async fn begin(store: &'a PostgresStore) -> Result<Self, StoreError> {
        let permit = store.permit().await?;
        if let Some(mut lease) = store.connections.reuse() {
            match open(store, &mut lease).await {
                Ok(()) => return Ok(Self { lease, _permit: permit }),
                Err(error) if failure::is_lost(&error) => {
                    debug!(error = failure::plain(&error), "a waiting connection had died; writing on a new one");
                    store.connections.clear();
                }
                Err(error) => return Err(failure::of_query(&error)),
            }
        }
        let mut lease = store.connections.fresh().await?;
        open(store, &mut lease).await.map_err(|error| failure::of_query(&error))?;
        Ok(Self { lease, _permit: permit })
    }

    pub async fn rows(&mut self, sql: &'static str, arguments: PgArguments) -> Result<Vec<PgRow>, StoreError> {
        let query = sqlx::query_with(sql, arguments).persistent(false);
        query.fetch_all(&mut self.lease.connection).await.map_err(|error| failure::of_query(&error))
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        self.end("COMMIT").await
    }

    pub async fn roll_back(self) -> Result<(), StoreError> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), StoreError> {
        self.lease.connection.execute(sqlx::raw_sql(how)).await.map_err(|error| failure::of_query(&error))?;
        self.lease.keep();
        Ok(())
    }
}

async fn open(store: &PostgresStore, lease: &mut Lease<'_>) -> Result<(), sqlx::Error> {
    let begin = AssertSqlSafe(store.limits.begin_write.clone());
    lease.connection.execute(sqlx::raw_sql(begin)).await.map(drop)
}
