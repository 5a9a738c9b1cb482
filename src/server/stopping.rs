//! The order in which a server stops: the balancers first, then hooks, then their figures, then the goodbyes, then the
//! rest of HTTP.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::node::Node;
use crate::workers::{Fallen, Workers};

/// For the requests of those who came in last: a balancer that has connected sends its call right behind.
const LAST_IN: Duration = Duration::from_millis(250);
/// How long reads that are still owed may keep a stopping server.
const LONGEST_SETTLE: Duration = Duration::from_secs(1);
/// Kept back from the grace for the last steps.
pub(super) const LAST_STEPS: Duration = Duration::from_millis(300);

/// Serves on for `delay`, so that balancers see `/ready` say no and let go of their kept connections. Cut short by a
/// worker that falls.
pub(super) async fn announce_departure(node: &Node, delay: Duration, workers: &Workers) -> Result<(), Fallen> {
    node.departure.announce();
    if delay.is_zero() {
        return Ok(());
    }
    info!(?delay, "leaving: /ready says no, everything else is still served");
    tokio::select! {
        () = sleep(delay) => Ok(()),
        fallen = workers.fallen() => Err(fallen),
    }
}

/// Closes the door. Where a balancer sends calls until the end, those of whom came in last are still taken: they are not
/// sent to another node any more.
pub(super) async fn close_the_door(accepting: &CancellationToken, delay: Duration) {
    accepting.cancel();
    if !delay.is_zero() {
        sleep(LAST_IN).await;
    }
}

/// Finishes what is under way, hands it out to everybody who is connected, and only then sends them away.
pub(super) async fn stop_in_order(node: &Node, connections: &TaskTracker, deadline: Instant) {
    node.departure.announce();
    node.departure.begin();
    let spread = node.sessions.goodbye_spread;
    let hooks_until = (deadline - spread).max(Instant::now());
    if node.places.end_hooks(hooks_until).await.is_err() {
        warn!("hook calls still under way are given up");
    }
    let settle_until = (Instant::now() + LONGEST_SETTLE).min(hooks_until.max(Instant::now()));
    node.refresher.settle(settle_until).await;
    node.broker.until_read(settle_until).await;
    let _ = timeout_at(settle_until, node.hub.until_handed_out()).await;
    node.sessions.goodbye.cancel();
    node.clients.close();
    if timeout_at(deadline, node.clients.wait()).await.is_err() {
        warn!(clients = node.clients.len(), "clients that do not take their goodbye are left behind");
    }
    node.broker.leave().await;
    node.hang_up.cancel();
    connections.close();
    let _ = timeout_at(deadline + LAST_STEPS / 3, connections.wait()).await;
}
