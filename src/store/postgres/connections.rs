//! The open connections that wait for their next query.
//!
//! Not the driver's own pool, which repeats a refused connect until its timeout and then hides the reason, asks every
//! returned connection a question (for ever, if the line is dead), and cannot hand out a connection that is certainly
//! new. Here a connection comes back only by [`Lease::keep`]: whatever else ends a lease closes it.
//! Must not know SQL.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, timeout};

use super::{failure, options};
use crate::store::StoreError;

/// Younger than the idle limit of the NATs and load balancers that drop connections without a word.
const MAX_IDLE: Duration = Duration::from_mins(4);
/// So that a moved server (DNS) is found without a restart.
const MAX_AGE: Duration = Duration::from_mins(30);

/// The newest is used first, so that those not needed grow old and are closed.
pub(super) struct Connections {
    options: PgConnectOptions,
    connect_timeout: Duration,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: PgConnection,
    born: Instant,
    since: Instant,
}

/// A connection in use. Dropping it closes the connection.
pub(super) struct Lease<'a> {
    pub connection: PgConnection,
    born: Instant,
    home: &'a Connections,
}

impl Connections {
    pub fn new(options: PgConnectOptions, connect_timeout: Duration) -> Self {
        Self { options, connect_timeout, idle: Mutex::default() }
    }

    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// One that was used before, if any waits. It may have died since.
    pub fn reuse(&self) -> Option<Lease<'_>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|one| one.since.elapsed() < MAX_IDLE && one.born.elapsed() < MAX_AGE);
        idle.pop().map(|Idle { connection, born, .. }| Lease { connection, born, home: self })
    }

    /// A new one, within the connect timeout.
    pub async fn fresh(&self) -> Result<Lease<'_>, StoreError> {
        let address = || options::address(&self.options);
        let connected = timeout(self.connect_timeout, PgConnection::connect_with(&self.options)).await;
        match connected {
            Ok(Ok(connection)) => Ok(Lease { connection, born: Instant::now(), home: self }),
            Ok(Err(error)) => Err(failure::of_connecting(&error, &address())),
            Err(_) => {
                Err(StoreError::Unreachable(format!("{}: no answer within {:?}", address(), self.connect_timeout)))
            }
        }
    }

    /// Closes those that wait: one died or hung, so the others are no better.
    pub fn clear(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Lease<'_> {
    /// Gives the connection back. Only for one that has answered everything it was asked.
    pub fn keep(self) {
        let idle = Idle { connection: self.connection, born: self.born, since: Instant::now() };
        self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }
}
