//! What an error of Redis means to who asked: by its kind and its code, never by its text.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError};

use crate::broker::log::Trouble;

/// When the error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// While somebody tried to get a line: nothing had been asked.
    Dialling,
    /// Instead of an answer.
    Asked,
}

/// `server`: where, for the text.
pub(super) fn trouble(server: &str, error: &RedisError, moment: Moment) -> Trouble {
    let text = format!("{server}: {error}");
    if let Some(code) = error.code() {
        return of_code(code, text);
    }
    match error.kind() {
        // The certificate, or what it is not good for.
        ErrorKind::Io if moment == Moment::Dialling && is_about_tls(error) => Trouble::Refused(text),
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig | ErrorKind::Client => Trouble::Refused(text),
        _ if moment == Moment::Dialling => Trouble::Away(text),
        _ => Trouble::Unanswered(text),
    }
}

/// The server's own answer: whatever it says, it did nothing.
fn of_code(code: &str, text: String) -> Trouble {
    match code {
        "OOM" | "MISCONF" => Trouble::Full(text),
        "WRONGTYPE" => Trouble::Foreign(text),
        "MOVED" | "ASK" | "TRYAGAIN" | "READONLY" | "MASTERDOWN" | "NOREPLICAS" => Trouble::Moved(text),
        "LOADING" | "BUSY" | "CLUSTERDOWN" => Trouble::Away(text),
        _ => Trouble::Refused(text),
    }
}

fn is_about_tls(error: &RedisError) -> bool {
    // What it wraps is behind a pointer that is an error itself.
    let shared = error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let source = shared.and_then(|shared| shared.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use redis::make_extension_error;

    use super::*;

    #[test]
    fn what_the_server_refuses_has_had_no_effect_and_what_breaks_off_may_have() {
        let of = |code: &str| trouble("h:1", &make_extension_error(code.to_owned(), None), Moment::Asked);
        assert!(matches!(of("OOM"), Trouble::Full(_)));
        assert!(matches!(of("WRONGTYPE"), Trouble::Foreign(_)));
        assert!(matches!(of("NOREPLICAS"), Trouble::Moved(_)));
        assert!(matches!(of("NOPERM"), Trouble::Refused(_)) && matches!(of("WRONGPASS"), Trouble::Refused(_)));
        let broken = RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(matches!(trouble("h:1", &broken, Moment::Asked), Trouble::Unanswered(_)));
        assert!(matches!(trouble("h:1", &broken, Moment::Dialling), Trouble::Away(_)));
        let certificate = RedisError::from(io::Error::new(io::ErrorKind::InvalidData, "nobody signed it"));
        assert!(matches!(trouble("h:1", &certificate, Moment::Dialling), Trouble::Refused(_)));
    }
}
