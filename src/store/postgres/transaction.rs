//! One statement, alone in its transaction: the only ways in which anything is asked here.
//!
//! Must not know what is asked, nor keep time.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Either, Executor, PgConnection, Row, SqlSafeStr};

use super::description::Description;
use super::failure;
use super::session::{CLOSING, END_READING, OPENING};

/// The rows of `sql`. An error comes with whether the connection is fit for another question.
pub(super) async fn ask(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
    arguments: PgArguments,
) -> Result<Vec<PgRow>, (sqlx::Error, bool)> {
    ask_and_begin(connection, begin, sql, arguments).await.map(|mut answers| answers.pop().unwrap_or_default())
}

/// As [`ask`], behind the rows of all that begins the transaction.
pub(super) async fn ask_and_begin(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
    arguments: PgArguments,
) -> Result<Vec<Vec<PgRow>>, (sqlx::Error, bool)> {
    match asked(connection, begin, sql, arguments).await {
        Ok(answers) => Ok(answers.into()),
        Err(error) => Err(rolled_back(connection, error).await),
    }
}

async fn asked(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
    arguments: PgArguments,
) -> Result<[Vec<PgRow>; 2], sqlx::Error> {
    let opening = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(Arc::clone(begin)))).await?;
    let query = sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments).persistent(false);
    let rows = query.fetch_all(&mut *connection).await?;
    connection.execute(sqlx::raw_sql(END_READING)).await?;
    Ok([opening, rows])
}

async fn run(connection: &mut PgConnection, sql: &Arc<str>) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(Arc::clone(sql)))).await.map(drop)
}

/// What followed the error in a message was skipped, the end of its transaction too.
async fn rolled_back(connection: &mut PgConnection, error: sqlx::Error) -> (sqlx::Error, bool) {
    let usable = !failure::is_lost(&error) && connection.execute(sqlx::raw_sql("ROLLBACK")).await.is_ok();
    (error, usable)
}

/// The rows of each statement of a whole transaction in one message, which opens and closes it as [`super::session`]
/// says.
pub(super) async fn ask_at_once(
    connection: &mut PgConnection,
    transaction: &Arc<str>,
) -> Result<Vec<Vec<PgRow>>, (sqlx::Error, bool)> {
    match answers(connection, transaction).await {
        Ok(answers) => Ok(answers),
        Err(error) => Err(rolled_back(connection, error).await),
    }
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
    drop(steps);
    answers.truncate(answers.len().saturating_sub(CLOSING));
    Ok(answers.split_off(OPENING.min(answers.len())))
}

/// What `sql` takes and returns. The statement it leaves behind has a name, and behind a pooler that name may be
/// another client's: hence the cleaning on both sides.
pub(super) async fn describe(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
) -> Result<Description, (sqlx::Error, bool)> {
    match described(connection, begin, sql).await {
        Ok(description) => Ok(description),
        Err(error) => Err(rolled_back(connection, error).await),
    }
}

async fn described(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
) -> Result<Description, sqlx::Error> {
    run(connection, begin).await?;
    connection.execute(sqlx::raw_sql("DEALLOCATE ALL")).await?;
    let statement = connection.prepare(AssertSqlSafe(Arc::clone(sql)).into_sql_str()).await?;
    connection.execute(sqlx::raw_sql("DEALLOCATE ALL")).await?;
    connection.execute(sqlx::raw_sql(END_READING)).await?;
    Ok(Description::of(&statement))
}

/// Whether the server knows this time zone.
pub(super) async fn try_zone(connection: &mut PgConnection, zone: &str) -> Result<bool, sqlx::Error> {
    let sql: Arc<str> = format!("BEGIN READ ONLY; SET LOCAL TimeZone = '{zone}'; COMMIT").into();
    match run(connection, &sql).await {
        Ok(()) => Ok(true),
        Err(error) if failure::is_invalid_setting(&error) => {
            connection.execute(sqlx::raw_sql("ROLLBACK")).await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The plan of `sql`, as JSON.
pub(super) async fn plan(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
    arguments: PgArguments,
) -> Result<String, (sqlx::Error, bool)> {
    let sql = format!("EXPLAIN (FORMAT JSON) {sql}").into();
    let rows = ask(connection, begin, &sql, arguments).await?;
    let row = rows.first().ok_or((sqlx::Error::RowNotFound, true))?;
    let value = row.try_get_raw(0).map_err(|error| (error, true))?;
    value.as_str().map(str::to_owned).map_err(|error| (sqlx::Error::Decode(error), true))
}

/// The plan of `sql`, which also proves the right to run it.
pub(super) async fn explain(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
    arguments: PgArguments,
) -> Result<String, (sqlx::Error, bool)> {
    let rows = ask(connection, begin, &format!("EXPLAIN {sql}").into(), arguments).await?;
    let lines: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(lines.map_err(|error| (error, true))?.join("\n"))
}
