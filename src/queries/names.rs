//! What businesses are called, as the query of `NAME_SQL` says it. It is read as a live query is, and watched by nobody.
//!
//! Must not know who asks, nor whether she may.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tracing::warn;

use super::LiveQuery;
use super::file::{Fault, read_name};
use super::scan::Dialect;
use crate::clock::Clock;
use crate::database::{Database, Urgency};
use crate::model::{Consulta, NegocioId};
use crate::store::{ContactError, Learnt, LiveRead, StoreError};

/// The variable that names its file; errors carry it.
const VARIABLE: &str = "NAME_SQL";
/// The one column that it returns.
const COLUMN: &str = "name";
/// Between two lines of the log that say why there is no name: every page that opens asks for one.
const QUIET: Duration = Duration::from_mins(1);

/// The names of businesses, asked for one by one.
#[derive(Debug)]
pub struct Names {
    /// `None` where nobody is to know any.
    query: Option<Arc<LiveQuery>>,
    learnt: OnceCell<Learnt>,
    /// When the log was last told why there is none.
    told: Mutex<Option<Instant>>,
    database: Arc<Database>,
    clock: Clock,
}

#[derive(Deserialize)]
struct Row {
    name: Option<String>,
}

/// The query that a file's text holds, or all that is wrong with it.
pub fn read(text: &str, file: &Path, dialect: Dialect) -> Result<Arc<LiveQuery>, Vec<Fault>> {
    read_name(text, file, dialect).map(Arc::new)
}

impl Names {
    pub fn new(query: Option<Arc<LiveQuery>>, database: Arc<Database>, clock: Clock) -> Self {
        Self { query, learnt: OnceCell::new(), told: Mutex::default(), database, clock }
    }

    /// Looks what the query takes and returns, unless that is known. A [`ContactError::WrongQuery`] is the operator's to mend.
    pub async fn learn(&self) -> Result<(), ContactError> {
        match &self.query {
            Some(query) => self.learnt_of(query).await.map(drop),
            None => Ok(()),
        }
    }

    /// What a business is called; `None` where nobody knows.
    pub async fn of(&self, negocio: &NegocioId) -> Result<Option<String>, StoreError> {
        self.read(negocio).await.inspect_err(|failure| self.tell(failure))
    }

    fn tell(&self, failure: &StoreError) {
        if matches!(failure, StoreError::Unreachable(_)) {
            // That is said of the database, once for all who ask.
            return;
        }
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| now.duration_since(told) >= QUIET) {
            *told = Some(now);
            warn!(reason = %failure, "a business's name cannot be read: see NAME_SQL");
        }
    }

    async fn read(&self, negocio: &NegocioId) -> Result<Option<String>, StoreError> {
        let Some(query) = &self.query else { return Ok(None) };
        let learnt = self.learnt_of(query).await.map_err(ContactError::into_refusal)?;
        // What the column cannot hold has no name.
        let Some(id) = learnt.key.and_then(|key| key.parse(negocio.as_str())) else { return Ok(None) };
        let now = self.clock.now();
        let read = LiveRead {
            query: Arc::clone(query),
            consulta: Consulta::new(query.name.clone(), Some(id.as_str())),
            today: now.to_zoned(query.zone.clone()).date(),
            now,
            xids: Vec::new(),
        };
        let answers = self.database.admit(Urgency::Background).await?.live(&[read]).await?;
        let Some(answer) = answers.into_iter().next() else { return Ok(None) };
        let row: Option<Row> = serde_json::from_str(&answer?.data).ok();
        Ok(row.and_then(|row| row.name))
    }

    async fn learnt_of(&self, query: &LiveQuery) -> Result<&Learnt, ContactError> {
        let learning = async || match self.database.learn(query).await {
            Err(ContactError::WrongQuery { reason, .. }) => Err(wrong(reason)),
            learnt => checked(learnt?),
        };
        self.learnt.get_or_try_init(learning).await
    }
}

/// What a query takes and returns, if that is a name and nothing else.
pub fn checked(learnt: Learnt) -> Result<Learnt, ContactError> {
    let columns: Vec<&str> = learnt.columns.iter().map(|(column, _)| column.as_str()).collect();
    if columns == [COLUMN] {
        return Ok(learnt);
    }
    Err(wrong(format!("returns the columns ({}); it must return exactly ({COLUMN})", columns.join(", "))))
}

fn wrong(reason: String) -> ContactError {
    ContactError::WrongQuery { variable: VARIABLE, reason }
}
