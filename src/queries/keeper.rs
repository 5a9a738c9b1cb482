//! Asks the database what each live query takes and returns: at every contact, when one is new or doubted, and now and then
//! about those that it refused.
//!
//! Must not know what becomes of a query that is off.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::registry::{Live, Queries, Standing};
use crate::database::Database;
use crate::store::{ContactError, StoreError};

/// How often a query that is off is tried.
const RETRY: Duration = Duration::from_secs(30);
/// Asked about at once, so that one that is slow to answer does not keep all others.
const AT_ONCE: usize = 4;

/// Keeps what is known of all queries current until stopped.
pub async fn keep(queries: Arc<Queries>, database: Arc<Database>, stop: CancellationToken) {
    let mut state = database.state();
    // Whoever made the contact that there is now has asked about all of them.
    let mut contacts = state.borrow().contacts;
    let mut next = Instant::now() + RETRY;
    loop {
        let (now, is_down) = {
            let state = state.borrow_and_update();
            (state.contacts, state.down.is_some())
        };
        if !is_down {
            let is_new_contact = std::mem::replace(&mut contacts, now) != now;
            let is_time = Instant::now() >= next;
            if is_time {
                next = Instant::now() + RETRY;
            }
            let doubted = queries.take_doubted();
            let mut due = queries.all();
            due.retain(|live| is_new_contact || is_due(live, is_time) || doubted.contains(&live.query.name));
            tokio::select! {
                _ = learn(&queries, &database, due) => {}
                () = stop.cancelled() => return,
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = state.changed() => if changed.is_err() { return },
            () = queries.wanted() => {}
            () = sleep_until(next), if !is_down => {}
        }
    }
}

/// One that was just defined is asked about at once, and what was refused or not answered now and then.
fn is_due(live: &Live, is_time: bool) -> bool {
    match live.standing {
        Standing::On(_) => false,
        Standing::Off(_) => is_time,
        Standing::Unknown => true,
    }
}

/// Asks about all of `due` and notes how they stand. Says which files must be mended before they can ever work.
pub async fn learn(queries: &Queries, database: &Database, due: Vec<Arc<Live>>) -> Vec<String> {
    let ask = |live: Arc<Live>| async move { (database.learn(&live.query).await, live) };
    let mut wrong = Vec::new();
    let mut answers = stream::iter(due).map(ask).buffer_unordered(AT_ONCE);
    while let Some((answer, live)) = answers.next().await {
        let standing = match answer {
            Ok(learnt) => Standing::On(Arc::new(learnt)),
            // Says nothing of the query.
            Err(ContactError::Store(StoreError::Unreachable(_) | StoreError::TimedOut(_))) => continue,
            Err(refusal) => {
                if let ContactError::WrongQuery { reason, .. } = &refusal {
                    wrong.push(reason.clone());
                }
                Standing::Off(refusal.to_string())
            }
        };
        queries.note(&live.query, standing);
    }
    wrong.sort_unstable();
    wrong
}
