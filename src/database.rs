//! The store as the rest of Pulso may use it: never more queries at once than connections, none while the breaker is
//! open, and one place that knows whether the database is there.
//!
//! Must not know what is asked, nor what becomes of an answer.

mod breaker;
mod down;
mod lanes;
mod live;
mod outbox;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::DatabaseConfig;
use crate::model::{Device, Ownership};
use crate::model::{IdType, NegocioId};
use crate::store::{ContactError, Counted, Store, StoreError};
use crate::telemetry::metrics::Metrics;

use breaker::Breaker;
use lanes::Lanes;
pub use outbox::NotKept;

pub use down::{Down, DownWord};

/// How often a database that is not there is tried.
const RETRY: Duration = Duration::from_secs(1);
/// Silence after which a database that should be there is pinged.
const PING_AFTER: Duration = Duration::from_secs(5);
/// Between two attempts at contact, however loud the trouble.
const BREATH: Duration = Duration::from_millis(250);
/// Beyond the store's own time-outs: nothing may hang whatever a driver does.
const BEYOND: Duration = Duration::from_millis(750);

/// The guarded store.
pub struct Database {
    store: Arc<dyn Store>,
    permits: Arc<Semaphore>,
    lanes: Lanes,
    breaker: Mutex<Breaker>,
    state: watch::Sender<State>,
    /// Wakes the monitor before its time.
    trouble: Notify,
    /// A query was refused: the tables may have changed since the last contact.
    is_doubted: AtomicBool,
    last_answer: Mutex<Instant>,
    longest_call: Duration,
    orders_reads: bool,
    /// What the log was told is refused, until it is not any more.
    told: Mutex<HashMap<Matter, String>>,
    metrics: Arc<Metrics>,
}

/// Whether the database is there.
#[derive(Clone, Debug)]
pub struct State {
    /// Known from the first contact on; it stays known through an outage.
    pub id_type: Option<IdType>,
    /// Grows whenever contact is made after an outage: what was read before may be outdated.
    pub contacts: u64,
    /// Why questions are not answered just now.
    pub down: Option<Down>,
}

/// Who is waiting for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A caller: it may probe a database that is thought to be down.
    Live,
    /// Nobody in particular: while the breaker is open it is refused at once.
    Background,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Matter {
    /// What contact looks for: a refusal makes it look again.
    Figures,
    /// What some feeds do without: that it is refused says nothing of the database.
    Ownership,
    Devices,
    /// One of the operator's live queries; who may watch it.
    Live,
    /// Pulso's own tables.
    Outbox,
}

/// Leave to put one question. Holds one of the connections' permits.
#[derive(Debug)]
pub struct Admission<'a> {
    database: &'a Database,
    _passage: Passage<'a>,
    _permit: OwnedSemaphorePermit,
    /// Of a live query's own line.
    _turn: Option<OwnedSemaphorePermit>,
}

/// Leave to get past the breaker; a probe makes room for the next one when it is dropped.
#[derive(Debug)]
struct Passage<'a> {
    database: &'a Database,
    is_probe: bool,
}

impl Database {
    pub fn new(store: Arc<dyn Store>, config: &DatabaseConfig, metrics: Arc<Metrics>) -> Self {
        let waiting = State { id_type: None, contacts: 0, down: Some(Down::starting()) };
        Self {
            store,
            permits: Arc::new(Semaphore::new(config.max_connections as usize)),
            lanes: Lanes::new(config.max_connections as usize),
            breaker: Mutex::default(),
            state: watch::Sender::new(waiting),
            trouble: Notify::new(),
            is_doubted: AtomicBool::new(false),
            last_answer: Mutex::new(Instant::now()),
            orders_reads: config.orders_reads,
            longest_call: config.connect_timeout + config.statement_timeout + BEYOND,
            told: Mutex::default(),
            metrics,
        }
    }

    /// Follows whether the database is there.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub fn id_type(&self) -> Option<IdType> {
        self.state.borrow().id_type
    }

    /// Waits for a connection's turn. Fails at once while the breaker is open, unless this is the one live caller that
    /// probes.
    pub async fn admit(&self, urgency: Urgency) -> Result<Admission<'_>, StoreError> {
        self.admit_with(urgency, None).await
    }

    async fn admit_with(
        &self,
        urgency: Urgency,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<Admission<'_>, StoreError> {
        let passage = self.pass(urgency)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Unreachable("shutting down".to_owned()))?;
        // Once more: the breaker may have opened while this call stood in the queue.
        let passage = if passage.is_probe { passage } else { self.pass(urgency)? };
        Ok(Admission { database: self, _passage: passage, _permit: permit, _turn: turn })
    }

    fn pass(&self, urgency: Urgency) -> Result<Passage<'_>, StoreError> {
        match self.breaker().pass(urgency) {
            Some(passage) => Ok(Passage { database: self, is_probe: passage == breaker::Verdict::Probe }),
            None => Err(StoreError::Unreachable("the circuit breaker is open".to_owned())),
        }
    }

    /// How many businesses' figures may be asked for at once.
    pub fn most_at_once(&self) -> usize {
        self.store.most_at_once()
    }

    /// Whether a read is to say where it stands among others.
    pub fn orders_reads(&self) -> bool {
        self.orders_reads
    }

    /// Those of `asked` that hold.
    pub async fn owners(&self, asked: &[Ownership]) -> Result<HashSet<Ownership>, StoreError> {
        let admission = self.admit(Urgency::Background).await?;
        self.metrics.ownership_queries.inc();
        self.metrics.ownership_pairs.inc_by(asked.len() as u64);
        admission.put(Matter::Ownership, self.store.owners(asked)).await
    }

    /// The devices that have one of these names or ids.
    pub async fn devices(&self, uids: &[String], ids: &[String]) -> Result<Vec<Device>, StoreError> {
        self.admit(Urgency::Background).await?.put(Matter::Devices, self.store.devices(uids, ids)).await
    }

    /// Makes contact, and again after every outage, until stopped. A query file that is wrong when the first contact
    /// succeeds in connecting ends it with the reason: the operator must mend that.
    pub async fn monitor(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let is_doubted = self.is_doubted.swap(false, Ordering::Relaxed);
            let pause = if is_doubted || self.is_down() {
                if self.contact().await.is_ok() { PING_AFTER } else { RETRY }
            } else {
                self.ping_if_silent().await;
                if self.is_down() { RETRY } else { PING_AFTER }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => {}
                () = self.trouble.notified() => sleep(BREATH).await,
            }
        }
    }

    /// One attempt at contact: the type of the id column, and whether the query files do what they must.
    pub async fn contact(&self) -> Result<IdType, ContactError> {
        let answer = match timeout(self.longest_call, self.store.contact()).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::TimedOut("no contact in time".to_owned()).into()),
        };
        match &answer {
            Ok(id_type) => self.note_up(*id_type),
            Err(failure) => {
                if matches!(failure, ContactError::Store(StoreError::Unreachable(_))) {
                    self.note_unreachable();
                }
                self.note_down(failure.into());
            }
        }
        answer
    }

    async fn ping_if_silent(&self) {
        if self.last_answer().elapsed() < PING_AFTER {
            return;
        }
        let Ok(admission) = self.admit(Urgency::Background).await else { return };
        if let Err(failure) = admission.put(Matter::Figures, self.store.ping()).await {
            self.note_down((&failure).into());
        }
    }

    /// Whether questions are known to go unanswered just now.
    pub fn is_down(&self) -> bool {
        self.state.borrow().down.is_some()
    }

    fn note_up(&self, id_type: IdType) {
        self.note_answer();
        self.metrics.database_up.set(1);
        self.state.send_if_modified(|state| {
            let was_down = state.down.take().is_some();
            state.id_type = Some(id_type);
            if was_down {
                info!(?id_type, again = state.contacts > 0, "the database answers");
                state.contacts += 1;
            }
            was_down
        });
    }

    fn note_down(&self, down: Down) {
        self.metrics.database_up.set(0);
        self.state.send_if_modified(|state| {
            let news = state.down.as_ref() != Some(&down);
            if news && down.word == DownWord::WrongQuery {
                error!(reason = down.detail, "a query file must be mended");
            } else if news {
                warn!(reason = down.detail, "the database does not answer");
            }
            state.down = Some(down);
            news
        });
    }

    /// A statement was answered, well or badly: the connection works.
    fn note_answer(&self) {
        *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if self.breaker().close() {
            self.metrics.breaker_open.set(0);
            info!("the circuit breaker is closed");
        }
    }

    /// What is refused for ever is said when it begins to be.
    fn tell_once(&self, matter: Matter, failure: Option<&StoreError>) {
        let (what, variable) = match matter {
            Matter::Ownership => ("ownership", "OWNER_SQL"),
            Matter::Devices => ("devices", "DEVICE_SQL"),
            Matter::Figures | Matter::Live | Matter::Outbox => return,
        };
        let reason = match failure {
            None => None,
            Some(StoreError::Refused(reason)) => Some(reason),
            Some(_) => return,
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) if told.get(&matter) != Some(reason) => {
                warn!(reason, "{what} cannot be looked up: see {variable}");
                told.insert(matter, reason.clone());
            }
            None if told.remove(&matter).is_some() => info!("{what} can be looked up again"),
            _ => {}
        }
    }

    fn note_unreachable(&self) {
        if self.breaker().count_failure() {
            self.metrics.breaker_open.set(1);
            self.metrics.breaker_opened.inc();
            warn!("the circuit breaker is open: no query is tried until the database is back");
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_answer(&self) -> Instant {
        *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission<'_> {
    /// The figures of businesses, at most [`Database::most_at_once`], on their day `today`.
    pub async fn figures(self, negocios: &[NegocioId], today: Date) -> Result<Vec<Counted>, StoreError> {
        let (store, metrics) = (Arc::clone(&self.database.store), Arc::clone(&self.database.metrics));
        let answer = self.put(Matter::Figures, store.figures_of(negocios, today)).await;
        metrics.rollup_used.set(store.reads_rollup().into());
        answer
    }

    /// As [`Self::figures`], from the appointments themselves whatever is read otherwise.
    pub async fn verified_figures(self, negocio: &NegocioId, today: Date) -> Result<Counted, StoreError> {
        let (store, metrics) = (Arc::clone(&self.database.store), Arc::clone(&self.database.metrics));
        let answer = self.put(Matter::Figures, store.verified_figures(negocio, today)).await;
        if answer.as_ref().is_ok_and(|verified| verified.drifted) {
            metrics.rollup_drift.inc();
        }
        metrics.rollup_used.set(store.reads_rollup().into());
        answer
    }

    async fn put<T>(
        self,
        matter: Matter,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let database = self.database;
        let answer = match timeout(database.longest_call, question).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::TimedOut("no answer in time".to_owned())),
        };
        match &answer {
            Err(StoreError::Refused(_) | StoreError::Data(_) | StoreError::Unsendable(_))
                if matter != Matter::Figures =>
            {
                database.note_answer();
            }
            Ok(_) | Err(StoreError::Refused(_) | StoreError::Data(_) | StoreError::Unsendable(_)) => {
                database.note_answer();
                if answer.is_err() {
                    database.is_doubted.store(true, Ordering::Relaxed);
                }
                if answer.is_err() || database.is_down() {
                    // Back before the monitor looked, or not as it was: let it make contact now.
                    database.trouble.notify_one();
                }
            }
            Err(failure @ StoreError::Unreachable(_)) => {
                database.note_unreachable();
                database.note_down(failure.into());
                database.trouble.notify_one();
            }
            Err(StoreError::TimedOut(_)) => {}
        }
        database.tell_once(matter, answer.as_ref().err());
        answer
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.database.breaker().probe_ended();
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("state", &*self.state.borrow()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
