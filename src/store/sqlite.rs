//! The embedded SQLite: a file on this machine, or the demo's memory.
//!
//! SQLite has no parameter types: ids are bound as text and the column's affinity does the rest, index included.
//! Must not create a database that is not there, but for `pulso migrate`.

mod devices;
mod live;
mod migrate;
mod outbox;
mod write;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Either, Executor, Row, SqlSafeStr, Sqlite, SqliteConnection, Statement,
    TypeInfo, ValueRef,
};
use tokio::time::{Instant, sleep, timeout};

use self::write::{PAUSE, Value, Write, Writer};
use super::ownership::OwnerQuery;
use super::queries::{self, OWNER_COLUMNS, OWNER_SQL, Queries, STATS_COLUMNS, STATS_SQL};
use super::{
    ContactError, Device, Figures, Learnt, LiveRead, LiveResult, Outbox, Ownership, SettingError, Store, StoreError,
};
use crate::config::{DatabaseConfig, DatabaseUrl, Secret};
use crate::model::{IdType, NegocioId, QueryName};
use crate::queries::{LiveQuery, PairsQuery};

/// How much later than SQLite (its wait for a lock) Pulso itself gives a statement up.
const GRACE: Duration = Duration::from_millis(250);

/// A SQLite database.
pub struct SqliteStore {
    /// Reads only.
    pool: SqlitePool,
    writer: Writer,
    statement_timeout: Duration,
    queries: Queries,
    asks_figures: bool,
    asks_ownership: bool,
    id: RwLock<Option<IdType>>,
    /// The query for devices has been checked.
    knows_devices: AtomicBool,
    /// The live queries that were looked at, each with its fingerprint then.
    learnt: Mutex<HashMap<QueryName, u64>>,
}

impl SqliteStore {
    /// No I/O but reading the query files.
    pub fn new(config: &DatabaseConfig) -> Result<Self, SettingError> {
        let DatabaseUrl::Sqlite(url) = &config.url else {
            return Err(SettingError { variable: "DATABASE_URL", reason: "is not a SQLite URL".to_owned() });
        };
        let options = options(url)?.busy_timeout(config.statement_timeout);
        let writer = Writer::new(options.clone());
        let options = options.pragma("query_only", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(config.max_connections.max(1))
            .acquire_timeout(config.connect_timeout)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            writer,
            statement_timeout: config.statement_timeout,
            queries: Queries::for_sqlite(config)?,
            asks_figures: config.asks_figures,
            asks_ownership: config.asks_ownership,
            id: RwLock::new(None),
            knows_devices: AtomicBool::new(false),
            learnt: Mutex::default(),
        })
    }

    fn id_type(&self) -> Result<IdType, StoreError> {
        let id = *self.id.read().unwrap_or_else(PoisonError::into_inner);
        id.ok_or_else(|| StoreError::Refused("the database has not been contacted yet".to_owned()))
    }

    async fn connection(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        loop {
            return match self.pool.acquire().await {
                Err(sqlx::Error::PoolTimedOut) => Err(StoreError::TimedOut("every connection is in use".to_owned())),
                // Not even opened while somebody changes a shared cache's tables.
                Err(error) if write::is_shared_cache_locked(&error) => {
                    sleep(PAUSE).await;
                    continue;
                }
                acquired => {
                    acquired.map_err(|error| StoreError::Unreachable(format!("{}: {}", self.path(), plain(&error))))
                }
            };
        }
    }

    fn late(&self) -> StoreError {
        StoreError::TimedOut(format!("no answer within {:?}", self.statement_timeout))
    }

    /// Of the library, read through the file.
    pub(super) async fn version(&self) -> Result<String, StoreError> {
        // Reads the file's header, which a mere connection does not.
        self.rows(&"PRAGMA schema_version".into(), &[]).await?;
        let rows = self.rows(&"SELECT sqlite_version()".into(), &[]).await?;
        Ok(rows.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default())
    }

    /// One of `pulso init`'s own questions.
    pub(super) async fn ask(&self, sql: &str) -> Result<Vec<SqliteRow>, StoreError> {
        self.rows(&sql.into(), &[]).await
    }

    /// How SQLite would run the statistics query.
    pub(super) async fn plan(&self) -> Result<String, StoreError> {
        let sql = format!("EXPLAIN QUERY PLAN {}", self.queries.stats).into();
        let rows = self.rows(&sql, &["0".to_owned(), "2000-01-01".to_owned()]).await?;
        let lines: Vec<String> = rows.iter().filter_map(|row| row.try_get("detail").ok()).collect();
        Ok(lines.join("\n"))
    }

    /// How SQLite would run a query that has its values in its text.
    pub(super) async fn explained(&self, sql: &str) -> Result<String, StoreError> {
        let rows = self.rows(&format!("EXPLAIN QUERY PLAN {sql}").into(), &[]).await?;
        let lines: Vec<String> = rows.iter().filter_map(|row| row.try_get("detail").ok()).collect();
        Ok(lines.join("\n"))
    }

    pub(super) fn path(&self) -> String {
        self.pool.connect_options().get_filename().display().to_string()
    }

    async fn rows(&self, sql: &Arc<str>, arguments: &[String]) -> Result<Vec<SqliteRow>, StoreError> {
        let asking = async {
            let mut connection = self.connection().await?;
            loop {
                match ask(&mut connection, sql, arguments).await {
                    // Another connection to a shared cache writes; for a file's lock SQLite has waited already.
                    Err(error) if write::is_shared_cache_locked(&error) => sleep(PAUSE).await,
                    answer => return answer.map_err(|error| of_query(&error)),
                }
            }
        };
        self.within(asking).await
    }

    /// One of Pulso's own questions.
    async fn read(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<SqliteRow>, StoreError> {
        let arguments = write::arguments(values)?;
        self.within(async {
            let mut connection = self.connection().await?;
            loop {
                match sqlx::query_with(sql, arguments.clone()).fetch_all(&mut *connection).await {
                    Err(error) if write::is_shared_cache_locked(&error) => sleep(PAUSE).await,
                    answer => return answer.map_err(|error| of_query(&error)),
                }
            }
        })
        .await
    }

    async fn begin(&self) -> Result<Write<'_>, StoreError> {
        self.writer.begin(Instant::now() + self.statement_timeout).await
    }

    /// Whatever `work` does, in the time that a call has.
    async fn within<T>(&self, work: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        timeout(self.statement_timeout + GRACE, work).await.unwrap_or_else(|_| Err(self.late()))
    }

    async fn learn_figures(&self, connection: &mut SqliteConnection) -> Result<IdType, ContactError> {
        if !self.asks_figures {
            let read = ask(connection, &"PRAGMA schema_version".into(), &[]).await;
            return read.map(|_| IdType::Text).map_err(|error| of_query(&error).into());
        }
        let declared = "SELECT type FROM pragma_table_info('citas') WHERE name = 'negocio_id' COLLATE NOCASE";
        let declared = ask(connection, &declared.into(), &[]).await.map_err(|error| of_query(&error))?;
        let declared: String = declared.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default();
        // SQLite's own rule for the affinity of a column.
        let id = if declared.to_ascii_uppercase().contains("INT") { IdType::Int8 } else { IdType::Text };

        let wrong = |reason| ContactError::WrongQuery { variable: STATS_SQL, reason };
        check(connection, &self.queries.stats, STATS_SQL, &STATS_COLUMNS).await?;
        let sample = ["0".to_owned(), "2000-01-01".to_owned()];
        let rows = ask(connection, &self.queries.stats, &sample).await;
        let rows = rows.map_err(|error| of_contact(&error, STATS_SQL))?;
        integers(&rows).map_err(wrong)?;
        if self.asks_ownership {
            check(connection, &self.queries.owner, OWNER_SQL, &OWNER_COLUMNS).await?;
            let sample = [r#"["0"]"#.to_owned(), r#"["0"]"#.to_owned()];
            ask(connection, &self.queries.owner, &sample).await.map_err(|error| of_contact(&error, OWNER_SQL))?;
        }
        Ok(id)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn contact(&self) -> Result<IdType, ContactError> {
        let learning = async {
            let mut connection = self.connection().await?;
            self.learn_figures(&mut connection).await
        };
        let id = timeout(self.statement_timeout + GRACE, learning).await.unwrap_or_else(|_| Err(self.late().into()))?;
        *self.id.write().unwrap_or_else(PoisonError::into_inner) = Some(id);
        Ok(id)
    }

    async fn figures(&self, negocio: &NegocioId, today: Date) -> Result<Figures, StoreError> {
        self.id_type()?;
        if !self.asks_figures {
            return Err(StoreError::Refused("figures are not asked for here".to_owned()));
        }
        let rows = self.rows(&self.queries.stats, &[negocio.as_str().to_owned(), today.to_string()]).await?;
        figures(&rows)
    }

    async fn owners(&self, asked: &[Ownership]) -> Result<HashSet<Ownership>, StoreError> {
        let questions = OwnerQuery::new(asked, self.id_type()?, IdType::Text);
        // Where nobody asks about ownership the database grants nothing.
        if questions.is_empty() || !self.asks_figures {
            return Ok(HashSet::new());
        }
        let arguments = [json(&questions.things()), json(&questions.users())];
        let rows = self.rows(&self.queries.owner, &arguments).await?;
        // Unchecked: a replaced query may return integers, which SQLite turns into text by itself.
        let text = |row: &SqliteRow, name| row.try_get_unchecked::<Option<String>, _>(name).ok().flatten();
        let pairs = rows.iter().filter_map(|row| text(row, "negocio_id").zip(text(row, "user_id")));
        Ok(questions.confirmed(pairs))
    }

    async fn devices(&self, uids: &[String], ids: &[String]) -> Result<Vec<Device>, StoreError> {
        devices::find(self, uids, ids).await
    }

    fn outbox(&self) -> Option<&dyn Outbox> {
        Some(self)
    }

    async fn learn(&self, query: &LiveQuery) -> Result<Learnt, ContactError> {
        self.learn_live(query).await
    }

    async fn live(&self, reads: &[LiveRead]) -> Result<Vec<Result<LiveResult, StoreError>>, StoreError> {
        let mut answers = Vec::with_capacity(reads.len());
        for read in reads {
            let answer = self.read_live(read).await;
            if let Err(lost @ StoreError::Unreachable(_)) = answer {
                return Err(lost);
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    async fn pairs(
        &self,
        query: &PairsQuery,
        asked: &[(String, String)],
    ) -> Result<HashSet<(String, String)>, StoreError> {
        self.find_pairs(query, asked).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.rows(&"SELECT 1".into(), &[]).await.map(drop)
    }
}

/// For `json_each`.
fn json(ids: &[&str]) -> String {
    serde_json::Value::from(ids).to_string()
}

/// From a `sqlite://` URL. Never repeats it in an error.
pub(super) fn options(url: &Secret) -> Result<SqliteConnectOptions, SettingError> {
    let options: Result<SqliteConnectOptions, _> = url.expose().parse();
    let options = options.map_err(|_| SettingError {
        variable: "DATABASE_URL",
        reason: "is not a usable SQLite URL; write sqlite:///absolute/path/to/file.db".to_owned(),
    })?;
    Ok(options.create_if_missing(false).disable_statement_logging())
}

async fn ask(
    connection: &mut SqliteConnection,
    sql: &Arc<str>,
    arguments: &[String],
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
    for argument in arguments {
        query = query.bind(argument);
    }
    query.fetch_all(connection).await
}

/// Whether `sql` takes two parameters and returns `columns`.
async fn check(
    connection: &mut SqliteConnection,
    sql: &Arc<str>,
    variable: &'static str,
    columns: &[&str],
) -> Result<(), ContactError> {
    let prepared = connection.prepare(AssertSqlSafe(Arc::clone(sql)).into_sql_str()).await;
    let prepared = prepared.map_err(|error| of_contact(&error, variable))?;
    let wrong = |reason| ContactError::WrongQuery { variable, reason };
    let taken = match prepared.parameters() {
        Some(Either::Right(count)) => count,
        _ => 0,
    };
    if taken != 2 {
        return Err(wrong(format!("takes {taken} parameters; it must take two, $1 and $2, as the shipped query does")));
    }
    let names: Vec<&str> = prepared.columns().iter().map(Column::name).collect();
    queries::exact_columns(&names, columns).map_err(wrong)
}

/// Whether the values of a statistics answer are integers: SQLite's columns have no types of their own.
fn integers(rows: &[SqliteRow]) -> Result<(), String> {
    for (row, name) in rows.iter().flat_map(|row| STATS_COLUMNS.map(|name| (row, name))) {
        let value = row.try_get_raw(name).map_err(|error| error.to_string())?;
        let kind = value.type_info();
        if !value.is_null() && kind.name() != "INTEGER" {
            let kind = kind.name().to_lowercase();
            return Err(format!("column {name} is of type {kind}; it must be an integer: write CAST(… AS INTEGER)"));
        }
    }
    Ok(())
}

fn figures(rows: &[SqliteRow]) -> Result<Figures, StoreError> {
    queries::figures(rows, |row, name| row.try_get(name).map_err(|error| StoreError::Refused(error.to_string())))
}

fn of_query(error: &sqlx::Error) -> StoreError {
    // The primary code is the low byte: 5 busy, 6 locked, 10 input/output, 14 cannot open.
    match code(error).map(|code| code & 0xff) {
        Some(5 | 6) => StoreError::TimedOut(plain(error)),
        Some(10 | 14) => StoreError::Unreachable(plain(error)),
        _ if ["no such table: pulso_", "no such column: handed"].iter().any(|what| plain(error).starts_with(what)) => {
            StoreError::Refused(format!("{}; run `pulso migrate`", plain(error)))
        }
        _ => StoreError::Refused(plain(error)),
    }
}

fn of_contact(error: &sqlx::Error, variable: &'static str) -> ContactError {
    let said = plain(error);
    let advice = format!("create it, or set {variable} to a query for your tables");
    if let Some(table) = said.strip_prefix("no such table: ") {
        ContactError::Missing(format!("table {table} does not exist yet: {advice}"))
    } else if let Some(column) = said.strip_prefix("no such column: ") {
        ContactError::Missing(format!("column {column} does not exist yet: {advice}"))
    } else if code(error) == Some(1) {
        ContactError::WrongQuery { variable, reason: said }
    } else {
        of_query(error).into()
    }
}

fn plain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

fn code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}
