//! What `pulso check` finds out, in sentences that a person can act on.
//!
//! Must not know who looks, nor where.

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
    pub(crate) fn ok(what: impl Into<String>) -> Self {
        Self { level: Level::Ok, what: what.into(), advice: None }
    }

    pub(crate) fn warning(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warning, what: what.into(), advice: Some(advice.into()) }
    }

    pub(crate) fn problem(what: impl Into<String>, advice: Option<&str>) -> Self {
        Self { level: Level::Problem, what: what.into(), advice: advice.map(str::to_owned) }
    }
}
