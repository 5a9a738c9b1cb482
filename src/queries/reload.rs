//! Reads the folder of live queries again when it is asked to: all of it, or nothing where anything in it is wrong.
//!
//! Must not know who asks, nor who watches what has changed.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::LiveQuery;
use super::folder::{Defined, Folder};
use super::keeper::ask;
use super::registry::{Live, Queries, Standing};
use crate::database::Database;

/// Reads `folder` whenever `asked` says so, until stopped.
pub async fn keep_reading(
    folder: Option<Folder>,
    queries: Arc<Queries>,
    database: Arc<Database>,
    asked: Arc<Notify>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = asked.notified() => {}
        }
        let Some(folder) = folder.clone() else {
            info!("QUERIES_DIR is not set: there is nothing to read again, and settings are read at start only");
            continue;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            mistakes = read_again(folder, &queries, &database) => {
                for mistake in &mistakes {
                    error!("{mistake}");
                }
                if !mistakes.is_empty() {
                    error!(mistakes = mistakes.len(), "the live queries stay as they were: mend their files first");
                }
            }
        }
    }
}

/// All that is wrong, if anything is.
async fn read_again(folder: Folder, queries: &Queries, database: &Database) -> Vec<String> {
    let Defined { queries: defined, warnings } = match spawn_blocking(move || folder.read()).await {
        Ok(Ok(defined)) => defined,
        Ok(Err(mistakes)) => return mistakes.iter().map(ToString::to_string).collect(),
        Err(panic) => return vec![panic.to_string()],
    };
    for warning in warnings {
        warn!("{warning}");
    }
    // What the database has refused so far is asked about once more: perhaps that is why somebody asks.
    let is_known =
        |query: &LiveQuery| queries.find(&query.name).filter(|live| live.query.fingerprint == query.fingerprint);
    let is_on = |live: &Arc<Live>| matches!(live.standing, Standing::On(_));
    let known: Vec<_> = defined.iter().map(|query| is_known(query)).collect();
    let changed = known.iter().filter(|known| known.is_none()).count();
    let due = defined.iter().zip(&known).filter(|(_, known)| !known.as_ref().is_some_and(is_on));
    let due: Vec<_> = due.map(|(query, known)| known.as_ref().map_or(query, |live| &live.query)).cloned().collect();
    let (mut answers, mut wrong) = (Vec::new(), Vec::new());
    if !database.is_down() {
        ask(database, due, |mut answer| {
            wrong.extend(answer.mistake.take());
            answers.push(answer);
        })
        .await;
    }
    if !wrong.is_empty() {
        wrong.sort_unstable();
        return wrong;
    }
    let count = defined.len();
    queries.replace(defined);
    for answer in answers {
        answer.note_in(queries);
    }
    info!(queries = count, changed, "the live queries are read again");
    Vec::new()
}
