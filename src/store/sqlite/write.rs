//! The one connection that writes, and several statements on it that stand or fall together.
//!
//! The operator's file is taken as it is: its journal mode is not changed. Must not know what is written.

use std::time::Duration;

use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow};
use sqlx::{Arguments as _, ConnectOptions as _, Executor as _, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use super::{code, of_query, plain};
use crate::store::StoreError;

/// Between two attempts at what is locked. SQLite itself waits for a file's lock, but not for a shared cache's.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// Opened when somebody first writes.
pub(super) struct Writer {
    options: SqliteConnectOptions,
    connection: Mutex<Option<SqliteConnection>>,
}

/// A transaction under way. Dropped without [`Write::commit`] it closes its connection, and nothing has happened.
pub(super) struct Write<'a> {
    home: MutexGuard<'a, Option<SqliteConnection>>,
    connection: SqliteConnection,
    deadline: Instant,
}

/// What a statement is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Integer(i64),
}

impl Writer {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        Self { options, connection: Mutex::default() }
    }

    pub(super) fn options(&self) -> SqliteConnectOptions {
        self.options.clone()
    }

    /// Waits for its turn, and for other writers of the file, until `deadline`.
    pub(super) async fn begin(&self, deadline: Instant) -> Result<Write<'_>, StoreError> {
        let mut home = self.connection.lock().await;
        let connection = match home.take() {
            Some(connection) => connection,
            None => self.connect(deadline).await?,
        };
        let mut write = Write { home, connection, deadline };
        write.run("BEGIN IMMEDIATE").await?;
        Ok(write)
    }

    async fn connect(&self, deadline: Instant) -> Result<SqliteConnection, StoreError> {
        loop {
            match self.options.connect().await {
                // Not even opened while somebody changes a shared cache's tables.
                Err(error) if may_wait(&error, deadline) => sleep(PAUSE).await,
                connected => {
                    let file = self.options.get_filename().display();
                    return connected.map_err(|error| StoreError::Unreachable(format!("{file}: {}", plain(&error))));
                }
            }
        }
    }
}

impl Write<'_> {
    pub(super) async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<SqliteRow>, StoreError> {
        let arguments = arguments(values)?;
        loop {
            let query = sqlx::query_with(sql, arguments.clone());
            match query.fetch_all(&mut self.connection).await {
                // A locked statement has done nothing, and its transaction is still there.
                Err(error) if may_wait(&error, self.deadline) => sleep(PAUSE).await,
                answer => return answer.map_err(|error| of_query(&error)),
            }
        }
    }

    /// Statements without values.
    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), StoreError> {
        loop {
            match self.connection.execute(sqlx::raw_sql(sql)).await {
                Err(error) if may_wait(&error, self.deadline) => sleep(PAUSE).await,
                done => return done.map(drop).map_err(|error| of_query(&error)),
            }
        }
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.end("COMMIT").await
    }

    pub(super) async fn roll_back(self) -> Result<(), StoreError> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), StoreError> {
        self.run(how).await?;
        *self.home = Some(self.connection);
        Ok(())
    }
}

/// Busy, or locked by another connection to a shared cache.
fn may_wait(error: &sqlx::Error, deadline: Instant) -> bool {
    matches!(code(error).map(|code| code & 0xff), Some(5 | 6)) && Instant::now() + PAUSE < deadline
}

/// For such a lock SQLite does not wait by itself.
pub(super) fn is_shared_cache_locked(error: &sqlx::Error) -> bool {
    code(error).map(|code| code & 0xff) == Some(6)
}

pub(super) fn arguments(values: &[Value<'_>]) -> Result<SqliteArguments, StoreError> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        let added = match *value {
            Value::Text(text) => arguments.add(text),
            Value::Integer(number) => arguments.add(number),
        };
        added.map_err(|error| StoreError::Refused(error.to_string()))?;
    }
    Ok(arguments)
}
