//! Questions about live queries. What is wrong with one of them says nothing of the database.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::civil::Date;
use tokio::time::timeout;

use super::{Admission, Database, Matter, Urgency};
use crate::model::{NegocioId, QueryName};
use crate::queries::{LiveQuery, PairsQuery};
use crate::store::{ContactError, Counted, Learnt, LiveRead, LiveResult, Sight, StoreError};

impl Database {
    /// As [`Database::admit`] for reads of `query`, which holds at most half of the connections and takes turns with others.
    pub async fn admit_for(&self, query: &QueryName, urgency: Urgency) -> Result<Admission<'_>, StoreError> {
        // Before it stands in line: while the breaker is open nobody is to wait for those before it.
        drop(self.pass(urgency)?);
        let turn = self.lanes.turn(query).await;
        self.admit_with(urgency, turn).await
    }

    /// How many reads of live queries may be made at once.
    pub fn most_live_at_once(&self) -> usize {
        self.store.most_live_at_once()
    }

    /// Looks what a live query takes and returns.
    pub async fn learn(&self, query: &LiveQuery) -> Result<Learnt, ContactError> {
        let admission = self.admit_for(&query.name, Urgency::Background).await?;
        let learning = async {
            Ok::<_, StoreError>(match timeout(self.longest_call, self.store.learn(query)).await {
                Ok(Err(ContactError::Store(failure))) => return Err(failure),
                Ok(answer) => answer,
                Err(_) => return Err(StoreError::TimedOut("not learnt in time".to_owned())),
            })
        };
        admission.put(Matter::Live, learning).await?
    }

    /// Those of `asked`, pairs of a key and a user, that a query of `access: sql` confirms.
    pub async fn pairs(
        &self,
        query: &PairsQuery,
        asked: &[(String, String)],
    ) -> Result<HashSet<(String, String)>, StoreError> {
        self.admit(Urgency::Background).await?.put(Matter::Live, self.store.pairs(query, asked)).await
    }

    /// Whether a caller can name its transaction.
    pub fn knows_transactions(&self) -> bool {
        self.store.knows_transactions()
    }

    /// What a read that begins after this would see of transactions.
    pub async fn sights(&self, xids: &[u64]) -> Result<Vec<Sight>, StoreError> {
        self.admit(Urgency::Background).await?.put(Matter::Live, self.store.sights(xids)).await
    }
}

impl Admission<'_> {
    /// What live queries say, at most [`Database::most_live_at_once`] of them; one that fails leaves the others their answers.
    pub async fn live(self, reads: &[LiveRead]) -> Result<Vec<Result<LiveResult, StoreError>>, StoreError> {
        let store = Arc::clone(&self.database.store);
        self.put(Matter::Live, store.live(reads)).await
    }

    /// As [`Self::figures`], and what the reads have seen of each of `xids`.
    pub async fn figures_seeing(
        self,
        negocios: &[NegocioId],
        today: Date,
        xids: &[u64],
    ) -> Result<(Vec<Counted>, Vec<Sight>), StoreError> {
        let (store, metrics) = (Arc::clone(&self.database.store), Arc::clone(&self.database.metrics));
        let answer = self.put(Matter::Figures, store.figures_seeing(negocios, today, xids)).await;
        metrics.rollup_used.set(store.reads_rollup().into());
        answer
    }
}
