//! What was answered well is there afterwards, whoever died in between: a backend, the server, or the call itself.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pulso::model::{Change, Confirmation, Entity, Pending};
use pulso::store::outbox::Kept;
use pulso::store::{Store, open};
use pulso_harness::pgbouncer::Options;
use pulso_harness::{Database, PgBouncer, Postgres, wait};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::changes::{GET, POST, change, keep};
use crate::backend::{Prepared, postgres_config};

promises_everywhere!(calls_that_were_given_up_lose_nothing_that_was_answered);

/// What the customers know: the changes that were answered well, and those that a back end has.
#[derive(Default)]
struct Known {
    answered: Mutex<BTreeSet<String>>,
    received: Mutex<BTreeSet<String>>,
    is_over: AtomicBool,
}

impl Known {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn answered(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    fn receive(&self, pulled: &[Pending]) {
        self.received.lock().unwrap().extend(pulled.iter().map(|pending| pending.id.clone()));
    }

    /// Everything that was answered well is pending or with the back end.
    async fn check(&self, store: &dyn Store) {
        self.receive(&store.outbox().unwrap().pull("t", &[], GET, None, u32::MAX).await.unwrap());
        let (answered, received) = (self.answered.lock().unwrap(), self.received.lock().unwrap());
        let lost: Vec<_> = answered.difference(&received).collect();
        assert!(lost.is_empty(), "{} of {}: {lost:?}", lost.len(), answered.len());
    }
}

fn order(id: &str) -> Change {
    change("t", Entity::Order, id, "{}")
}

/// Writers that note what was answered, and a back end that confirms what it has, until it is over. A failed call is
/// given up, so that only the store itself can have lost a change.
fn keep_busy(store: &Arc<dyn Store>, known: &Arc<Known>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for writer in 0..3 {
        let (store, known) = (Arc::clone(store), Arc::clone(known));
        tasks.spawn(async move {
            for number in 0.. {
                if known.is_over() {
                    return;
                }
                let id = format!("{writer}-{number}");
                if keep(store.outbox().unwrap(), &order(&id)).await.is_ok() {
                    known.answered.lock().unwrap().insert(id);
                }
            }
        });
    }
    let (store, known) = (Arc::clone(store), Arc::clone(known));
    tasks.spawn(async move {
        let mut confirmed = Vec::new();
        while !known.is_over() {
            // In doubt, the same confirmations are sent again.
            if let Ok(pulled) = store.outbox().unwrap().pull("t", &confirmed, POST, None, 20).await {
                known.receive(&pulled);
                let confirm = |Pending { entity, id, .. }| Confirmation { entity, id, version: None };
                confirmed = pulled.into_iter().map(confirm).collect();
            }
        }
    });
    tasks
}

async fn until_answered(known: &Known, more: usize) {
    let wanted = known.answered() + more;
    wait::until(async || known.answered() >= wanted, "changes are kept").await;
}

async fn survives_killed_backends(database: &Database, url: &str) {
    let store = open(&postgres_config(url)).unwrap();
    store.outbox().unwrap().migrate().await.unwrap();
    let known = Arc::new(Known::default());
    let tasks = keep_busy(&store, &known);
    for _ in 0..15 {
        until_answered(&known, 5).await;
        database.terminate_connections().await;
    }
    known.is_over.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    known.check(&*open(&postgres_config(&database.url())).unwrap()).await;
}

#[tokio::test]
async fn backends_that_are_killed_lose_nothing_that_was_answered() {
    let database = Postgres::shared().empty_database().await;
    survives_killed_backends(&database, &database.url()).await;
}

#[tokio::test]
async fn backends_that_are_killed_behind_a_pooler_lose_nothing_that_was_answered() {
    let database = Postgres::shared().empty_database().await;
    let pooler = PgBouncer::start(&database, Options::default());
    survives_killed_backends(&database, &pooler.url(&database)).await;
}

#[tokio::test]
async fn a_server_that_is_killed_loses_nothing_that_was_answered() {
    let server = Postgres::own();
    let database = server.empty_database().await;
    let store = open(&postgres_config(&database.url())).unwrap();
    store.outbox().unwrap().migrate().await.unwrap();
    let known = Arc::new(Known::default());
    let tasks = keep_busy(&store, &known);
    for _ in 0..2 {
        until_answered(&known, 30).await;
        server.stop_hard();
        server.start();
    }
    until_answered(&known, 1).await;
    known.is_over.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    known.check(&*open(&postgres_config(&database.url())).unwrap()).await;
}

/// Calls are dropped at every moment between their first byte and their answer.
async fn calls_that_were_given_up_lose_nothing_that_was_answered(prepared: Prepared) {
    let known = Known::default();
    let mut store = prepared.migrated().await;
    let since = Instant::now();
    keep(store.outbox().unwrap(), &order("first")).await.unwrap();
    keep(store.outbox().unwrap(), &order("second")).await.unwrap();
    let longest = since.elapsed();
    for number in 0..150_u32 {
        if number % 50 == 49 {
            // As the next process would find it.
            store = prepared.store();
        }
        let id = number.to_string();
        let patience = longest * (number * 37 % 100) / 100;
        let kept = timeout(patience, store.outbox().unwrap().keep(&order(&id), None)).await;
        if let Ok(Ok(Kept::As(_))) = kept {
            known.answered.lock().unwrap().insert(id);
        }
        if number % 10 == 0 {
            let pull = store.outbox().unwrap().pull("t", &[], GET, None, 20);
            let _ = timeout(patience, pull).await;
        }
    }
    keep(store.outbox().unwrap(), &order("last")).await.unwrap();
    known.answered.lock().unwrap().extend(["first", "second", "last"].map(str::to_owned));
    known.check(&*prepared.store()).await;
}
