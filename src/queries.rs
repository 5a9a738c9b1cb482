//! The live queries of an operator: what each is, as its file says.
//!
//! Must not know how a query is put to a database, nor what becomes of its result.

mod access;
pub mod file;
pub mod folder;
pub mod keeper;
pub mod lines;
pub mod names;
pub mod registry;
pub mod reload;
pub mod scan;
pub mod statement;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::config::ClaimPath;
use crate::model::QueryName;

pub use registry::{Consequences, Live, Queries, Standing};

/// One live query.
#[derive(Clone, Debug)]
pub struct LiveQuery {
    pub name: QueryName,
    /// `access`: who may watch a key; all of them must hold.
    pub access: Vec<AccessRule>,
    /// Whether it is read for a key (`$1`); `key: none` says that it is not.
    pub is_keyed: bool,
    /// `hints`: what announces a change.
    pub hints: Vec<Hint>,
    pub form: ResultForm,
    /// `every`: read again so often while it is watched.
    pub every: Option<Duration>,
    /// `min_gap`: from the beginning of one read to the next.
    pub min_gap: Duration,
    pub max_rows: usize,
    pub max_bytes: usize,
    /// `timezone`: whose day `$2` is, and the offset of times.
    pub zone: TimeZone,
    /// The statement, without the lines before it and without a semicolon at its end.
    pub sql: Arc<str>,
    /// Of all that the file says: two nodes with the same one have the same query.
    pub fingerprint: u64,
    /// Where it stands, for messages: its file, and the line on which the statement begins.
    pub file: PathBuf,
    pub first_line: usize,
}

/// One part of `access`.
#[derive(Clone, Debug)]
pub enum AccessRule {
    /// Who may watch the figures of the business that the key names.
    Negocio,
    /// Whose token has the key at this path, or an array that holds it; or, where a value is given, has that value there.
    Claim { path: ClaimPath, value: Option<Box<str>> },
    /// Whose id the key is.
    User,
    /// Whom a query of its own allows: `$1` keys, `$2` users, the pairs that hold.
    Sql(Arc<PairsQuery>),
    /// Everybody with a good token.
    Authenticated,
}

/// A query of `access: sql`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PairsQuery {
    pub file: PathBuf,
    pub sql: Arc<str>,
}

/// What announces that a live query may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A hook, by its whole path (`/notify/order/new`).
    Hook(&'static str),
    /// A subject of `HINTS_CHANNEL`.
    Listen(Box<str>),
}

/// `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultForm {
    /// An object.
    Row,
    /// An array, as the query orders.
    Rows,
}

#[cfg(test)]
pub(crate) mod tests;
