//! `DATABASE_URL`, `DB_*`, the query files, `LISTEN_*` and `HINTS_CHANNEL`. A DSN is never quoted: it may hold a password.

use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;

use crate::config::defaults::HINTS_CHANNEL;
use crate::config::reader::{Reader, quote};
use crate::config::{DatabaseConfig, DatabaseUrl, ListenSource, PostgresUrl, Secret, StatsSource, UrlProblem};

const FORMS: &str = "Write postgres://user:password@host:port/database or sqlite://path";
/// `None` if a mistake was reported and no setting can stand in.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<DatabaseConfig> {
    let secret = reader.secret("DATABASE_URL");
    if secret.is_none() {
        reader.mistake("DATABASE_URL", "it is not set", FORMS);
    }
    let url = secret.and_then(|url| parse_url(reader, "DATABASE_URL", url));
    let default = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new("")));
    let time = super::MILLIS_100..=Duration::from_mins(1);
    let max_connections = reader.number("DB_MAX_CONNECTIONS", default.max_connections, 1..=1_000);
    let connect_timeout = reader.duration("DB_CONNECT_TIMEOUT", default.connect_timeout, time.clone());
    let statement_timeout = reader.duration("DB_STATEMENT_TIMEOUT", default.statement_timeout, time);
    let stats_sql = query_file(reader, "STATS_SQL");
    let stats_source = stats_source(reader, default.stats_source, url.as_ref(), stats_sql.is_some());
    let owner_sql = query_file(reader, "OWNER_SQL");
    let device_sql = query_file(reader, "DEVICE_SQL");
    let (listen, hints) = ears(reader, url.as_ref());
    Some(DatabaseConfig {
        url: url?,
        max_connections,
        connect_timeout,
        statement_timeout,
        stats_sql,
        stats_source,
        owner_sql,
        device_sql,
        listen,
        hints,
        asks_figures: default.asks_figures,
        asks_devices: default.asks_devices,
        keeps_outbox: default.keeps_outbox,
        asks_ownership: default.asks_ownership,
        orders_reads: default.orders_reads,
        zone: default.zone,
    })
}

fn parse_url(reader: &mut Reader<'_>, variable: &str, secret: Secret) -> Option<DatabaseUrl> {
    let text = secret.expose();
    if text.trim() != text {
        reader.mistake(variable, "it begins or ends with white space", "Remove the white space");
        return None;
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("postgres" | "postgresql") => {
            if let Some((problem, remedy)) = postgres_problem(text) {
                reader.mistake(variable, problem, remedy);
                return None;
            }
            Some(DatabaseUrl::Postgres(secret))
        }
        Some("sqlite") => {
            let problem = match SqliteConnectOptions::from_str(text) {
                // SQLite takes it for a database of its own, which is gone when it is closed.
                Ok(options) if options.get_filename().as_os_str().is_empty() => "it names no file",
                Ok(_) => return Some(DatabaseUrl::Sqlite(secret)),
                Err(_) => "it is not a valid sqlite URL",
            };
            let remedy = "Write sqlite://path; the parameters are mode=ro|rw|rwc|memory, cache, immutable and vfs";
            reader.mistake(variable, problem, remedy);
            None
        }
        _ => {
            reader.mistake(variable, "it does not begin with postgres://, postgresql:// or sqlite://", FORMS);
            None
        }
    }
}

/// What is wrong with a Postgres URL and how to mend it, without any part of the URL that could be a secret.
fn postgres_problem(text: &str) -> Option<(String, String)> {
    let url = match PostgresUrl::parse(text) {
        Ok(url) => url,
        Err(UrlProblem { problem, remedy }) => return Some((problem, remedy)),
    };
    let is_readable = |value: &str| value.contains("-----BEGIN") || File::open(value).is_ok();
    let unreadable = url.files.iter().find(|(_, file)| !is_readable(file));
    unreadable
        .map(|(name, _)| (format!("the file in its {name} cannot be read"), "Name a readable PEM file".to_owned()))
}

pub(super) fn query_file(reader: &mut Reader<'_>, variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(reader.text(variable)?);
    let opened = File::open(&path).and_then(|file| file.metadata());
    let problem = match opened {
        Ok(metadata) if metadata.is_file() => return Some(path),
        Ok(_) => "is not a file".to_owned(),
        Err(error) => format!("cannot be read ({})", error.kind()),
    };
    let shown = quote(&path.to_string_lossy());
    reader.mistake(variable, format!("{shown} {problem}"), "Name a readable file with one SQL query");
    None
}

/// The counters are those of the shipped query, kept by PostgreSQL's triggers.
fn stats_source(
    reader: &mut Reader<'_>,
    default: StatsSource,
    database: Option<&DatabaseUrl>,
    has_own_query: bool,
) -> StatsSource {
    let words = [("query", StatsSource::Query), ("rollup", StatsSource::Rollup)];
    let source = reader.choice("STATS_SOURCE", &words, default);
    if source == StatsSource::Rollup && matches!(database, Some(DatabaseUrl::Sqlite(_))) {
        let problem = "the rollup needs PostgreSQL: on SQLite an INSERT OR REPLACE fires no delete trigger, so that \
                       counters would be wrong without a word";
        reader.mistake("STATS_SOURCE", problem, "Unset it, or use a postgres:// DATABASE_URL");
    }
    if source == StatsSource::Rollup && has_own_query {
        let problem = "the rollup counts for the built-in query, and STATS_SQL names another";
        let remedy = "Unset one of them; counters of your own can be read by your STATS_SQL";
        reader.mistake("STATS_SOURCE", problem, remedy);
    }
    source
}

/// `LISTEN_CHANNEL` and `HINTS_CHANNEL`, and where they are listened to.
fn ears(reader: &mut Reader<'_>, database: Option<&DatabaseUrl>) -> (Option<ListenSource>, Option<ListenSource>) {
    let direct = match reader.secret("LISTEN_DATABASE_URL").map(|url| parse_url(reader, "LISTEN_DATABASE_URL", url)) {
        Some(Some(DatabaseUrl::Sqlite(_))) => {
            reader.mistake("LISTEN_DATABASE_URL", "SQLite has no LISTEN", "Write a postgres:// URL or unset it");
            None
        }
        Some(Some(DatabaseUrl::Postgres(url))) => Some(url),
        _ => None,
    };
    let notices = channel(reader, "LISTEN_CHANNEL", database);
    let hints = channel(reader, "HINTS_CHANNEL", database);
    if direct.is_some() && notices.is_none() && reader.text("QUERIES_DIR").is_none() {
        reader.warn("LISTEN_DATABASE_URL", "has no effect while LISTEN_CHANNEL and QUERIES_DIR are unset");
    }
    let Some(DatabaseUrl::Postgres(url)) = database else { return (None, None) };
    let hints = hints.unwrap_or_else(|| HINTS_CHANNEL.to_owned());
    if notices.as_ref() == Some(&hints) {
        reader.mistake(
            "HINTS_CHANNEL",
            "it is LISTEN_CHANNEL, too",
            "Write another: what is said there is read otherwise",
        );
    }
    let url = direct.unwrap_or_else(|| url.clone());
    let source = |channel| ListenSource { channel, url: url.clone() };
    (notices.map(source), Some(source(hints)))
}

fn channel(reader: &mut Reader<'_>, variable: &str, database: Option<&DatabaseUrl>) -> Option<String> {
    let channel = reader.text(variable)?;
    let mut letters = channel.bytes();
    let valid = letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && channel.len() <= 63;
    if !valid {
        reader.mistake(
            variable,
            format!("{} is not a channel name", quote(&channel)),
            "Write lower-case letters, digits and _, at most 63, such as pulso_citas",
        );
    }
    // Hints have a channel whether anybody listens or not; queries that want to hear it say so themselves.
    if variable == "LISTEN_CHANNEL" && matches!(database, Some(DatabaseUrl::Sqlite(_))) {
        reader.mistake(variable, "SQLite has no LISTEN", "Unset it, or use a postgres:// DATABASE_URL");
    }
    Some(channel)
}
