//! That changes are pending, said at most ten times a second to each who listens: what rings while the last ringing is fresh
//! is rung together.
//!
//! Must not know what has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::{DashMap, Entry};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::hub::Hub;
use crate::model::{Channel, Tenant};
use crate::publication::Publication;

const REST: Duration = Duration::from_millis(100);
const CHANGES_PENDING: &str = "changes:pending";

#[derive(Debug)]
pub(super) struct Doorbells {
    hub: Arc<Hub>,
    /// How often one has rung.
    rung: AtomicU64,
    /// Those that have just rung, and whether they are to ring again.
    resting: DashMap<Tenant, bool>,
}

impl Doorbells {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, rung: AtomicU64::new(0), resting: DashMap::new() }
    }

    pub(super) fn ring(self: &Arc<Self>, tenant: Tenant) {
        // Whoever comes later looks for itself.
        if self.hub.subscribers(&Channel::Sync(tenant.clone())) == 0 {
            return;
        }
        match self.resting.entry(tenant.clone()) {
            Entry::Occupied(mut again) => *again.get_mut() = true,
            Entry::Vacant(place) => {
                place.insert(false);
                self.sound(&tenant);
                match Handle::try_current() {
                    Ok(runtime) => drop(runtime.spawn(Arc::clone(self).rest(tenant))),
                    Err(_) => drop(self.resting.remove(&tenant)),
                }
            }
        }
    }

    async fn rest(self: Arc<Self>, tenant: Tenant) {
        loop {
            sleep(REST).await;
            if self.resting.remove_if(&tenant, |_, again| !*again).is_some() {
                return;
            }
            if let Some(mut again) = self.resting.get_mut(&tenant) {
                *again = false;
            }
            self.sound(&tenant);
        }
    }

    /// Whether what rings now is rung at once.
    #[cfg(test)]
    pub(super) fn is_rested(&self, tenant: &Tenant) -> bool {
        !self.resting.contains_key(tenant)
    }

    fn sound(&self, tenant: &Tenant) {
        // Not the row's version: of two changes the one with the lower may be committed last, and whoever was told of the
        // other has pulled without it.
        let version = self.rung.fetch_add(1, Ordering::Relaxed) + 1;
        self.hub.publish(&Arc::new(Publication::doorbell(Channel::Sync(tenant.clone()), version, CHANGES_PENDING)));
    }
}
