//! Order synchronisation: changes that a restaurant's own back end pulls.

mod backlog;
pub mod changes;
mod hook;
pub mod listen;
pub mod pull;
pub mod words;

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::call::Rejection;
use super::definition::{Definition, Need, Start, Table};
use crate::config::{Secret, SyncConfig};
use crate::database::Database;
use crate::model::{ErrorWord, Tenant};
use crate::store::StoreError;
use crate::telemetry::metrics::RefusalReason;

pub const FEED: Definition = Definition {
    word: "sync",
    older_words: &[],
    about: "changes of orders and customers, kept until a restaurant's own back end has pulled them",
    needs: &[Need::CloudKeys, Need::HookKey],
    tables: &[Table::Outbox],
    hooks: &[hook::SYNC],
    hears: &[],
    types: &[words::CHANGES_PENDING, words::ORDERS_PENDING],
    is_on_dashboards: false,
    is_named_on_dashboards: false,
    sockets: &[],
    namespaces: &["/sync"],
    streams: &[],
    start,
};

fn start(with: &Start<'_>) {
    if !with.node.calls.sync.keys.is_empty() {
        with.workers.spawn_errand(look_for_tables(Arc::clone(&with.node.calls.database)));
        with.workers.spawn("the count of the outbox", with.stop, |stop| {
            let metrics = Arc::clone(&with.node.sessions.metrics);
            backlog::count(Arc::clone(&with.node.calls.database), metrics, stop)
        });
    }
}

/// Says it if the tables are not there.
async fn look_for_tables(database: Arc<Database>) {
    if database.is_migrated().await == Ok(false) {
        warn!(
            feed = FEED.word,
            "this feed answers 503 until its tables are there and this release's: run pulso migrate"
        );
    }
}

/// The tenant of the key that is given. Every key is compared, so that the time taken tells nothing.
pub fn tenant_of(config: &SyncConfig, is_given: impl Fn(&Secret) -> bool) -> Option<&Tenant> {
    config.keys.iter().fold(None, |found, (tenant, key)| if is_given(key) { Some(tenant) } else { found })
}

/// What to say when the outbox does not do what it should: the operator has to act, or nobody.
async fn unavailable(database: &Database, failure: &StoreError, deadline: Instant) -> Rejection {
    if matches!(failure, StoreError::Data(_)) {
        return Rejection::bad("the database's encoding lacks a character of this change");
    }
    let is_refused = matches!(failure, StoreError::Refused(_));
    if is_refused && let Ok(Ok(false)) = timeout_at(deadline, database.is_migrated()).await {
        let message = "the tables of this feed are missing: run pulso migrate";
        return Rejection::new(RefusalReason::NotConfigured, ErrorWord::NotMigrated, message);
    }
    warn!(%failure, "the outbox does not answer");
    Rejection::no_database()
}
