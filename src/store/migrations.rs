//! The steps from `sql/migrations`, in the order in which `pulso migrate` applies them.
//!
//! A step that was released is never changed, only followed by another. Must not know how a step is applied.

/// One step, for one kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

/// What [`super::Outbox::migrate`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    /// The SQLite file that was not there.
    pub created: Option<String>,
    /// Empty when nothing was missing.
    pub applied: Vec<Step>,
}

impl std::fmt::Display for Step {
    /// As its file is called.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}_{}", self.version, self.name)
    }
}

pub const POSTGRES: [Step; 3] = [
    Step { version: 1, name: "outbox", sql: include_str!("../../sql/migrations/postgres/0001_outbox.sql") },
    Step { version: 2, name: "idempotency", sql: include_str!("../../sql/migrations/postgres/0002_idempotency.sql") },
    Step { version: 3, name: "handed", sql: include_str!("../../sql/migrations/postgres/0003_handed.sql") },
];

pub const SQLITE: [Step; 3] = [
    Step { version: 1, name: "outbox", sql: include_str!("../../sql/migrations/sqlite/0001_outbox.sql") },
    Step { version: 2, name: "idempotency", sql: include_str!("../../sql/migrations/sqlite/0002_idempotency.sql") },
    Step { version: 3, name: "handed", sql: include_str!("../../sql/migrations/sqlite/0003_handed.sql") },
];

/// Those of `steps` that are not among the versions `applied`.
pub(super) fn missing(steps: &[Step], applied: &[i64]) -> Vec<Step> {
    steps.iter().filter(|step| !applied.contains(&step.version)).copied().collect()
}
