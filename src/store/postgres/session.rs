//! What a transaction says of its session before it asks: everything that could change an answer, every time.
//!
//! Behind a transaction pooler the server connection was somebody else's a moment ago, and what they set, or the tables
//! they made for themselves, is still there. It is set aside for one transaction and is as it was afterwards.
//! Must not know what is asked.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::order;

/// Statements with which [`SessionSettings::begin_reading`] begins a transaction.
pub(super) const OPENING: usize = 12;
/// Ends what [`SessionSettings::begin_reading`] began: others find their settings as they left them, and nothing is counted as
/// rolled back.
pub(super) const END_READING: &str = "ROLLBACK TO SAVEPOINT pulso; COMMIT";
/// Statements of [`END_READING`].
pub(super) const CLOSING: usize = 2;

/// The connection's own role and path: a role's, a database's, or the URL's.
const OWN_ROLE: &str = "SET LOCAL session_authorization TO DEFAULT; SET LOCAL role TO DEFAULT";
/// Every statement sees its own moment, or all of a transaction the same.
const EACH: &str = "READ COMMITTED";
const ONE: &str = "REPEATABLE READ";
const PATH_NOW: &str = "pg_catalog.current_setting('search_path')";

/// How the sessions of this store are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionSettings {
    zone: String,
    /// The path as an expression, where the URL names one.
    path: Option<String>,
    /// What begins a transaction that only reads, but for the time that a statement has: each at its own moment, or all at one.
    each: String,
    one: String,
    begin_reading: Arc<str>,
}

impl SessionSettings {
    /// Sessions of the business whose clocks are in `zone`.
    /// `search_path`: as the URL names it.
    pub(super) fn new(zone: &TimeZone, search_path: Option<&str>, statement_timeout: Duration) -> Self {
        // No zone's name holds a quote.
        let zone = zone.iana_name().filter(|name| !name.contains(['\'', '\\'])).unwrap_or("UTC").to_owned();
        let path = search_path.map(|path| format!("E'{}'", path.replace('\\', r"\\").replace('\'', "''")));
        let [each, one] = [EACH, ONE].map(|moment| begin_reading(moment, &zone, path.as_deref()));
        let begin_reading = within(&each, statement_timeout).into();
        Self { zone, path, each, one, begin_reading }
    }

    pub(super) fn zone(&self) -> &str {
        &self.zone
    }

    /// Begins a transaction that only reads; [`END_READING`] ends it.
    pub(super) fn begin_reading(&self) -> Arc<str> {
        Arc::clone(&self.begin_reading)
    }

    /// The same with a time of its own for each statement.
    pub(super) fn begin_reading_within(&self, statement_timeout: Duration) -> String {
        within(&self.each, statement_timeout)
    }

    /// The same with one moment for all statements; a statement more, the last, says which.
    pub(super) fn begin_ordered(&self, statement_timeout: Duration) -> String {
        let mut begin = within(&self.one, statement_timeout);
        begin.push_str("; ");
        begin.push_str(order::COMPLETED);
        begin
    }

    /// Begins a transaction that writes, into tables of our own, and that a COMMIT ends. So nothing can be set aside but
    /// by name: what tells which tables they are, who writes, and how long that may take.
    pub(super) fn begin_writing(&self, statement_timeout: Duration) -> String {
        let path = self.path.as_ref().map_or_else(String::new, |path| set("search_path", path));
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {OWN_ROLE}; SET LOCAL search_path TO DEFAULT; {path}\
             SET LOCAL client_encoding = UTF8; SET LOCAL row_security TO DEFAULT; SET LOCAL lock_timeout TO DEFAULT; \
             SET LOCAL synchronous_commit TO DEFAULT; SET LOCAL default_tablespace TO DEFAULT; \
             SET LOCAL default_table_access_method TO DEFAULT; SET LOCAL statement_timeout = {}",
            statement_timeout.as_millis().max(1)
        )
    }
}

fn begin_reading(moment: &str, zone: &str, path: Option<&str>) -> String {
    // Tables that somebody made for a session alone would come first, if they did not come last.
    let path = path.unwrap_or(PATH_NOW);
    let path = set("search_path", &format!("pg_catalog.ltrim(pg_catalog.concat({path}, ', pg_temp'), ', ')"));
    format!(
        "BEGIN ISOLATION LEVEL {moment} READ ONLY; SAVEPOINT pulso; RESET ALL; {OWN_ROLE}; {path}\
         SET LOCAL client_encoding = UTF8; SET LOCAL DateStyle = ISO, MDY; SET LOCAL IntervalStyle = iso_8601; \
         SET LOCAL extra_float_digits = 1; SET LOCAL TimeZone = '{zone}'; \
         SET LOCAL statement_timeout = "
    )
}

/// With the time that a statement has, and room for one.
fn within(begin_reading: &str, statement_timeout: Duration) -> String {
    const ROOM: usize = 1_024;
    let time = u64::try_from(statement_timeout.as_millis().max(1)).unwrap_or(u64::MAX);
    let mut text = String::with_capacity(begin_reading.len() + ROOM);
    text.push_str(begin_reading);
    text.push_str(&time.to_string());
    text
}

/// For the transaction alone.
fn set(setting: &str, expression: &str) -> String {
    format!("SELECT pg_catalog.set_config('{setting}', {expression}, true); ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statements_that_open_and_close_are_counted_right() {
        let session = SessionSettings::new(&TimeZone::UTC, None, Duration::from_secs(3));
        let (opening, ordered) = (session.begin_reading(), session.begin_ordered(Duration::from_secs(3)));
        assert_eq!(opening.split("; ").count(), OPENING, "{opening}");
        assert_eq!(ordered.split("; ").count(), OPENING + 1, "{ordered}");
        assert_eq!(END_READING.split("; ").count(), CLOSING);
    }

    #[test]
    fn a_path_of_the_url_is_one_text_whatever_it_holds() {
        let session = SessionSettings::new(&TimeZone::UTC, Some(r#""it's \ mine", public"#), Duration::from_secs(3));
        assert!(session.begin_reading().contains(r#"(E'"it''s \\ mine", public', ', pg_temp')"#));
        let writing = session.begin_writing(Duration::from_secs(3));
        assert!(
            writing.contains(r#"set_config('search_path', E'"it''s \\ mine", public', true); SET LOCAL"#),
            "{writing}"
        );
    }
}
