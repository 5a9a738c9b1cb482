//! A call that is to have its effect once, and the answer that every repetition of it gets.

use std::time::Duration;

/// How a call was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    pub body: String,
}

/// A call that is to have its effect once: its path, its key and the answer that every repetition gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    pub path: String,
    pub key: String,
    pub answered: Answered,
    /// An answer older than this is forgotten.
    pub max_age: Duration,
}
