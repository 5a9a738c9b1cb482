//! What is asked of a store about live queries, and what comes back.
//!
//! Must not know a database's dialect, nor who wants to know.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::{Consulta, IdType};
use crate::queries::LiveQuery;

/// One read of a live query.
#[derive(Clone, Debug)]
pub struct LiveRead {
    pub query: Arc<LiveQuery>,
    /// With its key in the one form that [`Learnt::key`] gives it.
    pub consulta: Consulta,
    /// `$2`: the day of `now` where the query's zone is.
    pub today: Date,
    /// `$3`.
    pub now: Timestamp,
    /// Transactions of callers, as `pg_current_xact_id()` says them: whether the read sees that each is over is to be told.
    pub xids: Vec<u64>,
}

/// What a snapshot says of a transaction of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Committed or aborted: what it did is seen, if it did anything.
    Over,
    /// Under way, prepared, or not even begun.
    Open,
    /// So far behind that its number must lack its epoch: nobody can say which transaction is meant.
    TooOld,
}

/// What a live query says for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveResult {
    /// JSON on one line, at most `max_bytes` of it.
    pub data: Arc<str>,
    pub rows: usize,
    /// The earliest `next_change_at` of all rows; `None` without such a column, where it is null and where it is infinite.
    pub next_change_at: Option<Timestamp>,
    /// As of [`Counted`](super::Counted).
    pub order: Option<u64>,
    /// For each of [`LiveRead::xids`] what the read has seen of it.
    pub seen: Vec<Sight>,
}

/// What a store has found out about a live query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// Of `$1`; `None` where the query has no key.
    pub key: Option<IdType>,
    /// The columns that are sent, in their order, with the names of their types.
    pub columns: Vec<(String, String)>,
}
