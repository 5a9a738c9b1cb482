//! From a `postgres://` URL to connections that are right behind every pooler: which servers, and which of them is taken.
//!
//! Must not repeat any part of the URL in an error: a password with an unescaped `/` or `?` lands anywhere in it.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::failure;
use crate::config::{PostgresUrl, Secret, SessionAttrs, UrlProblem};
use crate::store::{SettingError, StoreError};

/// What a server says of itself to who wants one of several.
const ATTRS: &str = "
    SELECT pg_catalog.pg_is_in_recovery() AS is_standby,
           pg_catalog.current_setting('default_transaction_read_only'::text) = 'on'::text AS is_read_only";

/// The servers that a URL names.
#[derive(Clone, Debug)]
pub(in crate::store) struct Servers {
    /// In the order in which they are tried.
    each: Vec<PgConnectOptions>,
    wanted: SessionAttrs,
    search_path: Option<String>,
}

impl Servers {
    /// Reads `url`, the value of `variable`.
    pub(crate) fn parse(url: &Secret, variable: &'static str) -> Result<Self, SettingError> {
        let refuse = |UrlProblem { problem, remedy }| SettingError { variable, reason: format!("{problem}. {remedy}") };
        let PostgresUrl { hosts, wanted, search_path, .. } = PostgresUrl::parse(url.expose()).map_err(refuse)?;
        let each: Result<Vec<_>, _> = hosts.iter().map(server).collect();
        let unusable = |_| SettingError { variable, reason: "the driver cannot use its parameters".to_owned() };
        Ok(Self { each: each.map_err(unusable)?, wanted, search_path })
    }

    /// What the URL wants `search_path` to be, as that setting is written.
    pub(crate) fn search_path(&self) -> Option<&str> {
        self.search_path.as_deref()
    }

    /// Where they are, for messages.
    pub(crate) fn address(&self) -> String {
        self.each.iter().map(address).collect::<Vec<_>>().join(", ")
    }

    /// Whether each one's certificate is checked, or it is this machine.
    pub(crate) fn are_verified_or_local(&self) -> bool {
        self.each.iter().all(is_verified_or_local)
    }

    /// A connection to the first that answers and is what is wanted, and how it was reached. Each has a share of `limit`,
    /// so that one that is silent leaves time for the others.
    pub(crate) async fn connect(&self, limit: Duration) -> Result<(PgConnection, &PgConnectOptions), StoreError> {
        let deadline = Instant::now() + limit;
        let mut troubles = Vec::new();
        let mut second_best = None;
        for (tried, options) in self.each.iter().enumerate() {
            let left = u32::try_from(self.each.len() - tried).unwrap_or(u32::MAX);
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            match timeout(share, self.try_one(options)).await {
                Ok(Ok((connection, true))) => return Ok((connection, options)),
                Ok(Ok((connection, false))) if self.wanted == SessionAttrs::PreferStandby => {
                    second_best.get_or_insert((connection, options));
                }
                Ok(Ok((connection, false))) => {
                    // Said in order, if there is time.
                    let _ = timeout(share, connection.close()).await;
                    troubles.push(format!("{}: it is not what target_session_attrs asks for", address(options)));
                }
                Ok(Err(error)) => match failure::of_connecting(&error, &address(options)) {
                    StoreError::Unreachable(reason) => troubles.push(reason),
                    other => troubles.push(other.to_string()),
                },
                Err(_) => troubles.push(format!("{}: no answer within {share:?}", address(options))),
            }
            if let Some(trouble) = troubles.last().filter(|_| left > 1) {
                debug!(trouble, "trying the next host of the URL");
            }
        }
        second_best.ok_or_else(|| StoreError::Unreachable(troubles.join("; ")))
    }

    /// A connection, and whether it is what is wanted.
    async fn try_one(&self, options: &PgConnectOptions) -> Result<(PgConnection, bool), sqlx::Error> {
        let mut connection = PgConnection::connect_with(options).await?;
        if self.wanted == SessionAttrs::Any {
            return Ok((connection, true));
        }
        let row = connection.fetch_one(ATTRS).await?;
        let is_standby: bool = row.try_get("is_standby")?;
        let is_read_only = is_standby || row.try_get("is_read_only")?;
        let fits = match self.wanted {
            SessionAttrs::Any => true,
            SessionAttrs::ReadWrite => !is_read_only,
            SessionAttrs::ReadOnly => is_read_only,
            SessionAttrs::Primary => !is_standby,
            SessionAttrs::Standby | SessionAttrs::PreferStandby => is_standby,
        };
        Ok((connection, fits))
    }
}

fn server(url: &Secret) -> Result<PgConnectOptions, sqlx::Error> {
    let options: PgConnectOptions = url.expose().parse()?;
    let named = options.get_application_name().is_some();
    let options = if named { options } else { options.application_name("pulso") };
    Ok(options
        // A start-up parameter that pgbouncer refuses.
        .extra_float_digits(None)
        // Named statements of two clients collide behind a transaction pooler.
        .statement_cache_capacity(0)
        .disable_statement_logging())
}

fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None if options.get_host().contains(':') => format!("[{}]:{}", options.get_host(), options.get_port()),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

fn is_verified_or_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    matches!(options.get_ssl_mode(), PgSslMode::VerifyFull | PgSslMode::VerifyCa)
        || options.get_socket().is_some()
        || host.starts_with('/')
        || matches!(host, "localhost" | "127.0.0.1" | "::1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_reads_what_the_url_names() {
        let read = |url: &str| Servers::parse(&Secret::new(url), "DATABASE_URL").unwrap();
        let servers =
            read("postgresql://ana:a%40b@db:6543,[::1]/citas?pgbouncer=true&connection_limit=1&sslmode=require");
        assert_eq!(servers.address(), "db:6543, [::1]:5432");
        assert!(matches!(servers.each[0].get_ssl_mode(), PgSslMode::Require));
        assert_eq!(servers.each[0].get_application_name(), Some("pulso"));
        assert_eq!((servers.each[0].get_username(), servers.each[0].get_database()), ("ana", Some("citas")));
        assert_eq!(servers.each[1].get_host(), "::1");
        assert!(!servers.are_verified_or_local());
        assert_eq!(read("postgres://a:b@/n?host=/run/pg&schema=app").search_path(), Some("\"app\""));
        assert_eq!(read("postgres://a:b@/n?host=/run/pg").address(), "/run/pg");
    }
}
