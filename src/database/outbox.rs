//! What Pulso keeps in the database itself, by the same guard as every question.

use std::time::Duration;

use super::{Database, Urgency};
use crate::store::StoreError;
use crate::store::outbox::{Answered, Change, Confirmation, Entity, Kept, Once, Outbox, Pending};

impl Database {
    /// Whether `pulso migrate` has made the tables. To be asked again while it has not.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let admission = self.admit(Urgency::Background).await?;
        Ok(admission.put(self.outbox()?.missing()).await?.is_empty())
    }

    /// Stores a change; with `once`, only if that call was not answered before.
    pub async fn keep(&self, change: &Change, once: Option<&Once>) -> Result<Kept, StoreError> {
        self.admit(Urgency::Live).await?.put(self.outbox()?.keep(change, once)).await
    }

    /// Forgets what is confirmed, then hands out what is left (`only` of one kind), oldest change first.
    pub async fn pull(
        &self,
        tenant: &str,
        confirmed: &[Confirmation],
        only: Option<Entity>,
        at_most: u32,
    ) -> Result<Vec<Pending>, StoreError> {
        self.admit(Urgency::Live).await?.put(self.outbox()?.pull(tenant, confirmed, only, at_most)).await
    }

    pub async fn has_pending(&self, tenant: &str) -> Result<bool, StoreError> {
        self.admit(Urgency::Background).await?.put(self.outbox()?.has_pending(tenant)).await
    }

    /// How a call was answered, if that is no longer ago than `max_age`.
    pub async fn recall(&self, path: &str, key: &str, max_age: Duration) -> Result<Option<Answered>, StoreError> {
        self.admit(Urgency::Live).await?.put(self.outbox()?.recall(path, key, max_age)).await
    }

    /// Keeps the first answer of a call.
    pub async fn remember(&self, once: &Once) -> Result<(), StoreError> {
        self.admit(Urgency::Live).await?.put(self.outbox()?.remember(once)).await
    }

    /// Forgets answers that are old, and all but the newest `at_most`; returns how many.
    pub async fn prune(&self, max_age: Duration, at_most: u32) -> Result<u64, StoreError> {
        self.admit(Urgency::Background).await?.put(self.outbox()?.prune(max_age, at_most)).await
    }

    fn outbox(&self) -> Result<&dyn Outbox, StoreError> {
        self.store.outbox().ok_or_else(|| StoreError::Refused("this store keeps nothing".to_owned()))
    }
}
