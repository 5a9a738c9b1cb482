//! What is said of something that was published: how many it is for, or why it was not taken.
//!
//! Must not know how it is said to whoever called.

use crate::model::Answered;

/// How many each of several publications is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    pub each: Vec<usize>,
    pub scope: Scope,
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Who listens on whatever node there is.
    All,
    /// Who listens on this node: there are others, of which it is not known just now.
    Node,
}

/// What became of something that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    For(Reach),
    /// Its call had its effect before, and was answered so.
    Repeated(Answered),
}

/// Why something was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("too much waits to be handed out")]
    Busy,
    #[error("the log between the nodes cannot be reached")]
    Away,
    #[error("the log between the nodes is full")]
    NoRoom,
    /// It was published or not.
    #[error("the log between the nodes has not answered")]
    Unknown,
}

impl Reach {
    /// On the only node there is.
    pub(super) fn of(each: Vec<usize>) -> Self {
        Self { each, scope: Scope::All }
    }
}
