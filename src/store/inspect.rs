//! What `pulso check` finds out about a database, in sentences that a person can act on.
//!
//! Must not change anything in the database, nor print.

mod outbox;
mod postgres;
mod rollup;
mod sqlite;

use crate::config::{DatabaseConfig, DatabaseUrl};

const WITHOUT_FIGURES: &str = "nobody asks for figures, so neither their tables nor those of ownership are needed";

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok,
    /// Pulso works, but somebody should look at it.
    Warning,
    /// Pulso does not work like this.
    Problem,
}

/// One thing found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    pub what: String,
    /// What to do about it, commands included.
    pub advice: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>) -> Self {
        Self { level: Level::Ok, what: what.into(), advice: None }
    }

    fn warning(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warning, what: what.into(), advice: Some(advice.into()) }
    }

    fn problem(what: impl Into<String>, advice: Option<&str>) -> Self {
        Self { level: Level::Problem, what: what.into(), advice: advice.map(str::to_owned) }
    }
}

/// Everything there is to say about the database of `config`, in the order in which it was found.
pub async fn inspect(config: &DatabaseConfig) -> Vec<Finding> {
    match &config.url {
        DatabaseUrl::Postgres(_) => postgres::inspect(config).await,
        DatabaseUrl::Sqlite(_) => sqlite::inspect(config).await,
    }
}
