//! Figures as a database counted them, and where that read stands among others.
//!
//! Must not know a database's dialect.

use super::Figures;

/// The figures of one business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub figures: Figures,
    /// The rollup's counters said something else at that very moment, and are not read any more until they are rebuilt.
    pub drifted: bool,
    /// How many transactions of the database were over when it was read: of two reads of one database the one with more
    /// of them saw all that the other saw. `None` where that was not asked for, or the database cannot tell.
    pub order: Option<u64>,
}

impl From<Figures> for Counted {
    /// Compared with nothing, and in no order.
    fn from(figures: Figures) -> Self {
        Self { figures, drifted: false, order: None }
    }
}
