//! Why the database cannot be asked just now: a word for everybody, the whole story for operators.

use crate::store::{ContactError, StoreError};

/// What is the matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    pub word: DownWord,
    /// With host, role, table and the database's own text: for operators, not for strangers.
    pub detail: String,
}

/// All that strangers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownWord {
    /// It was not contacted yet.
    Starting,
    Unreachable,
    TimedOut,
    /// It answers, and refuses what it is asked.
    Refused,
    /// A table or column is not there (yet).
    Missing,
    /// A query file is the operator's to mend.
    WrongQuery,
}

impl DownWord {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Unreachable => "database_unreachable",
            Self::TimedOut => "database_too_slow",
            Self::Refused => "database_refuses",
            Self::Missing => "table_missing",
            Self::WrongQuery => "query_file_wrong",
        }
    }
}

impl Down {
    pub(super) fn starting() -> Self {
        Self { word: DownWord::Starting, detail: "not connected yet".to_owned() }
    }
}

impl From<&StoreError> for Down {
    fn from(failure: &StoreError) -> Self {
        let word = match failure {
            StoreError::Unreachable(_) => DownWord::Unreachable,
            StoreError::TimedOut(_) => DownWord::TimedOut,
            StoreError::Refused(_) | StoreError::Data(_) | StoreError::Unsendable(_) => DownWord::Refused,
        };
        Self { word, detail: failure.to_string() }
    }
}

impl From<&ContactError> for Down {
    fn from(failure: &ContactError) -> Self {
        let word = match failure {
            ContactError::Store(failure) => return failure.into(),
            ContactError::Missing(_) => DownWord::Missing,
            ContactError::WrongQuery { .. } => DownWord::WrongQuery,
        };
        Self { word, detail: failure.to_string() }
    }
}
