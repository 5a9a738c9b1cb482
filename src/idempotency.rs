//! Answers that carry an `Idempotency-Key`: each has its effect once, and every repetition gets the first answer.
//!
//! Remembered in memory, and in the database where `pulso migrate` has made the tables. Must not know what a call does.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::database::Database;
use crate::model::{Answered, Once};
use crate::store::StoreError;
use crate::store::outbox::PRUNED_AT_ONCE;

/// How long an answer is remembered.
pub const REMEMBERED_FOR: Duration = Duration::from_hours(24);
/// Answers remembered at most; beyond them the oldest is forgotten.
pub const REMEMBERED: u32 = 100_000;
/// How often a database without the tables is asked whether it has them now.
const RECHECK: Duration = Duration::from_secs(10);
/// How often the database forgets what is too old.
const PRUNE: Duration = Duration::from_mins(10);

/// What has been answered.
#[derive(Debug)]
pub struct Idempotency {
    answers: Arc<Answers>,
    /// Only where the feed that has tables is on.
    database: Option<Arc<Database>>,
    without_tables_until: Mutex<Option<Instant>>,
}

/// A path and a key.
type Name = (String, String);

/// The calls that this node knows of.
#[derive(Debug, Default)]
pub struct Answers(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    calls: HashMap<Name, Call>,
    /// The answered ones, oldest first.
    order: VecDeque<(Instant, Name)>,
}

#[derive(Debug)]
enum Call {
    /// The channel closes when it has an answer or is given up.
    UnderWay(watch::Receiver<()>),
    Answered(Answered),
}

/// Whose turn it is.
#[derive(Debug)]
pub enum Turn {
    /// The first call of its key, which has to be finished.
    First(Ticket),
    Repeated(Answered),
}

/// The right to have an effect. Dropped unfinished, it lets the next call have it.
#[derive(Debug)]
pub struct Ticket {
    answers: Arc<Answers>,
    name: Name,
    is_durable: bool,
    _under_way: watch::Sender<()>,
}

/// Whether the call was answered before cannot be known just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("whether this call was answered before cannot be known just now")]
pub struct CannotKnow;

impl Idempotency {
    /// `database`: where answers are kept as well, once it has the tables.
    pub fn new(database: Option<Arc<Database>>) -> Self {
        Self { answers: Arc::default(), database, without_tables_until: Mutex::new(None) }
    }

    /// For whoever hears of calls that other nodes have answered.
    pub fn answers(&self) -> &Arc<Answers> {
        &self.answers
    }

    /// Waits for an earlier call of the same key, if one is under way.
    pub async fn begin(&self, path: &str, key: &str) -> Result<Turn, CannotKnow> {
        let name = (path.to_owned(), key.to_owned());
        let mut ticket = loop {
            let mut under_way = {
                let mut book = self.answers.lock();
                book.forget_old();
                match book.calls.get(&name) {
                    Some(Call::Answered(answered)) => return Ok(Turn::Repeated(answered.clone())),
                    Some(Call::UnderWay(under_way)) => under_way.clone(),
                    None => {
                        let (sender, receiver) = watch::channel(());
                        book.calls.insert(name.clone(), Call::UnderWay(receiver));
                        let answers = Arc::clone(&self.answers);
                        break Ticket { answers, name, is_durable: false, _under_way: sender };
                    }
                }
            };
            // An error means that it is over.
            let _ = under_way.changed().await;
        };
        match self.recall(&ticket.name).await? {
            Recalled::Answered(answered) => {
                ticket.settle(&answered);
                Ok(Turn::Repeated(answered))
            }
            Recalled::Nothing => {
                ticket.is_durable = true;
                Ok(Turn::First(ticket))
            }
            Recalled::NoTables => Ok(Turn::First(ticket)),
        }
    }

    /// Remembers the answer of a call that is settled in the database as well, where it has the tables.
    #[must_use]
    pub fn finish(&self, ticket: Ticket, answered: Answered) -> Option<impl Future<Output = ()> + Send + use<>> {
        let once = ticket.once(answered);
        let database = self.database.clone().filter(|_| ticket.is_durable)?;
        // Who waits for this call has its answer.
        drop(ticket);
        Some(async move {
            if let Err(failure) = database.remember(&once).await {
                warn!(%failure, "the answer to a call is remembered in memory only");
            }
        })
    }

    async fn recall(&self, name: &Name) -> Result<Recalled, CannotKnow> {
        let Some(database) = &self.database else { return Ok(Recalled::NoTables) };
        if self.without_tables().is_some_and(|until| until > Instant::now()) {
            return Ok(Recalled::NoTables);
        }
        let (path, key) = name;
        match database.recall(path, key, REMEMBERED_FOR).await {
            Ok(Some(answered)) => Ok(Recalled::Answered(answered)),
            Ok(None) => Ok(Recalled::Nothing),
            Err(StoreError::Refused(_)) if database.is_migrated().await == Ok(false) => {
                *self.without_tables() = Some(Instant::now() + RECHECK);
                Ok(Recalled::NoTables)
            }
            Err(failure) => {
                debug!(%failure, "cannot know whether a call was answered before");
                Err(CannotKnow)
            }
        }
    }

    /// Keeps the database's memory within its bounds until stopped.
    pub async fn keep_bounds(self: Arc<Self>, stop: CancellationToken) {
        let Some(database) = &self.database else { return stop.cancelled().await };
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(PRUNE) => {}
            }
            // Without the tables, or without the database, there is nothing to forget.
            while database.prune(REMEMBERED_FOR, REMEMBERED).await.is_ok_and(|many| many >= u64::from(PRUNED_AT_ONCE)) {
            }
        }
    }

    fn without_tables(&self) -> MutexGuard<'_, Option<Instant>> {
        self.without_tables_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Recalled {
    Answered(Answered),
    Nothing,
    NoTables,
}

impl Ticket {
    /// For a store that keeps the answer together with the effect.
    pub fn once(&self, answered: Answered) -> Once {
        let (path, key) = self.name.clone();
        Once { path, key, answered, max_age: REMEMBERED_FOR }
    }

    /// Remembers the answer at once, so that this process does not do it twice whatever happens to the rest.
    pub fn settle(&self, answered: &Answered) {
        self.answers.lock().settle(self.name.clone(), answered);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut book = self.answers.lock();
        if matches!(book.calls.get(&self.name), Some(Call::UnderWay(_))) {
            book.calls.remove(&self.name);
        }
    }
}

impl Answers {
    /// A call had its effect, on whatever node; the first answer counts.
    pub(crate) fn note(&self, path: &str, key: &str, answered: &Answered) {
        self.lock().settle((path.to_owned(), key.to_owned()), answered);
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn settle(&mut self, name: Name, answered: &Answered) {
        if matches!(self.calls.get(&name), Some(Call::Answered(_))) {
            return;
        }
        self.calls.insert(name.clone(), Call::Answered(answered.clone()));
        self.order.push_back((Instant::now(), name));
        self.forget_old();
    }

    fn forget_old(&mut self) {
        while let Some((since, name)) = self.order.front() {
            if self.order.len() <= REMEMBERED as usize && since.elapsed() < REMEMBERED_FOR {
                return;
            }
            self.calls.remove(name);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
