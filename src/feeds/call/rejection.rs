//! Why a call has no effect, in words: for programs, for people and for the metrics.
//!
//! Must not know how a transport says it.

use std::borrow::Cow;

use crate::broker::Refused;
use crate::json::BadBody;
use crate::model::ErrorWord;
use crate::telemetry::metrics::RefusalReason;

/// A call that was understood to be one and has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub reason: RefusalReason,
    /// For programs.
    pub word: ErrorWord,
    /// For people.
    pub message: Cow<'static, str>,
}

impl Rejection {
    pub fn new(reason: RefusalReason, word: ErrorWord, message: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, word, message: message.into() }
    }

    /// Whether the caller has to do something about it: repeating the call as it is will not help.
    pub fn is_the_callers(&self) -> bool {
        self.word.status() < 500
    }

    /// The body is not what it should be.
    pub fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalReason::HookBody, ErrorWord::BadRequest, message)
    }

    pub fn too_many_transactions() -> Self {
        Self::new(RefusalReason::TooManyHooks, ErrorWord::Busy, "too many calls wait for transactions of theirs")
    }

    fn no_log(word: ErrorWord, message: &'static str) -> Self {
        Self::new(RefusalReason::LogUnavailable, word, message)
    }

    pub fn unknown_device() -> Self {
        let message = "device_uid or device_id: there is no such device";
        Self::new(RefusalReason::Device, ErrorWord::UnknownDevice, message)
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
        Self::new(RefusalReason::DatabaseUnavailable, ErrorWord::Busy, message)
    }
}

impl From<Refused> for Rejection {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Busy => {
                let message = "too many events wait to be handed out";
                Self::new(RefusalReason::TooManyPublications, ErrorWord::Busy, message)
            }
            Refused::Away => {
                Self::no_log(ErrorWord::Busy, "the other nodes cannot be told just now, and nothing was done")
            }
            Refused::NoRoom => {
                Self::no_log(ErrorWord::Busy, "there is no room for more events just now, and nothing was done")
            }
            Refused::Unknown => Self::no_log(
                ErrorWord::OutcomeUnknown,
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
