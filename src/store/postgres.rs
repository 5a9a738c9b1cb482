//! PostgreSQL, direct or through a transaction pooler, by one path.
//!
//! Every question runs as `BEGIN`, an unnamed statement, `COMMIT`, and every write as several between these: between
//! transactions a pooler may give the server connection to somebody else, and a statement prepared there would be
//! answered with another query's rows. What others set on it is set aside for as long (`session`). The figures, asked for
//! at every notice, are asked for in one message that holds all of it.
//! Must not know who asks, nor how often.

mod answers;
mod bind;
mod change;
mod connections;
mod contact;
mod description;
mod devices;
pub(in crate::store) mod failure;
mod figures;
mod hints;
mod inlined;
mod limits;
mod live;
mod migrate;
pub(in crate::store) mod options;
mod order;
mod outbox;
mod owners;
mod pairs;
pub(in crate::store) mod pooler;
pub(in crate::store) mod rollup;
mod session;
mod sights;
mod transaction;
mod write;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::{PgArguments, PgRow};
use tokio::time::{timeout, timeout_at};
use tracing::{debug, warn};

use self::connections::{Connections, Lease};
pub(super) use self::contact::Examined;
use self::description::{Description, Descriptions, DeviceDescription, StatsDescription};
use self::inlined::Inlined;
use self::limits::{GRACE, Limits};
use self::options::Servers;
use self::order::Order;
use self::rollup::{ExposedWarning, Rollup};
use super::queries::Queries;
use super::{ContactError, SettingError, StoreError};
use crate::config::{DatabaseConfig, DatabaseUrl, StatsSource};

/// Businesses asked for in one message. Twice as many save little more, and wait for each other.
const AT_ONCE: usize = 8;

/// A PostgreSQL database.
pub struct PostgresStore {
    connections: Connections,
    limits: Limits,
    queries: Queries,
    /// Where `STATS_SOURCE` asks for it.
    rollup: Option<Rollup>,
    exposed: ExposedWarning,
    /// Where reads are to be ordered.
    order: Option<Order>,
    /// Whether this server may be asked about transactions of others.
    knows_transactions: AtomicBool,
    /// The statistics query, if it may be asked with its parameters in its text.
    inlined: Option<Inlined>,
    asks_figures: bool,
    asks_ownership: bool,
    description: RwLock<Option<Descriptions>>,
    device_description: RwLock<Option<DeviceDescription>>,
    live: RwLock<live::Shapes>,
    pairs: RwLock<pairs::Known>,
}

/// One question.
enum Ask<'a> {
    /// What begins a transaction, a query, and its parameters beside it: four messages, each waiting for the one before.
    Bound(Arc<str>, &'a Arc<str>, PgArguments),
    /// A whole transaction in one message.
    Inlined(Arc<str>),
    /// What keeps its answers itself while they arrive.
    Told(transaction::Told<'a>),
}

/// Why one attempt on one connection brought no rows.
enum Attempt {
    TimedOut,
    Failed(sqlx::Error),
}

impl PostgresStore {
    /// No I/O but reading the query files.
    pub fn new(config: &DatabaseConfig) -> Result<Self, SettingError> {
        let DatabaseUrl::Postgres(url) = &config.url else {
            return Err(SettingError { variable: "DATABASE_URL", reason: "is not a PostgreSQL URL".to_owned() });
        };
        let servers = Servers::parse(url, "DATABASE_URL")?;
        if let Some(source) = &config.listen {
            Servers::parse(&source.url, "LISTEN_DATABASE_URL")?;
        }
        let queries = Queries::for_postgres(config)?;
        Ok(Self {
            limits: Limits::new(config, servers.search_path()),
            connections: Connections::new(
                servers,
                config.max_connections,
                config.connect_timeout,
                config.statement_timeout + GRACE,
            ),
            rollup: (config.stats_source == StatsSource::Rollup).then(|| Rollup::new(&queries)),
            exposed: ExposedWarning::default(),
            order: config.orders_reads.then(Order::default),
            knows_transactions: AtomicBool::new(true),
            inlined: Inlined::of(&queries.stats),
            queries,
            asks_figures: config.asks_figures,
            asks_ownership: config.asks_ownership,
            description: RwLock::new(None),
            device_description: RwLock::default(),
            live: RwLock::default(),
            pairs: RwLock::default(),
        })
    }

    fn stats_shape(&self) -> Result<StatsDescription, StoreError> {
        self.description()?.stats.ok_or_else(|| StoreError::Refused("figures are not asked for here".to_owned()))
    }

    fn description(&self) -> Result<Descriptions, StoreError> {
        let description = *self.description.read().unwrap_or_else(PoisonError::into_inner);
        description.ok_or_else(|| StoreError::Refused("the database has not been contacted yet".to_owned()))
    }

    /// The rows of a query with its parameters beside it.
    async fn rows(&self, sql: &Arc<str>, arguments: PgArguments) -> Result<Vec<PgRow>, StoreError> {
        self.answer(Ask::Bound(self.limits.begin(), sql, arguments))
            .await
            .map(|mut answers| answers.pop().unwrap_or_default())
    }

    /// The rows of each of several queries with their parameters in them.
    async fn rows_at_once(&self, queries: &[String]) -> Result<Vec<Vec<PgRow>>, StoreError> {
        let answers = self.answer(Ask::Inlined(self.limits.transaction(queries).into())).await?;
        if answers.len() == queries.len() {
            return Ok(answers);
        }
        Err(StoreError::Refused(format!("{} answers to {} questions", answers.len(), queries.len())))
    }

    /// The rows of what begins the transaction, if there is such a statement apart, and of each query, on a connection that waits or else a new one. What a waiting one that has died cannot
    /// answer is asked once more, on a new one.
    async fn answer(&self, question: Ask<'_>) -> Result<Vec<Vec<PgRow>>, StoreError> {
        let deadline = self.limits.deadline();
        let turn = self.connections.turn().await?;
        let asking = async {
            if let Some(lease) = turn.reuse() {
                match self.attempt(lease, &question).await {
                    Ok(rows) => return Ok(rows),
                    Err(Attempt::Failed(error)) if failure::is_lost(&error) => {
                        debug!(error = failure::plain(&error), "a waiting connection had died; asking on a new one");
                        self.connections.clear();
                    }
                    Err(other) => return Err(self.failure(other)),
                }
            }
            let lease = turn.fresh().await?;
            self.attempt(lease, &question).await.map_err(|failed| self.failure(failed))
        };
        timeout_at(deadline, asking).await.unwrap_or_else(|_| Err(self.failure(Attempt::TimedOut)))
    }

    /// What `sql` takes and returns. The inner failure is the database's.
    async fn describe(&self, sql: &Arc<str>) -> Result<Result<Description, sqlx::Error>, StoreError> {
        let turn = self.connections.turn().await?;
        if let Some(lease) = turn.reuse() {
            match self.described(lease, sql).await {
                Err(error) if failure::is_lost(&error) => {
                    debug!(error = failure::plain(&error), "a waiting connection had died; describing on a new one");
                    self.connections.clear();
                }
                described => return Ok(described),
            }
        }
        Ok(self.described(turn.fresh().await?, sql).await)
    }

    async fn described(&self, mut lease: Lease<'_>, sql: &Arc<str>) -> Result<Description, sqlx::Error> {
        let described = transaction::describe(lease.connection()?, &self.limits.begin(), sql).await;
        lease.keep_if(matches!(described, Ok(_) | Err((_, true))));
        described.map_err(|(error, _)| error)
    }

    /// One question on `lease`, which is kept only if it is certainly fit for the next one.
    async fn attempt(&self, mut lease: Lease<'_>, question: &Ask<'_>) -> Result<Vec<Vec<PgRow>>, Attempt> {
        let limit = self.limits.statement + GRACE;
        let asking = async {
            let connection = lease.connection().map_err(|error| (error, false))?;
            match question {
                Ask::Bound(begin, sql, arguments) => {
                    transaction::ask_and_begin(connection, begin, sql, arguments.clone()).await
                }
                Ask::Inlined(text) => transaction::ask_at_once(connection, text).await,
                Ask::Told(told) => transaction::tell(connection, told).await.map(|()| Vec::new()),
            }
        };
        match timeout(limit, asking).await {
            Ok(Ok(rows)) => {
                lease.keep();
                Ok(rows)
            }
            Ok(Err((error, usable))) => {
                lease.keep_if(usable);
                Err(Attempt::Failed(error))
            }
            Err(_) => {
                // The server's own limit should have spoken first: the line is dead, and the others' is the same.
                self.connections.clear();
                lease.close();
                Err(Attempt::TimedOut)
            }
        }
    }

    fn failure(&self, failed: Attempt) -> StoreError {
        match failed {
            Attempt::TimedOut => StoreError::TimedOut(format!("no answer within {:?}", self.limits.statement)),
            Attempt::Failed(error) => failure::of_query(&error),
        }
    }

    /// Whatever `work` does, in the time that a call has.
    async fn within<T>(&self, work: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        timeout_at(self.limits.deadline(), work).await.unwrap_or_else(|_| {
            self.connections.clear();
            Err(self.failure(Attempt::TimedOut))
        })
    }

    /// A connection outside of the store's own, for `pulso check`.
    pub(super) async fn dedicated(&self) -> Result<PgConnection, StoreError> {
        self.connections.uncounted().await
    }

    /// One of `pulso check`'s own questions.
    pub(super) async fn ask(&self, connection: &mut PgConnection, sql: &str) -> Result<Vec<PgRow>, sqlx::Error> {
        self.ask_for(connection, sql, self.limits.statement).await
    }

    /// As [`Self::ask`], where the planner may not read whole tables if there is any other way.
    pub(super) async fn ask_without_scan(
        &self,
        connection: &mut PgConnection,
        sql: &str,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let begin = format!("{}{}", self.limits.begin(), contact::WITHOUT_SCAN).into();
        let asked = transaction::ask(connection, &begin, &sql.into(), PgArguments::default()).await;
        asked.map_err(|(error, _)| error)
    }

    /// One that may take `time`.
    pub(super) async fn ask_for(
        &self,
        connection: &mut PgConnection,
        sql: &str,
        time: Duration,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let begin = self.limits.session().begin_reading_within(time).into();
        let asked = transaction::ask(connection, &begin, &sql.into(), PgArguments::default()).await;
        asked.map_err(|(error, _)| error)
    }

    /// Contact with its plans, for `pulso check`.
    pub(super) async fn examine(&self, connection: &mut PgConnection) -> Result<Examined, ContactError> {
        self.find_zone(connection).await?;
        contact::examine(connection, &self.limits.begin(), &self.queries, self.asks_ownership).await
    }

    /// Tries the business's zone. A server that does not know it (its time zone data are older than ours) answers all the
    /// same, in UTC.
    async fn find_zone(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let is_unknown = match transaction::try_zone(connection, self.limits.zone()).await {
            Ok(is_known) => !is_known,
            Err(error) => return Err(failure::of_query(&error)),
        };
        if self.limits.set_zone_unknown(is_unknown) {
            warn!(
                zone = self.limits.zone(),
                "the database does not know the business's time zone: its sessions are in UTC; update the server's time \
                 zone data"
            );
        }
        Ok(())
    }

    /// The plan of the query for devices, for `pulso check`.
    pub(super) async fn examine_devices(&self, connection: &mut PgConnection) -> Result<String, ContactError> {
        contact::examine_devices(connection, &self.limits.begin(), &self.queries).await
    }

    pub(super) fn servers(&self) -> &Servers {
        self.connections.servers()
    }
}
