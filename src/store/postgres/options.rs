//! From a `postgres://` URL to connect options that are right behind every pooler.
//!
//! Must not repeat any part of the URL in an error: a password with an unescaped `/` or `?` lands anywhere in it.

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::config::Secret;
use crate::store::SettingError;

const ADVICE: &str = "is not a usable PostgreSQL URL; write postgres://user:password@host:5432/database, and \
                      percent-encode special characters of the password (`/` is %2F, `?` is %3F, `#` is %23, `@` is %40)";

/// Parameters of a URL that mean something here.
const KNOWN: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Reads `url`, the value of `variable`.
pub(in crate::store) fn parse(url: &Secret, variable: &'static str) -> Result<PgConnectOptions, SettingError> {
    let refuse = || SettingError { variable, reason: ADVICE.to_owned() };
    let mut url = Url::parse(url.expose()).map_err(|_| refuse())?;
    let credentials_in_query = url.query_pairs().any(|(key, _)| key == "user");
    let stray_at = url.query().is_some_and(|query| query.contains('@')) && url.username().is_empty();
    let scheme = matches!(url.scheme(), "postgres" | "postgresql");
    if !scheme || url.fragment().is_some() || url.path().contains('@') || (stray_at && !credentials_in_query) {
        return Err(refuse());
    }
    let (known, unknown): (Vec<_>, Vec<_>) = url
        .query_pairs()
        .into_owned()
        .partition(|(key, _)| KNOWN.contains(&key.as_str()) || key.starts_with("options["));
    // What other clients take (`pgbouncer=true`) must not stop this one; but a mistyped `sslmode` must be seen.
    if unknown.iter().any(|(key, _)| key.starts_with("ssl")) {
        return Err(SettingError {
            variable,
            reason: format!("has an unknown ssl… parameter; known are {}", KNOWN.join(", ")),
        });
    }
    url.set_query(None);
    if !known.is_empty() {
        url.query_pairs_mut().extend_pairs(known);
    }
    let options: PgConnectOptions = url.as_str().parse().map_err(|_| refuse())?;
    let named = options.get_application_name().is_some();
    let options = if named { options } else { options.application_name("pulso") };
    Ok(options
        // A start-up parameter that pgbouncer refuses.
        .extra_float_digits(None)
        // Named statements of two clients collide behind a transaction pooler.
        .statement_cache_capacity(0)
        .disable_statement_logging())
}

/// Where the options lead, for messages.
pub(in crate::store) fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// Whether the server's certificate is checked, or the server is this machine.
pub(in crate::store) fn is_verified_or_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    matches!(options.get_ssl_mode(), PgSslMode::VerifyFull | PgSslMode::VerifyCa)
        || options.get_socket().is_some()
        || host.starts_with('/')
        || matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<PgConnectOptions, SettingError> {
        parse(&Secret::new(url), "DATABASE_URL")
    }

    #[test]
    fn mistyped_password_is_never_repeated() {
        for url in [
            "postgres://ana:12/cl4ve@db/citas",
            "postgres://ana:12?cl4ve@db/citas",
            "postgres://ana:12#cl4ve@db/citas",
            "postgres://ana:cl4ve@db:puerto/citas",
            "postgres://ana:cl4ve@db/citas?sslmode=cl4ve",
            "postgres://ana:cl4ve@db/citas?sslmod=verify-full",
            "ana:cl4ve",
        ] {
            let error = parsed(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("cl4ve"), "{error}");
        }
    }

    #[test]
    fn parameters_of_other_clients_are_passed_over() {
        let options =
            parsed("postgresql://ana:a%40b@db:6543/citas?pgbouncer=true&connection_limit=1&sslmode=require").unwrap();
        assert_eq!(address(&options), "db:6543");
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Require));
        assert_eq!(options.get_application_name(), Some("pulso"));
    }
}
