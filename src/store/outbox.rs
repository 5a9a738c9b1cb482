//! What Pulso itself keeps in the database: changes until they are confirmed, and how calls were answered.
//!
//! The only things that Pulso writes, into tables of its own that only [`Outbox::migrate`] creates. Must not know who
//! pulls, nor what a payload says.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use super::migrations::{Migration, Step};

/// What kind of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entity {
    Order,
    Customer,
}

/// Something changed; `payload` is kept letter by letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub tenant: String,
    pub entity: Entity,
    pub id: String,
    pub payload: String,
}

/// A change that waits for its confirmation. A version is never used twice, and a later change has a greater one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub entity: Entity,
    pub id: String,
    pub version: i64,
    pub payload: String,
}

/// "I have this": the change of exactly that version; without one, what was last pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    pub entity: Entity,
    pub id: String,
    pub version: Option<i64>,
}

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

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is stored under this version.
    As(i64),
    /// The call was answered before, and nothing was stored.
    Repeated(Answered),
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
    /// for who would not pass on the other: what is handed out counts as pulled.
    async fn pull(
        &self,
        tenant: &str,
        confirmed: &[Confirmation],
        only: Option<Entity>,
        at_most: u32,
    ) -> Result<Vec<Pending>, StoreError>;

    async fn has_pending(&self, tenant: &str) -> Result<bool, StoreError>;

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

impl Entity {
    pub const ALL: [Self; 2] = [Self::Order, Self::Customer];

    /// As the hook and the table call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Customer => "customer",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.as_str() == word)
    }

    /// From the table, whose own check lets nothing else in.
    pub(super) fn of_row(word: &str) -> Result<Self, StoreError> {
        Self::parse(word).ok_or_else(|| StoreError::Refused(format!("pulso_outbox holds an unknown entity, {word:?}")))
    }
}
