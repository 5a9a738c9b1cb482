//! Whether a transaction pooler sits in between.
//!
//! Two clients that are connected at once have two server processes, unless somebody hands them out by transaction.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::time::timeout;

/// For a server that is not busy: it holds one short transaction of ours, no lock.
const ANSWER: Duration = Duration::from_secs(1);
/// A pooler that takes turns may by chance look like none.
const ROUNDS: u32 = 3;

/// Asks on two open connections. Afterwards either is fit only to be closed when the answer is `true`.
pub(in crate::store) async fn detect(one: &mut PgConnection, other: &mut PgConnection) -> Result<bool, sqlx::Error> {
    for _ in 0..ROUNDS {
        if share(one, other).await? || share(other, one).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether `holder`, in a transaction, has the process that answered `other`, or has driven it to another one.
async fn share(other: &mut PgConnection, holder: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let before = process(other).await?;
    let mut transaction = holder.begin().await?;
    let held = process(&mut transaction).await?;
    let after = timeout(ANSWER, process(other)).await;
    transaction.rollback().await?;
    match after {
        Ok(after) => Ok(held == before || after? != before),
        // Nobody was free: the pool has only the one we held.
        Err(_) => Ok(true),
    }
}

async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    connection.fetch_one("SELECT pg_catalog.pg_backend_pid()").await?.try_get(0)
}
