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

use super::LiveQuery;
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
    let due = due.iter().map(|live| Arc::clone(&live.query)).collect();
    let mut wrong = Vec::new();
    ask(database, due, |mut answer| {
        wrong.extend(answer.mistake.take());
        answer.note_in(queries);
    })
    .await;
    wrong.sort_unstable();
    wrong
}

/// What the database says of a query.
#[derive(Debug)]
pub(super) struct Answer {
    query: Arc<LiveQuery>,
    /// `None`: nothing, in the time that it had.
    standing: Option<Standing>,
    /// What is wrong with its file, so that it cannot ever work as it is.
    pub mistake: Option<String>,
}

impl Answer {
    pub(super) fn note_in(self, queries: &Queries) {
        match self.standing {
            Some(standing) => queries.note(&self.query, standing),
            None => queries.note_silence(&self.query),
        }
    }
}

/// Gives `take` the answer about each query, as soon as it is there. A database that is away says nothing of a query.
pub(super) async fn ask(database: &Database, queries: Vec<Arc<LiveQuery>>, mut take: impl FnMut(Answer)) {
    let ask = |query: Arc<LiveQuery>| async move { (database.learn(&query).await, query) };
    let mut answers = stream::iter(queries).map(ask).buffer_unordered(AT_ONCE);
    while let Some((answer, query)) = answers.next().await {
        let (standing, mistake) = match answer {
            Ok(learnt) => (Some(Standing::On(Arc::new(learnt))), None),
            // Its monitor finds out, and all are asked about when it is back.
            Err(ContactError::Store(StoreError::Unreachable(_))) => continue,
            Err(ContactError::Store(StoreError::TimedOut(_))) => (None, None),
            Err(ContactError::WrongQuery { reason, .. }) => (Some(Standing::Off(reason.clone())), Some(reason)),
            Err(refusal) => (Some(Standing::Off(refusal.to_string())), None),
        };
        take(Answer { query, standing, mistake });
    }
}
