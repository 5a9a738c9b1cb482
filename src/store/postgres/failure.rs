//! What an error of the driver means to the asker.
//!
//! Must not know who asked. Everything said here may reach a log, so nothing comes from the URL but host and port.

use std::borrow::Cow;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::store::{ContactError, StoreError};

/// What a role needs for Pulso's own tables.
pub(in crate::store) const OUTBOX_GRANTS: &str = "GRANT SELECT ON pulso_migrations TO pulso; \
     GRANT SELECT, INSERT, UPDATE, DELETE ON pulso_outbox, pulso_idempotency TO pulso; \
     GRANT USAGE ON SEQUENCE pulso_outbox_version TO pulso;";

/// The data exceptions that a value causes by being what it is: too long, out of range, of another date's or number's form,
/// without a counterpart in the database's encoding.
const OF_VALUES: [&str; 8] = ["22001", "22003", "22007", "22008", "22021", "22P02", "22P03", "22P05"];

/// Whether the connection died, rather than the query failing on a healthy one.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        // A FATAL message is the server's, or the pooler's, last on a connection: shut down, crashed, told to go. Older poolers
        // say no more than ERROR.
        sqlx::Error::Database(error) => error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| {
            matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic) || error.code() == "08P01"
        }),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::BeginFailed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether it is about a connection: this one, or one that the query needs, as a foreign table does.
pub(super) fn is_of_a_connection(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code.starts_with("08"))
}

/// Whether a setting does not take its value.
pub(super) fn is_invalid_setting(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("22023")
}

/// Whether it is about a value, and not about the query.
pub(super) fn is_of_data(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code.starts_with("22"))
}

/// A query's failure.
pub(in crate::store) fn of_query(error: &sqlx::Error) -> StoreError {
    if is_lost(error) {
        return StoreError::Unreachable(format!("the connection was lost: {}", plain(error)));
    }
    match code(error).as_deref() {
        Some("57014") => StoreError::TimedOut(plain(error)),
        Some(code) if OF_VALUES.contains(&code) => StoreError::Data(plain(error)),
        // Read-only standbys and servers that recover or run out of something say so here.
        Some("57P03" | "53300") => StoreError::Unreachable(plain(error)),
        Some("42501") => {
            let said = plain(error);
            StoreError::Refused(if said.contains("pulso_") {
                format!("{said}; let their owner grant it to the role of DATABASE_URL (here pulso): {OUTBOX_GRANTS}")
            } else {
                format!(
                    "{said}; let a role with the right grant it: GRANT SELECT ON citas, negocios TO the role of \
                     DATABASE_URL"
                )
            })
        }
        // A column of its own that came with a later step.
        Some("42703") if plain(error).contains("handed") => {
            StoreError::Refused(format!("{}; run `pulso migrate`", plain(error)))
        }
        Some("42P01") if plain(error).contains("pulso_") => {
            StoreError::Refused(format!("{}; run `pulso migrate`", plain(error)))
        }
        _ => StoreError::Refused(plain(error)),
    }
}

/// A connection's failure.
pub(in crate::store) fn of_connecting(error: &sqlx::Error, address: &str) -> StoreError {
    let text = plain(error);
    let advice = if text.contains("UnknownIssuer") {
        "; the server's certificate is signed by an authority that is not known here: add \
         sslrootcert=/path/to/its-ca.crt to the URL"
    } else if text.contains("CaUsedAsEndEntity") {
        "; the server presents a certificate authority's own (self-signed) certificate: give it one signed by a CA, \
         and add sslrootcert=/path/to/its-ca.crt to the URL"
    } else if text.contains("NotValidForName") {
        "; the certificate is for another name than the URL's host"
    } else if text.contains("does not support TLS") {
        "; sslmode asks for encryption: switch it on at the server (ssl = on), or change sslmode"
    } else {
        ""
    };
    StoreError::Unreachable(format!("{address}: {text}{advice}"))
}

/// What a query file's failure to prepare or explain means, while making contact.
pub(super) fn of_contact(error: &sqlx::Error, variable: &'static str) -> ContactError {
    let Some(code) = code(error).filter(|_| !is_lost(error)) else { return of_query(error).into() };
    let said = plain(error);
    let wrong = |advice: &str| ContactError::WrongQuery { variable, reason: format!("{said}{advice}") };
    match &*code {
        "42P01" | "3F000" => ContactError::Missing(format!(
            "table {} does not exist yet: create it (the API's migrations), or set {variable} to a query for your tables",
            quoted(&said).unwrap_or(&said)
        )),
        "42703" => ContactError::Missing(format!(
            "column {} does not exist yet: create it (the API's migrations), or set {variable} to a query for your \
             columns ({said})",
            quoted(&said).unwrap_or("named in the query")
        )),
        "42501" | "57014" => of_query(error).into(),
        "42P18" | "42P08" => wrong("; give the parameter a type, as in $1::uuid"),
        "42601" if said.contains("multiple commands") => wrong("; the file must hold one SELECT and nothing else"),
        "22P02" => wrong("; the query compares a column with a value that its type does not have"),
        class if class.starts_with("42") || class.starts_with("22") || class.starts_with("0A") => wrong(""),
        _ => of_query(error).into(),
    }
}

/// The server's own words, without the driver's frame around them.
pub(in crate::store) fn plain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => format!("{} (SQLSTATE {code})", DatabaseError::message(&**error)),
            None => DatabaseError::message(&**error).to_owned(),
        },
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Configuration(_) => "the URL's TLS files cannot be used".to_owned(),
        other => other.to_string(),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(Cow::into_owned)
}

/// The first name in quotes, of whichever language the server speaks.
fn quoted(text: &str) -> Option<&str> {
    let start = text.find(['"', '«', '“', '„'])?;
    let rest = &text[start..];
    let rest = &rest[rest.chars().next()?.len_utf8()..];
    rest.find(['"', '»', '”', '“']).map(|end| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_language() {
        assert_eq!(quoted("relation \"citas\" does not exist"), Some("citas"));
        assert_eq!(quoted("no existe la relación «citas»"), Some("citas"));
        assert_eq!(quoted("no name"), None);
    }
}
