//! One statement, alone in its transaction: the only ways in which anything is asked here.
//!
//! Must not know what is asked, nor keep time.

use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqlSafeStr};

use super::failure;
use super::shape::Description;

/// The rows of `sql`. An error comes with whether the connection is fit for another question.
pub(super) async fn ask(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
    arguments: PgArguments,
) -> Result<Vec<PgRow>, (sqlx::Error, bool)> {
    let dead = |error| (error, false);
    let mut transaction = connection.begin_with(AssertSqlSafe(Arc::clone(begin))).await.map_err(dead)?;
    let query = sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments).persistent(false);
    match query.fetch_all(&mut *transaction).await {
        Ok(rows) => transaction.commit().await.map(|()| rows).map_err(dead),
        Err(error) if failure::is_lost(&error) => Err(dead(error)),
        Err(error) => {
            let usable = transaction.rollback().await.is_ok();
            Err((error, usable))
        }
    }
}

/// The rows of a whole transaction in one message, which begins and commits it.
pub(super) async fn ask_at_once(
    connection: &mut PgConnection,
    transaction: &Arc<str>,
) -> Result<Vec<PgRow>, (sqlx::Error, bool)> {
    let error = match sqlx::raw_sql(AssertSqlSafe(Arc::clone(transaction))).fetch_all(&mut *connection).await {
        Ok(rows) => return Ok(rows),
        Err(error) if failure::is_lost(&error) => return Err((error, false)),
        Err(error) => error,
    };
    // What followed the error in the message was skipped, its COMMIT too.
    let usable = connection.execute(sqlx::raw_sql("ROLLBACK")).await.is_ok();
    Err((error, usable))
}

/// What `sql` takes and returns. The statement it leaves behind has a name, and behind a pooler that name may be
/// another client's: hence the cleaning on both sides.
pub(super) async fn describe(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
) -> Result<Description, sqlx::Error> {
    let mut transaction = connection.begin_with(AssertSqlSafe(Arc::clone(begin))).await?;
    transaction.execute("DEALLOCATE ALL").await?;
    let statement = transaction.prepare(AssertSqlSafe(Arc::clone(sql)).into_sql_str()).await?;
    transaction.execute("DEALLOCATE ALL").await?;
    transaction.commit().await?;
    Ok(Description::of(&statement))
}

/// The plan of `sql`, which also proves the right to run it.
pub(super) async fn explain(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
    arguments: PgArguments,
) -> Result<String, sqlx::Error> {
    let rows = ask(connection, begin, &format!("EXPLAIN {sql}").into(), arguments).await.map_err(|(error, _)| error)?;
    let lines: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(lines?.join("\n"))
}
