//! The questions Pulso asks a database, and the databases that answer them.
//!
//! A store knows SQL and nothing of who asks: no hub, no socket, no HTTP. Both stores pass the one suite in
//! `tests/integration/store_contract.rs`.

mod asked;
mod counted;
pub mod hints;
pub mod inspect;
pub mod listen;
pub mod migrations;
pub mod outbox;
mod ownership;
pub mod postgres;
mod queries;
mod reading;
pub mod rollup;
pub mod sqlite;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::civil::Date;

use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::model::{Device, Figures, IdType, NegocioId, Ownership};
use crate::queries::{LiveQuery, PairsQuery};

pub use counted::Counted;
pub use hints::{HintChange, HintTrigger};
pub use outbox::Outbox;
use ownership::pair_columns;
pub use reading::{Learnt, LiveRead, LiveResult, Sight};
pub use rollup::RollupChange;

/// Why a question has no answer, by what the asker can do about it. The text is for the log and for operators only:
/// it may name tables, so it never reaches a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No connection could be made. Counts towards the circuit breaker.
    #[error("Cannot connect to database: {0}")]
    Unreachable(String),
    /// Not answered within the statement timeout.
    #[error("the database did not answer in time: {0}")]
    TimedOut(String),
    /// The database answered with an error, or [`Store::contact`] has not succeeded yet.
    #[error("the database refused the query: {0}")]
    Refused(String),
    /// A value is none that this database can have, such as a character that its encoding lacks: it knows no such thing,
    /// now or later.
    #[error("the database cannot hold such a value: {0}")]
    Data(String),
    /// A live query has said more than it may, or two rows instead of one.
    #[error("the result is not one that can be sent: {0}")]
    Unsendable(String),
}

/// Why the first contact failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ContactError {
    /// Nobody answers; try again later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table or column that the queries name is not there (yet); try again later.
    #[error("{0}")]
    Missing(String),
    /// A query file does not do what Pulso needs (wrong columns, wrong parameters, not SQL): the operator must mend it.
    #[error("{variable}: {reason}")]
    WrongQuery { variable: &'static str, reason: String },
}

impl ContactError {
    /// For a query that is learnt when it is first asked: whoever asks is refused with the reason.
    pub fn into_refusal(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            other => StoreError::Refused(other.to_string()),
        }
    }
}

/// A setting that no store can be made from. Found before anything connects; never holds the setting's secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{variable}: {reason}")]
pub struct SettingError {
    pub variable: &'static str,
    pub reason: String,
}

/// The store that `DATABASE_URL` names. No I/O but reading the query files; call [`Store::contact`] next.
pub fn open(config: &DatabaseConfig) -> Result<Arc<dyn Store>, SettingError> {
    Ok(match config.url {
        DatabaseUrl::Postgres(_) => Arc::new(postgres::PostgresStore::new(config)?),
        DatabaseUrl::Sqlite(_) => Arc::new(sqlite::SqliteStore::new(config)?),
    })
}

/// What a database must answer. Every call opens what it needs and leaves nothing behind; dropping a call's future
/// is allowed at any point.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Connects, reads the type of the id column, and checks the parameters and columns of both queries (of none where
    /// nobody asks for figures; ids are text then).
    /// May be called again at any time (after an outage); the newest answer counts for later calls.
    async fn contact(&self) -> Result<IdType, ContactError>;

    /// The figures of `negocio`; zeros when it has no rows. `today` is the business's calendar day.
    async fn figures(&self, negocio: &NegocioId, today: Date) -> Result<Figures, StoreError>;

    /// How many businesses may be asked for at once.
    fn most_at_once(&self) -> usize {
        1
    }

    /// The figures of up to [`Store::most_at_once`] businesses, in their order, and where each read stands among others if
    /// that is asked for (`DatabaseConfig::orders_reads`). All together get the time that one alone would get, so only for
    /// such as are quickly read; a failure is everybody's.
    async fn figures_of(&self, negocios: &[NegocioId], today: Date) -> Result<Vec<Counted>, StoreError> {
        let mut counted = Vec::with_capacity(negocios.len());
        for negocio in negocios {
            counted.push(self.figures(negocio, today).await?.into());
        }
        Ok(counted)
    }

    /// As [`Self::figures_of`], and what the reads have seen of each of `xids`.
    async fn figures_seeing(
        &self,
        negocios: &[NegocioId],
        today: Date,
        xids: &[u64],
    ) -> Result<(Vec<Counted>, Vec<Sight>), StoreError> {
        // What is over before a read begins is seen by it.
        let seen = if xids.is_empty() { Vec::new() } else { self.sights(xids).await? };
        Ok((self.figures_of(negocios, today).await?, seen))
    }

    /// Whether transactions have ids by which a caller can name its own (`pg_current_xact_id()`).
    fn knows_transactions(&self) -> bool {
        false
    }

    /// What a read that begins after this would see of transactions, without a read.
    async fn sights(&self, _xids: &[u64]) -> Result<Vec<Sight>, StoreError> {
        Err(StoreError::Refused("this store knows no transactions of others".to_owned()))
    }

    /// Those of `asked` that the database confirms. A user id that the column cannot hold owns nothing.
    async fn owners(&self, asked: &[Ownership]) -> Result<HashSet<Ownership>, StoreError>;

    /// The devices that have one of these names or ids, each by every name it was asked by. What the columns cannot hold
    /// is not found.
    async fn devices(&self, _uids: &[String], _ids: &[String]) -> Result<Vec<Device>, StoreError> {
        Err(StoreError::Refused("this store knows no devices".to_owned()))
    }

    /// As [`Self::figures`], always from the appointments themselves, and whether the rollup says the same at that moment.
    async fn verified_figures(&self, negocio: &NegocioId, today: Date) -> Result<Counted, StoreError> {
        self.figures(negocio, today).await.map(Counted::from)
    }

    /// Whether figures come from the rollup just now.
    fn reads_rollup(&self) -> bool {
        false
    }

    /// Installs, rebuilds or removes the rollup. False if there was nothing to do.
    async fn change_rollup(&self, change: RollupChange) -> Result<bool, StoreError> {
        if change == RollupChange::Repair {
            return Ok(false);
        }
        Err(StoreError::Refused("the rollup needs PostgreSQL".to_owned()))
    }

    /// Installs or removes a trigger that tells of changes of a table. False if there was nothing to do.
    async fn change_hints(&self, _trigger: &HintTrigger, _change: HintChange) -> Result<bool, StoreError> {
        Err(StoreError::Refused("SQLite has no NOTIFY, by which triggers tell of changes".to_owned()))
    }

    /// What Pulso keeps in this database itself.
    fn outbox(&self) -> Option<&dyn Outbox> {
        None
    }

    /// Looks what a live query takes and returns. May be called again at any time; the newest answer counts for later reads.
    async fn learn(&self, _query: &LiveQuery) -> Result<Learnt, ContactError> {
        Err(StoreError::Refused("this store has no live queries".to_owned()).into())
    }

    /// How many reads of live queries may be made at once.
    fn most_live_at_once(&self) -> usize {
        1
    }

    /// What live queries that were learnt say, in the order of `reads`. All together get the time that one alone would get, so
    /// only for such as are quickly read; one that fails leaves the others their answers. The outer failure is everybody's.
    async fn live(&self, _reads: &[LiveRead]) -> Result<Vec<Result<LiveResult, StoreError>>, StoreError> {
        Err(StoreError::Refused("this store has no live queries".to_owned()))
    }

    /// Those of `asked`, pairs of a key and a user, that a query of `access: sql` confirms.
    async fn pairs(
        &self,
        _query: &PairsQuery,
        _asked: &[(String, String)],
    ) -> Result<HashSet<(String, String)>, StoreError> {
        Err(StoreError::Refused("this store has no live queries".to_owned()))
    }

    /// A round trip to the database that reads no table.
    async fn ping(&self) -> Result<(), StoreError>;
}
