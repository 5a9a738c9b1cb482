//! When the rights of live subscriptions are asked about again: for all connections of a node at one beat.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use crate::session::SessionContext;

/// Rechecks of all connections fall into this span, so that they share batches.
const SPREAD: Duration = Duration::from_millis(250);

/// The next turn of the node's common recheck clock, plus a little of one's own.
pub(super) fn next_recheck(context: &SessionContext) -> Instant {
    let period = context.recheck;
    let turns = context.since.elapsed().as_millis() / period.as_millis().max(1) + 1;
    let turns = u32::try_from(turns).unwrap_or(u32::MAX);
    context.since + period * turns + a_little()
}

/// So that not everybody comes at once, and yet many together.
pub(super) fn a_little() -> Duration {
    SPREAD.mul_f64(rand::rng().random::<f64>())
}
