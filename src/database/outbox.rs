//! What Pulso keeps in the database itself, by the same guard as every question.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Database, Matter, Urgency};
use crate::model::{Answered, Change, Confirmation, Entity, Once, Pending};
use crate::store::StoreError;
use crate::store::outbox::{Backlog, Handed, Kept, Outbox};

/// A change was not kept, as far as is known.
#[derive(Clone, Debug)]
pub struct NotKept {
    pub failure: StoreError,
    /// Whether it may be there all the same: it was begun, and the database's answer is not known.
    pub may_be_there: bool,
}

impl Database {
    /// Whether `pulso migrate` has made the tables. To be asked again while it has not.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let admission = self.admit(Urgency::Background).await?;
        Ok(admission.put(Matter::Outbox, self.outbox()?.missing()).await?.is_empty())
    }

    /// Stores a change; with `once`, only if that call was not answered before. What has not begun by `begin_by` does not
    /// begin any more: a newer change may be stored by then.
    pub async fn keep(&self, change: &Change, once: Option<&Once>, begin_by: Instant) -> Result<Kept, NotKept> {
        let not_begun = |failure| NotKept { failure, may_be_there: false };
        let admission = timeout_at(begin_by, self.admit(Urgency::Live)).await;
        let admission = admission.map_err(|_| not_begun(StoreError::TimedOut("its turn did not come".to_owned())))?;
        let admission = admission.map_err(not_begun)?;
        let outbox = self.outbox().map_err(not_begun)?;
        admission.put(Matter::Outbox, outbox.keep(change, once)).await.map_err(|failure| {
            let may_be_there =
                !matches!(failure, StoreError::Refused(_) | StoreError::Data(_) | StoreError::Unsendable(_));
            NotKept { failure, may_be_there }
        })
    }

    /// Forgets what is confirmed, then hands out what is left (`only` of one kind), oldest change first.
    pub async fn pull(
        &self,
        tenant: &str,
        confirmed: &[Confirmation],
        to: Handed<'_>,
        only: Option<Entity>,
        at_most: u32,
    ) -> Result<Vec<Pending>, StoreError> {
        self.admit(Urgency::Live)
            .await?
            .put(Matter::Outbox, self.outbox()?.pull(tenant, confirmed, to, only, at_most))
            .await
    }

    pub async fn has_pending(&self, tenant: &str) -> Result<bool, StoreError> {
        self.admit(Urgency::Background).await?.put(Matter::Outbox, self.outbox()?.has_pending(tenant)).await
    }

    /// What waits to be confirmed, of all tenants.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.admit(Urgency::Background).await?.put(Matter::Outbox, self.outbox()?.backlog()).await
    }

    /// How a call was answered, if that is no longer ago than `max_age`.
    pub async fn recall(&self, path: &str, key: &str, max_age: Duration) -> Result<Option<Answered>, StoreError> {
        self.admit(Urgency::Live).await?.put(Matter::Outbox, self.outbox()?.recall(path, key, max_age)).await
    }

    /// Keeps the first answer of a call.
    pub async fn remember(&self, once: &Once) -> Result<(), StoreError> {
        self.admit(Urgency::Live).await?.put(Matter::Outbox, self.outbox()?.remember(once)).await
    }

    /// Forgets answers that are old, and all but the newest `at_most`; returns how many.
    pub async fn prune(&self, max_age: Duration, at_most: u32) -> Result<u64, StoreError> {
        self.admit(Urgency::Background).await?.put(Matter::Outbox, self.outbox()?.prune(max_age, at_most)).await
    }

    fn outbox(&self) -> Result<&dyn Outbox, StoreError> {
        self.store.outbox().ok_or_else(|| StoreError::Refused("this store keeps nothing".to_owned()))
    }
}
