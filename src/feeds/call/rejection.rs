//! Why a call has no effect, in words: for programs, for people and for the metrics.
//!
//! Must not know how a transport says it.

use std::borrow::Cow;

use crate::broker::Refused;
use crate::json::BadBody;
use crate::telemetry::metrics::RefusalReason;

/// A call that was understood to be one and has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub cause: Cause,
    pub reason: RefusalReason,
    /// For programs.
    pub word: &'static str,
    /// For people.
    pub message: Cow<'static, str>,
}

/// Whose turn it is to do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The caller's: repeating the call as it is will not help.
    Wrong,
    /// The caller's: it names what there is not.
    Unknown,
    /// Nobody's: it is not forgotten.
    Delayed,
    /// Somebody's, or nobody's: it is worth repeating.
    Unavailable,
}

impl Rejection {
    pub fn new(cause: Cause, reason: RefusalReason, word: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { cause, reason, word, message: message.into() }
    }

    /// The body is not what it should be.
    pub fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Cause::Wrong, RefusalReason::HookBody, "bad_request", message)
    }

    pub fn too_many_transactions() -> Self {
        Self::new(
            Cause::Unavailable,
            RefusalReason::TooManyHooks,
            "busy",
            "too many calls wait for transactions of theirs",
        )
    }

    fn no_log(word: &'static str, message: &'static str) -> Self {
        Self::new(Cause::Unavailable, RefusalReason::LogUnavailable, word, message)
    }

    pub fn unknown_device() -> Self {
        let message = "device_uid or device_id: there is no such device";
        Self::new(Cause::Unknown, RefusalReason::Device, "unknown_device", message)
    }

    /// What has to be asked of the database cannot be asked just now.
    pub fn no_database() -> Self {
        Self::no_answer("the database does not answer just now")
    }

    /// What was asked of the database was not answered. Where that is up, a table or a right is missing.
    pub fn unanswered(database_is_down: bool) -> Self {
        if database_is_down {
            return Self::no_database();
        }
        Self::no_answer("the database refuses to be asked this; the server's log and `pulso check` say why")
    }

    fn no_answer(message: &'static str) -> Self {
        Self::new(Cause::Unavailable, RefusalReason::DatabaseUnavailable, "busy", message)
    }
}

impl From<Refused> for Rejection {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Busy => {
                let message = "too many events wait to be handed out";
                Self::new(Cause::Unavailable, RefusalReason::TooManyPublications, "busy", message)
            }
            Refused::Away => Self::no_log("busy", "the other nodes cannot be told just now, and nothing was done"),
            Refused::NoRoom => Self::no_log("busy", "there is no room for more events just now, and nothing was done"),
            Refused::Unknown => Self::no_log(
                "outcome_unknown",
                "it is not known whether this was done; repeat the call with its Idempotency-Key, and it is done once",
            ),
        }
    }
}

impl From<BadBody> for Rejection {
    fn from(why: BadBody) -> Self {
        Self::bad(why.to_string())
    }
}
