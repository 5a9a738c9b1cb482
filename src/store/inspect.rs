//! What `pulso check` finds out about a database, in sentences that a person can act on.
//!
//! Must not change anything in the database, nor print.

mod live;
mod outbox;
mod plan;
mod plans;
mod postgres;
mod rollup;
mod sqlite;
mod table;
pub mod tables;

use crate::config::{DatabaseConfig, DatabaseUrl};
pub use crate::finding::{Finding, Level};
pub use live::{inspect_queries, plan_of, read};

const WITHOUT_FIGURES: &str = "nobody asks for figures, so neither their tables nor those of ownership are needed";

/// Everything there is to say about the database of `config`, in the order in which it was found.
pub async fn inspect(config: &DatabaseConfig) -> Vec<Finding> {
    match &config.url {
        DatabaseUrl::Postgres(_) => postgres::inspect(config).await,
        DatabaseUrl::Sqlite(_) => sqlite::inspect(config).await,
    }
}
