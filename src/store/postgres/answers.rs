//! What a store is asked, by where in here it is answered.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use jiff::civil::Date;
use tokio::time::timeout_at;

use super::rollup::Rollup;
use super::{AT_ONCE, Attempt, PostgresStore, contact, devices, failure, hints, pairs, rollup, sights};
use crate::model::{Device, Figures, IdType, NegocioId, Ownership};
use crate::queries::{LiveQuery, PairsQuery};
use crate::store::{
    ContactError, Counted, HintChange, HintTrigger, Learnt, LiveRead, LiveResult, Outbox, RollupChange, Sight, Store,
    StoreError,
};

#[async_trait]
impl Store for PostgresStore {
    async fn contact(&self) -> Result<IdType, ContactError> {
        let deadline = self.limits.deadline();
        let turn = self.connections.turn().await?;
        let learning = async {
            let mut lease = turn.fresh().await?;
            let connection = lease.connection().map_err(|error| failure::of_query(&error))?;
            self.find_zone(connection).await?;
            let knows = connection.server_version_num().is_none_or(|version| version >= sights::SINCE);
            self.knows_transactions.store(knows, Ordering::Relaxed);
            let (begin, queries, inlined) = (self.limits.begin(), &self.queries, self.inlined.as_ref());
            let (figures, ownership) = (self.asks_figures, self.asks_ownership);
            let description = contact::learn(connection, &begin, queries, inlined, figures, ownership).await?;
            if let Some(order) = &self.order {
                order.learn(connection, &begin).await?;
            }
            lease.keep_if_none_waits();
            Ok::<_, ContactError>(description)
        };
        let description =
            timeout_at(deadline, learning).await.unwrap_or_else(|_| Err(self.failure(Attempt::TimedOut).into()))?;
        *self.description.write().unwrap_or_else(PoisonError::into_inner) = Some(description);
        drop(turn);
        if let Some(rollup) = self.rollup.as_ref().filter(|_| self.asks_figures) {
            rollup.look(self).await;
        }
        self.exposed.say(self).await;
        Ok(description.stats.map_or(IdType::Text, |stats| stats.id))
    }

    async fn figures(&self, negocio: &NegocioId, today: Date) -> Result<Figures, StoreError> {
        self.counted(negocio, today).await.map(|counted| counted.figures)
    }

    async fn verified_figures(&self, negocio: &NegocioId, today: Date) -> Result<Counted, StoreError> {
        if let Some(rollup) = &self.rollup
            && let Some(verified) = rollup.verified(self, negocio, today).await
        {
            return self.or_of_nothing(negocio, verified).await;
        }
        self.counted(negocio, today).await
    }

    fn reads_rollup(&self) -> bool {
        self.rollup.as_ref().is_some_and(Rollup::is_used)
    }

    async fn change_rollup(&self, change: RollupChange) -> Result<bool, StoreError> {
        rollup::change(self, change).await
    }

    async fn change_hints(&self, trigger: &HintTrigger, change: HintChange) -> Result<bool, StoreError> {
        hints::change(self, trigger, change).await
    }

    fn most_at_once(&self) -> usize {
        // The counters are asked for one business at a time.
        let may_share = self.rollup.is_none() && self.stats_shape().is_ok_and(|stats| self.inlined(stats).is_some());
        if may_share { AT_ONCE } else { 1 }
    }

    async fn figures_of(&self, negocios: &[NegocioId], today: Date) -> Result<Vec<Counted>, StoreError> {
        if let [negocio] = negocios {
            return Ok(vec![self.counted(negocio, today).await?]);
        }
        match self.figures_together(negocios, today).await {
            // One of them is nothing that the database could know; the others have their figures.
            Err(StoreError::Data(_)) => {
                let mut counted = Vec::with_capacity(negocios.len());
                for negocio in negocios {
                    counted.push(self.counted(negocio, today).await?);
                }
                Ok(counted)
            }
            answer => answer,
        }
    }

    async fn figures_seeing(
        &self,
        negocios: &[NegocioId],
        today: Date,
        xids: &[u64],
    ) -> Result<(Vec<Counted>, Vec<Sight>), StoreError> {
        if xids.is_empty() {
            return Ok((self.figures_of(negocios, today).await?, Vec::new()));
        }
        match self.figures_with_sights(negocios, today, xids).await {
            // One of them is nothing that the database could know, or the message is not to be had: asked before.
            None | Some(Err(StoreError::Data(_))) => {
                let seen = self.sights_of(xids).await?;
                Ok((self.figures_of(negocios, today).await?, seen))
            }
            Some(answer) => answer,
        }
    }

    async fn owners(&self, asked: &[Ownership]) -> Result<HashSet<Ownership>, StoreError> {
        // Where nobody asks about ownership the database grants nothing.
        let Some(owner) = self.description()?.owner else { return Ok(HashSet::new()) };
        let mut owners = HashSet::new();
        let mut parts = vec![asked];
        while let Some(part) = parts.pop() {
            match self.owners_together(owner, part).await {
                Ok(some) => owners.extend(some),
                // One of them is nothing that the database could know: nobody owns that, and the others have their answer.
                Err(StoreError::Data(_)) => {
                    let (some, others) = part.split_at(part.len() / 2);
                    parts.extend([some, others].into_iter().filter(|_| part.len() > 1));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(owners)
    }

    async fn devices(&self, uids: &[String], ids: &[String]) -> Result<Vec<Device>, StoreError> {
        devices::find(self, uids, ids).await
    }

    fn outbox(&self) -> Option<&dyn Outbox> {
        Some(self)
    }

    fn knows_transactions(&self) -> bool {
        self.knows_transactions.load(Ordering::Relaxed)
    }

    async fn sights(&self, xids: &[u64]) -> Result<Vec<Sight>, StoreError> {
        self.sights_of(xids).await
    }

    async fn pairs(
        &self,
        query: &PairsQuery,
        asked: &[(String, String)],
    ) -> Result<HashSet<(String, String)>, StoreError> {
        pairs::find(self, query, asked).await
    }

    async fn learn(&self, query: &LiveQuery) -> Result<Learnt, ContactError> {
        self.learn_live(query).await
    }

    fn most_live_at_once(&self) -> usize {
        AT_ONCE
    }

    async fn live(&self, reads: &[LiveRead]) -> Result<Vec<Result<LiveResult, StoreError>>, StoreError> {
        self.read_live(reads).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.rows_at_once(&["SELECT 1".to_owned()]).await.map(drop)
    }
}
