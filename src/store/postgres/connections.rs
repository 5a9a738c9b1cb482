//! The open connections, and the places for them: never more than `DB_MAX_CONNECTIONS`, whatever happens to one.
//!
//! A connection takes its place with it, from the attempt to open it until it is closed. Who asks has a turn, of which
//! there are as many: a turn finds a connection that waits, or a place for a new one.
//!
//! Not the driver's own pool, which repeats a refused connect until its timeout and then hides the reason, asks every
//! returned connection a question (for ever, if the line is dead), and cannot hand out a connection that is certainly
//! new. Here a connection comes back only by [`Lease::keep`]: whatever else ends a lease closes it.
//! Must not know SQL.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::options::Servers;
use crate::store::StoreError;

/// Younger than the idle limit of the NATs and load balancers that drop connections without a word.
const MAX_IDLE: Duration = Duration::from_mins(4);
/// So that a moved server (DNS) is found without a restart.
const MAX_AGE: Duration = Duration::from_mins(30);
/// Between our goodbye and the end of the server's process.
const FAREWELL: Duration = Duration::from_millis(20);

/// The newest is used first, so that those not needed grow old and are closed.
pub(super) struct Connections {
    servers: Servers,
    connect_timeout: Duration,
    /// How long an answer may be outstanding on a connection that its user has left.
    patience: Duration,
    turns: Semaphore,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    open: Open,
    since: Instant,
}

/// Leave to use one connection at a time.
pub(super) struct ConnectionPermit<'a> {
    home: &'a Connections,
    _permit: SemaphorePermit<'a>,
}

/// A connection in use. Dropping it closes the connection.
pub(super) struct Lease<'a> {
    open: Open,
    home: &'a Connections,
}

/// A connection and its place. Dropped, it is closed in order, and only then its place is free.
struct Open {
    connection: Option<PgConnection>,
    place: Option<OwnedSemaphorePermit>,
    born: Instant,
    /// The time for the answer that may be outstanding.
    patience: Duration,
}

impl Connections {
    pub(super) fn new(servers: Servers, at_most: u32, connect_timeout: Duration, patience: Duration) -> Self {
        let at_most = usize::try_from(at_most.max(1)).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            servers,
            connect_timeout,
            patience,
            turns: Semaphore::new(at_most),
            places: Arc::new(Semaphore::new(at_most)),
            idle: Mutex::default(),
        }
    }

    pub(super) fn servers(&self) -> &Servers {
        &self.servers
    }

    /// Waits for a turn, as long as for a connection.
    pub(super) async fn turn(&self) -> Result<ConnectionPermit<'_>, StoreError> {
        match timeout(self.connect_timeout, self.turns.acquire()).await {
            Ok(Ok(permit)) => Ok(ConnectionPermit { home: self, _permit: permit }),
            _ => Err(in_use()),
        }
    }

    /// A connection beside those, which nobody counts: for a command that ends.
    pub(super) async fn uncounted(&self) -> Result<PgConnection, StoreError> {
        self.servers.connect(self.connect_timeout).await.map(|(connection, _)| connection)
    }

    /// Closes those that wait: one died or hung, so the others are no better.
    pub(super) fn clear(&self) {
        for idle in mem::take(&mut *self.idle()) {
            idle.open.close();
        }
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        // Those that are not in use wait, or are being closed.
        let oldest = {
            let mut idle = self.idle();
            (!idle.is_empty()).then(|| idle.remove(0))
        };
        if let Some(oldest) = oldest {
            oldest.open.close();
        }
        match timeout(self.connect_timeout, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(in_use()),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> ConnectionPermit<'a> {
    /// One that was used before, if any waits. It may have died since.
    pub(super) fn reuse(&self) -> Option<Lease<'a>> {
        let (found, old) = {
            let mut idle = self.home.idle();
            let is_old = |one: &mut Idle| one.since.elapsed() >= MAX_IDLE || one.open.born.elapsed() >= MAX_AGE;
            let old: Vec<Idle> = idle.extract_if(.., is_old).collect();
            (idle.pop(), old)
        };
        for idle in old {
            idle.open.close();
        }
        found.map(|idle| Lease { open: idle.open, home: self.home })
    }

    /// A new one, within the connect timeout.
    pub(super) async fn fresh(&self) -> Result<Lease<'a>, StoreError> {
        let home = self.home;
        let place = home.place().await?;
        let (servers, limit, patience) = (home.servers.clone(), home.connect_timeout, home.patience);
        // Apart: who asked may leave, and then its place is free only when the server knows.
        let opening = tokio::spawn(async move {
            let (connection, _) = servers.connect(limit).await?;
            Ok(Open { connection: Some(connection), place: Some(place), born: Instant::now(), patience })
        });
        let ended = |_| Err(StoreError::Unreachable("shutting down".to_owned()));
        let open = opening.await.unwrap_or_else(ended)?;
        Ok(Lease { open, home })
    }
}

impl Lease<'_> {
    /// Gives the connection back. Only for one that has answered everything it was asked.
    pub(super) fn keep(self) {
        let Self { open, home } = self;
        home.idle().push(Idle { open, since: Instant::now() });
    }

    /// Gives it back, or closes it.
    pub(super) fn keep_if(self, is_usable: bool) {
        if is_usable {
            self.keep();
        } else {
            self.close();
        }
    }

    /// Gives it back where no other waits, so that one that was opened for a question of its own replaces none.
    pub(super) fn keep_if_none_waits(self) {
        let is_alone = self.home.idle().is_empty();
        self.keep_if(is_alone);
    }

    /// Closes one that has nothing left to say, without waiting for it.
    pub(super) fn close(self) {
        self.open.close();
    }

    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.open.connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)
    }
}

impl Open {
    fn close(mut self) {
        self.patience = Duration::ZERO;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (Some(mut connection), Ok(runtime)) = (self.connection.take(), Handle::try_current()) else { return };
        let (place, patience) = (self.place.take(), self.patience);
        runtime.spawn(async move {
            // A server at work on a question hears nothing else.
            let is_done = patience.is_zero() || matches!(timeout(patience, connection.ping()).await, Ok(Ok(())));
            if is_done && timeout(FAREWELL, connection.close()).await.is_ok() {
                tokio::time::sleep(FAREWELL).await;
            }
            drop(place);
        });
    }
}

fn in_use() -> StoreError {
    StoreError::TimedOut("every connection is in use".to_owned())
}
