//! One statement, alone in its transaction: the only ways in which anything is asked here.
//!
//! Must not know what is asked, nor keep time.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgRow, PgStatement};
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
    undone(connection, error, "ROLLBACK".into()).await
}

async fn undone(connection: &mut PgConnection, error: sqlx::Error, undo: Arc<str>) -> (sqlx::Error, bool) {
    if failure::is_lost(&error) {
        return (error, false);
    }
    match run(connection, &undo).await {
        Ok(()) => (error, true),
        // It was this one.
        Err(lost) if failure::is_of_a_connection(&error) => (lost, false),
        Err(_) => (error, false),
    }
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

/// What comes of a message, one thing after the other.
pub(super) enum Step<'a> {
    /// Asking has begun, or begun anew on another connection.
    Begin,
    Row(&'a PgRow),
    /// The end of one statement.
    End,
}

/// Messages of which each is sent when the one before is answered, and what is told of them while it comes.
pub(super) struct Told<'a> {
    pub messages: Vec<Arc<str>>,
    /// Prepared by the first statement of the last message and forgotten by a later one; its name.
    pub prepared: Option<Arc<str>>,
    pub to: &'a (dyn Fn(Step<'_>) + Sync),
}

/// Asks all of it, and keeps nothing.
pub(super) async fn tell(connection: &mut PgConnection, told: &Told<'_>) -> Result<(), (sqlx::Error, bool)> {
    (told.to)(Step::Begin);
    for message in &told.messages {
        let mut ended = 0_usize;
        let mut steps = connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(Arc::clone(message))));
        let failed = loop {
            match steps.try_next().await {
                Ok(Some(Either::Right(row))) => (told.to)(Step::Row(&row)),
                Ok(Some(Either::Left(_))) => {
                    ended += 1;
                    (told.to)(Step::End);
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        drop(steps);
        if let Some(error) = failed {
            // The first message begins the transaction.
            let forget = told.prepared.as_ref().filter(|_| ended > 0 && told.messages.last() == Some(message));
            return Err(match forget {
                None => rolled_back(connection, error).await,
                // In one message: behind a pooler the next one goes to another server process.
                Some(name) => undone(connection, error, format!("ROLLBACK; DEALLOCATE {name}").into()).await,
            });
        }
    }
    Ok(())
}

/// What `sql` takes and returns. The statement it leaves behind has a name, and behind a pooler that name may be
/// another client's: hence the cleaning on both sides.
pub(super) async fn describe(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
) -> Result<Description, (sqlx::Error, bool)> {
    statement(connection, begin, sql).await.map(|statement| Description::of(&statement))
}

/// As [`describe`], in the driver's own words.
pub(super) async fn statement(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
) -> Result<PgStatement, (sqlx::Error, bool)> {
    match described(connection, begin, sql).await {
        Ok(statement) => Ok(statement),
        Err(error) => Err(rolled_back(connection, error).await),
    }
}

async fn described(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    sql: &Arc<str>,
) -> Result<PgStatement, sqlx::Error> {
    run(connection, begin).await?;
    connection.execute(sqlx::raw_sql("DEALLOCATE ALL")).await?;
    let statement = connection.prepare(AssertSqlSafe(Arc::clone(sql)).into_sql_str()).await?;
    connection.execute(sqlx::raw_sql("DEALLOCATE ALL")).await?;
    connection.execute(sqlx::raw_sql(END_READING)).await?;
    Ok(statement)
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
