//! PostgreSQL, direct or through a transaction pooler, by one path.
//!
//! Every question runs as `BEGIN`, an unnamed statement, `COMMIT`, and every write as several between these: between
//! transactions a pooler may give the server connection to somebody else, and a statement prepared there would be
//! answered with another query's rows. The figures, asked for at every notice, are asked for in one message that holds
//! all three.
//! Must not know who asks, nor how often.

mod bind;
mod connections;
mod contact;
mod devices;
pub(in crate::store) mod failure;
mod migrate;
pub(in crate::store) mod options;
mod outbox;
pub(in crate::store) mod pooler;
pub(in crate::store) mod rollup;
mod shape;
mod transaction;
mod write;
mod written;

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::{PgConnection, Row};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use self::connections::{Connections, Lease};
pub(super) use self::contact::Examined;
use self::rollup::Rollup;
use self::shape::{DeviceShape, Shape, StatsShape};
use self::written::{Literal, Written};
use super::ownership::Questions;
use super::queries::Queries;
use super::{
    ContactError, Device, Figures, Outbox, Ownership, RollupChange, SettingError, Store, StoreError, Verified,
};
use crate::config::{DatabaseConfig, DatabaseUrl, StatsSource};
use crate::negocio::{IdType, NegocioId};

/// How much later than the server Pulso itself gives a statement up.
const GRACE: Duration = Duration::from_millis(250);

/// Businesses asked for in one message. Twice as many save little more, and wait for each other.
const AT_ONCE: usize = 8;

/// A PostgreSQL database.
pub struct PostgresStore {
    connections: Connections,
    /// As many as `DB_MAX_CONNECTIONS`. Callers queue before they come here, so this is a limit and not a queue.
    permits: Semaphore,
    limits: Limits,
    queries: Queries,
    /// Where `STATS_SOURCE` asks for it.
    rollup: Option<Rollup>,
    /// The statistics query, if it may be asked with its parameters in its text.
    written: Option<Written>,
    asks_figures: bool,
    asks_ownership: bool,
    shape: RwLock<Option<Shape>>,
    device_shape: RwLock<Option<DeviceShape>>,
}

/// The times, and the statement that makes the server keep to them.
#[derive(Clone)]
struct Limits {
    connect: Duration,
    statement: Duration,
    begin: Arc<str>,
    begin_write: Arc<str>,
}

/// One question.
enum Question<'a> {
    /// A query, and its parameters beside it: four messages, each waiting for the one before.
    Bound(&'a Arc<str>, PgArguments),
    /// A whole transaction in one message.
    Written(Arc<str>),
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
        let options = options::parse(url, "DATABASE_URL")?;
        if let Some(source) = &config.listen {
            options::parse(&source.url, "LISTEN_DATABASE_URL")?;
        }
        let queries = Queries::for_postgres(config)?;
        Ok(Self {
            connections: Connections::new(options, config.connect_timeout),
            permits: Semaphore::new(usize::try_from(config.max_connections.max(1)).unwrap_or(usize::MAX)),
            limits: Limits::new(config),
            rollup: (config.stats_source == StatsSource::Rollup).then(|| Rollup::new(&queries)),
            written: Written::of(&queries.stats),
            queries,
            asks_figures: config.asks_figures,
            asks_ownership: config.asks_ownership,
            shape: RwLock::new(None),
            device_shape: RwLock::new(None),
        })
    }

    fn stats_shape(&self) -> Result<StatsShape, StoreError> {
        self.shape()?.stats.ok_or_else(|| StoreError::Refused("figures are not asked for here".to_owned()))
    }

    /// The statistics query without parameters, if this database takes it so.
    fn written(&self, stats: StatsShape) -> Option<&Written> {
        self.written.as_ref().filter(|_| stats.may_be_written)
    }

    fn shape(&self) -> Result<Shape, StoreError> {
        let shape = *self.shape.read().unwrap_or_else(PoisonError::into_inner);
        shape.ok_or_else(|| StoreError::Refused("the database has not been contacted yet".to_owned()))
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        match timeout(self.limits.connect, self.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(StoreError::TimedOut("every connection is in use".to_owned())),
        }
    }

    /// The rows of a query with its parameters beside it.
    async fn rows(&self, sql: &Arc<str>, arguments: PgArguments) -> Result<Vec<PgRow>, StoreError> {
        self.answer(Question::Bound(sql, arguments)).await.map(|mut answers| answers.pop().unwrap_or_default())
    }

    /// The rows of each of several queries with their parameters in them.
    async fn rows_at_once(&self, queries: &[String]) -> Result<Vec<Vec<PgRow>>, StoreError> {
        let answers = self.answer(Question::Written(self.limits.transaction(queries).into())).await?;
        if answers.len() == queries.len() {
            return Ok(answers);
        }
        Err(StoreError::Refused(format!("{} answers to {} questions", answers.len(), queries.len())))
    }

    /// The rows of each statement, on a connection that waits or else a new one. What a waiting one that has died cannot
    /// answer is asked once more, on a new one.
    async fn answer(&self, question: Question<'_>) -> Result<Vec<Vec<PgRow>>, StoreError> {
        let deadline = self.limits.deadline();
        let _permit = self.permit().await?;
        let asking = async {
            if let Some(lease) = self.connections.reuse() {
                match self.attempt(lease, &question).await {
                    Ok(rows) => return Ok(rows),
                    Err(Attempt::Failed(error)) if failure::is_lost(&error) => {
                        debug!(error = failure::plain(&error), "a waiting connection had died; asking on a new one");
                        self.connections.clear();
                    }
                    Err(other) => return Err(self.blame(other)),
                }
            }
            let lease = self.connections.fresh().await?;
            self.attempt(lease, &question).await.map_err(|failed| self.blame(failed))
        };
        timeout_at(deadline, asking).await.unwrap_or_else(|_| Err(self.blame(Attempt::TimedOut)))
    }

    /// The rows of a query that takes what the statistics query takes.
    async fn rows_about(&self, sql: &Arc<str>, negocio: &NegocioId, today: Date) -> Result<Vec<PgRow>, StoreError> {
        let stats = self.stats_shape()?;
        let mut arguments = PgArguments::default();
        bind::id(&mut arguments, stats.id, negocio.as_str())?;
        bind::today(&mut arguments, stats.today, today)?;
        self.rows(sql, arguments).await
    }

    /// One question on `lease`, which is kept only if it is certainly fit for the next one.
    async fn attempt(&self, mut lease: Lease<'_>, question: &Question<'_>) -> Result<Vec<Vec<PgRow>>, Attempt> {
        let limit = self.limits.statement + GRACE;
        let connection = &mut lease.connection;
        let asking = async {
            match question {
                Question::Bound(sql, arguments) => {
                    let asked = transaction::ask(connection, &self.limits.begin, sql, arguments.clone()).await;
                    asked.map(|rows| vec![rows])
                }
                Question::Written(text) => transaction::ask_at_once(connection, text).await,
            }
        };
        match timeout(limit, asking).await {
            Ok(Ok(rows)) => {
                lease.keep();
                Ok(rows)
            }
            Ok(Err((error, usable))) => {
                if usable {
                    lease.keep();
                }
                Err(Attempt::Failed(error))
            }
            Err(_) => {
                // The server's own limit should have spoken first: the line is dead, and the others' is the same.
                self.connections.clear();
                Err(Attempt::TimedOut)
            }
        }
    }

    fn blame(&self, failed: Attempt) -> StoreError {
        match failed {
            Attempt::TimedOut => StoreError::TimedOut(format!("no answer within {:?}", self.limits.statement)),
            Attempt::Failed(error) => failure::of_query(&error),
        }
    }

    /// Whatever `work` does, in the time that a call has.
    async fn within<T>(&self, work: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        timeout_at(self.limits.deadline(), work).await.unwrap_or_else(|_| {
            self.connections.clear();
            Err(self.blame(Attempt::TimedOut))
        })
    }

    /// A connection outside of the store's own, for `pulso check`.
    pub(super) async fn dedicated(&self) -> Result<PgConnection, StoreError> {
        self.connections.fresh().await.map(|lease| lease.connection)
    }

    /// Contact with its plans, for `pulso check`.
    pub(super) async fn examine(&self, connection: &mut PgConnection) -> Result<Examined, ContactError> {
        contact::examine(connection, &self.limits.begin, &self.queries, self.asks_ownership).await
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        self.connections.options()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn contact(&self) -> Result<IdType, ContactError> {
        let deadline = self.limits.deadline();
        let permit = self.permit().await?;
        let learning = async {
            let mut lease = self.connections.fresh().await?;
            let (begin, queries, written) = (&self.limits.begin, &self.queries, self.written.as_ref());
            let (figures, ownership) = (self.asks_figures, self.asks_ownership);
            let shape = contact::learn(&mut lease.connection, begin, queries, written, figures, ownership).await?;
            lease.keep();
            Ok::<_, ContactError>(shape)
        };
        let shape =
            timeout_at(deadline, learning).await.unwrap_or_else(|_| Err(self.blame(Attempt::TimedOut).into()))?;
        *self.shape.write().unwrap_or_else(PoisonError::into_inner) = Some(shape);
        drop(permit);
        if let Some(rollup) = self.rollup.as_ref().filter(|_| self.asks_figures) {
            rollup.look(self).await;
        }
        Ok(shape.stats.map_or(IdType::Text, |stats| stats.id))
    }

    async fn figures(&self, negocio: &NegocioId, today: Date) -> Result<Figures, StoreError> {
        if let Some(rollup) = &self.rollup
            && let Some(counted) = rollup.figures(self, negocio, today).await
        {
            return counted;
        }
        if self.written(self.stats_shape()?).is_some() {
            let figures = self.figures_of_several(std::slice::from_ref(negocio), today).await?;
            return Ok(figures.first().copied().unwrap_or_default());
        }
        shape::figures(&self.rows_about(&self.queries.stats, negocio, today).await?)
    }

    async fn verified_figures(&self, negocio: &NegocioId, today: Date) -> Result<Verified, StoreError> {
        if let Some(rollup) = &self.rollup
            && let Some(verified) = rollup.verified(self, negocio, today).await
        {
            return verified;
        }
        self.figures(negocio, today).await.map(|figures| Verified { figures, drifted: false })
    }

    fn reads_rollup(&self) -> bool {
        self.rollup.as_ref().is_some_and(Rollup::is_used)
    }

    async fn change_rollup(&self, change: RollupChange) -> Result<bool, StoreError> {
        rollup::change(self, change).await
    }

    fn most_at_once(&self) -> usize {
        // The counters are asked for one business at a time.
        let may_share = self.rollup.is_none() && self.stats_shape().is_ok_and(|stats| self.written(stats).is_some());
        if may_share { AT_ONCE } else { 1 }
    }

    async fn figures_of_several(&self, negocios: &[NegocioId], today: Date) -> Result<Vec<Figures>, StoreError> {
        let stats = self.stats_shape()?;
        let alone = || StoreError::Refused("this query can be asked for one business at a time".to_owned());
        let written = self.written(stats).ok_or_else(alone)?;
        let today = Literal::today(stats.today, today);
        let query = |negocio: &NegocioId| written.with(&[&Literal::id(stats.id, negocio.as_str())?, &today]);
        let queries = negocios.iter().map(query).collect::<Result<Vec<_>, _>>()?;
        self.rows_at_once(&queries).await?.iter().map(|rows| shape::figures(rows)).collect()
    }

    async fn owners(&self, asked: &[Ownership]) -> Result<HashSet<Ownership>, StoreError> {
        // Where nobody asks about ownership the database grants nothing.
        let Some(owner) = self.shape()?.owner else { return Ok(HashSet::new()) };
        let questions = Questions::new(asked, owner.negocio, owner.user);
        if questions.is_empty() {
            return Ok(HashSet::new());
        }
        let mut arguments = PgArguments::default();
        bind::ids(&mut arguments, owner.negocio, &questions.negocios())?;
        bind::ids(&mut arguments, owner.user, &questions.users())?;
        let rows = self.rows(&self.queries.owner, arguments).await?;
        // A business without an owner has NULL there.
        let text = |row: &PgRow, name| row.try_get::<Option<String>, _>(name).ok().flatten();
        let pairs = rows.iter().filter_map(|row| text(row, "negocio_id").zip(text(row, "user_id")));
        Ok(questions.confirmed(pairs))
    }

    async fn devices(&self, uids: &[String], ids: &[String]) -> Result<Vec<Device>, StoreError> {
        devices::find(self, uids, ids).await
    }

    fn outbox(&self) -> Option<&dyn Outbox> {
        Some(self)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.rows_at_once(&["SELECT 1".to_owned()]).await.map(drop)
    }
}

impl Limits {
    fn new(config: &DatabaseConfig) -> Self {
        let (connect, statement) = (config.connect_timeout, config.statement_timeout);
        // An answer promises that the change outlives a crash, whatever the role's setting is. A transaction whose
        // owner is gone without a word must not hold its locks for ever.
        let begin_write = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}; \
             SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'",
            statement.as_millis().max(1),
            (connect + statement + GRACE).as_millis()
        );
        Self { connect, statement, begin: begin(statement).into(), begin_write: begin_write.into() }
    }

    /// One message that asks all of `queries`. Together they get the time of one, so that it is the server whose limit
    /// speaks first.
    fn transaction(&self, queries: &[String]) -> String {
        let share = self.statement / u32::try_from(queries.len().max(1)).unwrap_or(u32::MAX);
        [&begin(share), "; ", &queries.join("; "), "; COMMIT"].concat()
    }

    /// When a call that begins now is over, whatever happens.
    fn deadline(&self) -> Instant {
        Instant::now() + self.connect + self.statement + GRACE
    }
}

fn begin(statement_timeout: Duration) -> String {
    let timeout = statement_timeout.as_millis().max(1);
    format!("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = {timeout}")
}
