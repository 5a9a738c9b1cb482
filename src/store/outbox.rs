//! What Pulso itself keeps in the database: changes until they are confirmed, and how calls were answered.
//!
//! The only things that Pulso writes, into tables of its own that only [`Outbox::migrate`] creates. Must not know who
//! pulls, nor what a payload says.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use super::migrations::{Migration, Step};
use crate::model::{Answered, Change, Confirmation, Entity, Once, Pending};

/// To whom changes are handed out. That is not yet their receipt: an answer may be lost, and its call repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed<'a> {
    /// The answer to a call, by what tells it from others and is the same when it is repeated.
    Answer(&'a str),
    /// `orders:pending`, whoever listens: however often, it counts once.
    Event,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is stored under this version.
    As(i64),
    /// The call was answered before, and nothing was stored.
    Repeated(Answered),
}

/// What waits to be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub changes: i64,
    /// The age of the oldest.
    pub seconds: i64,
}

/// Every method but the first two is refused, with the advice to run `pulso migrate`, while a table is missing. A write
/// that fails may have happened all the same when its connection was lost; it is never repeated here.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// The migrations that this database lacks. To be asked again: an operator migrates while the server runs.
    async fn missing(&self) -> Result<Vec<Step>, StoreError>;

    /// Applies what is missing, each step in a transaction of its own. Safe to run twice at once.
    async fn migrate(&self) -> Result<Migration, StoreError>;

    /// Stores a change in place of an older one of the same entity and id; with `once`, only if that call was not
    /// answered before, and its answer in the same transaction.
    async fn keep(&self, change: &Change, once: Option<&Once>) -> Result<Kept, StoreError>;

    /// Forgets what is confirmed, then hands out what is left to this tenant, oldest change first; `only` of one kind,
    /// for who would not pass on the other.
    async fn pull(
        &self,
        tenant: &str,
        confirmed: &[Confirmation],
        to: Handed<'_>,
        only: Option<Entity>,
        at_most: u32,
    ) -> Result<Vec<Pending>, StoreError>;

    async fn has_pending(&self, tenant: &str) -> Result<bool, StoreError>;

    /// What waits to be confirmed, of all tenants.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// How this call was answered, if that is no longer ago than `max_age`.
    async fn recall(&self, path: &str, key: &str, max_age: Duration) -> Result<Option<Answered>, StoreError>;

    /// Keeps the first answer of a call.
    async fn remember(&self, once: &Once) -> Result<(), StoreError>;

    /// Forgets answers older than `max_age` and all but the newest `at_most`; returns how many. Works in portions of
    /// [`PRUNED_AT_ONCE`]: whoever gets as many calls again.
    async fn prune(&self, max_age: Duration, at_most: u32) -> Result<u64, StoreError>;
}

/// Answers that [`Outbox::prune`] forgets in one call, at least, if there are so many.
pub const PRUNED_AT_ONCE: u32 = 10_000;

impl<'a> Handed<'a> {
    pub(super) fn answer(self) -> Option<&'a str> {
        match self {
            Self::Answer(call) => Some(call),
            Self::Event => None,
        }
    }
}

/// The entity that a row names.
pub(super) fn entity_of_row(word: &str) -> Result<Entity, StoreError> {
    Entity::parse(word).ok_or_else(|| StoreError::Refused(format!("pulso_outbox holds an unknown entity, {word:?}")))
}
