//! What businesses are called, as the query of `NAME_SQL` says it. It is read as a live query is, and watched by nobody.
//!
//! Must not know who asks, nor whether she may.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::OnceCell;

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

/// The names of businesses, asked for one by one.
#[derive(Debug)]
pub struct Names {
    /// `None` where nobody is to know any.
    query: Option<Arc<LiveQuery>>,
    learnt: OnceCell<Learnt>,
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
        Self { query, learnt: OnceCell::new(), database, clock }
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
        let wrong = |reason| ContactError::WrongQuery { variable: VARIABLE, reason };
        let learning = async || {
            let learnt = match self.database.learn(query).await {
                Err(ContactError::WrongQuery { reason, .. }) => return Err(wrong(reason)),
                learnt => learnt?,
            };
            match learnt.columns.as_slice() {
                [(column, _)] if column == COLUMN => Ok(learnt),
                columns => {
                    let names: Vec<&str> = columns.iter().map(|(column, _)| column.as_str()).collect();
                    let names = names.join(", ");
                    Err(wrong(format!("returns the columns ({names}); it must return exactly ({COLUMN})")))
                }
            }
        };
        self.learnt.get_or_try_init(learning).await
    }
}
