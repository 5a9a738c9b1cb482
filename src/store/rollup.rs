//! The rollup, an option: counters by business, day and state, kept by triggers, which the statistics query may be answered
//! from. Only [`super::Store::change_rollup`] creates, changes or removes it.
//!
//! The appointments themselves stay the truth. Must not know a database's dialect.

/// What `pulso migrate --rollup` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollupChange {
    /// Install it, unless it is there and complete.
    Create,
    /// Install what is missing and count everything anew.
    Rebuild,
    /// Rebuild what an earlier release installed unsafely; nothing where there is none of that.
    Repair,
    /// Remove the triggers and the counters.
    Remove,
}
