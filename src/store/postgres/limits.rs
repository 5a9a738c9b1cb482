//! The times that a question has, and the statements that make the server keep to them.
//!
//! Must not ask anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::Instant;

use super::session::{END_READING, SessionSettings};
use crate::config::DatabaseConfig;

/// How much later than the server Pulso itself gives a statement up.
pub(super) const GRACE: Duration = Duration::from_millis(250);

/// The times, and the statements that make the server keep to them.
pub(super) struct Limits {
    pub connect: Duration,
    pub statement: Duration,
    session: SessionSettings,
    /// For a server that does not know the business's zone.
    utc: SessionSettings,
    is_zone_unknown: AtomicBool,
    pub begin_write: Arc<str>,
}

impl Limits {
    /// `search_path`: as the URL names it.
    pub(super) fn new(config: &DatabaseConfig, search_path: Option<&str>) -> Self {
        let (connect, statement) = (config.connect_timeout, config.statement_timeout);
        // An answer promises that the change outlives a crash, whatever the role's setting is. A transaction whose
        // owner is gone without a word must not hold its locks for ever.
        let session = SessionSettings::new(&config.zone, search_path, statement);
        let begin_write = format!(
            "{}; SET LOCAL idle_in_transaction_session_timeout = {}; \
             SELECT pg_catalog.set_config('synchronous_commit', 'on', true) \
              WHERE pg_catalog.current_setting('synchronous_commit') OPERATOR(pg_catalog.=) 'off'",
            session.begin_writing(statement),
            (connect + statement + GRACE).as_millis()
        );
        Self {
            connect,
            statement,
            utc: SessionSettings::new(&TimeZone::UTC, search_path, statement),
            session,
            is_zone_unknown: AtomicBool::new(false),
            begin_write: begin_write.into(),
        }
    }

    /// The business's.
    pub(super) fn zone(&self) -> &str {
        self.session.zone()
    }

    /// True when it has just turned out that the server does not know it.
    pub(super) fn set_zone_unknown(&self, is_unknown: bool) -> bool {
        !self.is_zone_unknown.swap(is_unknown, Ordering::Relaxed) && is_unknown
    }

    pub(super) fn session(&self) -> &SessionSettings {
        if self.is_zone_unknown.load(Ordering::Relaxed) { &self.utc } else { &self.session }
    }

    /// Begins a transaction that writes and may take `time`.
    pub(super) fn begin_writing_within(&self, time: Duration) -> String {
        self.session.begin_writing(time)
    }

    /// Begins a transaction that only reads.
    pub(super) fn begin(&self) -> Arc<str> {
        self.session().begin_reading()
    }

    /// Begins a transaction that reads at one moment, and says which.
    pub(super) fn begin_ordered(&self) -> Arc<str> {
        self.session().begin_ordered(self.statement).into()
    }

    /// One message that asks all of `queries`. Together they get the time of one, so that it is the server whose limit
    /// speaks first.
    pub(super) fn transaction(&self, queries: &[String]) -> String {
        let begin = self.session().begin_reading_within(self.share(queries));
        [&begin, "; ", &queries.join("; "), "; ", END_READING].concat()
    }

    /// The same at one moment; the first answer says which.
    pub(super) fn ordered_transaction(&self, queries: &[String]) -> String {
        let begin = self.session().begin_ordered(self.share(queries));
        [&begin, "; ", &queries.join("; "), "; ", END_READING].concat()
    }

    fn share(&self, queries: &[String]) -> Duration {
        self.statement / u32::try_from(queries.len().max(1)).unwrap_or(u32::MAX)
    }

    /// When a call that begins now is over, whatever happens.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.connect + self.statement + GRACE
    }
}
