//! What the figures are read from, as an operator chooses.

/// `STATS_SOURCE`: what the figures are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsSource {
    /// `query`: the appointments themselves.
    Query,
    /// `rollup`: the counters of `sql/rollup.postgres.sql`, while they are there and right.
    Rollup,
}
