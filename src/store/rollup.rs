//! The rollup, an option: counters by business, day and state, kept by triggers, which the statistics query may be answered
//! from. Only [`super::Store::change_rollup`] creates, changes or removes it.
//!
//! The appointments themselves stay the truth. Must not know a database's dialect.

use super::Figures;

/// What `pulso migrate --rollup` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollupChange {
    /// Install it, unless it is there and complete.
    Create,
    /// Install what is missing and count everything anew.
    Rebuild,
    /// Remove the triggers and the counters.
    Remove,
}

/// Figures from the appointments themselves, compared with the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub figures: Figures,
    /// The counters said something else at that very moment, and are not read any more until they are rebuilt.
    pub drifted: bool,
}

impl From<Figures> for Verified {
    /// Figures that were compared with nothing.
    fn from(figures: Figures) -> Self {
        Self { figures, drifted: false }
    }
}
