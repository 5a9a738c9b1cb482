//! One statement, alone in its transaction: the only ways in which anything is asked here.
//!
//! Must not know what is asked, nor keep time.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Connection, Either, Executor, PgConnection, Row, SqlSafeStr};

use super::failure;
use super::shape::Description;

/// Statements with which a transaction in one message begins: BEGIN, and the time it has.
const BEGINNING: usize = 2;

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

/// The rows of each statement of a whole transaction in one message. The message begins it with the statements of
/// [`BEGINNING`], and commits it.
pub(super) async fn ask_at_once(
    connection: &mut PgConnection,
    transaction: &Arc<str>,
) -> Result<Vec<Vec<PgRow>>, (sqlx::Error, bool)> {
    let error = match answers(connection, transaction).await {
        Ok(answers) => return Ok(answers),
        Err(error) if failure::is_lost(&error) => return Err((error, false)),
        Err(error) => error,
    };
    // What followed the error in the message was skipped, its COMMIT too.
    let usable = connection.execute(sqlx::raw_sql("ROLLBACK")).await.is_ok();
    Err((error, usable))
}

async fn answers(connection: &mut PgConnection, transaction: &Arc<str>) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
    let mut answers = Vec::new();
    let mut rows = Vec::new();
    let mut steps = connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(Arc::clone(transaction))));
    while let Some(step) = steps.try_next().await? {
        match step {
            Either::Right(row) => rows.push(row),
            // The end of one statement.
            Either::Left(_) => answers.push(std::mem::take(&mut rows)),
        }
    }
    answers.pop();
    Ok(answers.split_off(BEGINNING.min(answers.len())))
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
