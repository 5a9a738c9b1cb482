//! A lease in the log's server for whatever one node at a time does; it lapses with its node.
//!
//! Must not know what is done under it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Cluster;
use crate::broker::link::PATIENCE;
use crate::broker::turn::Turn;

/// For how long a turn is somebody's without being renewed. After as long without an answer it is everybody's.
const LASTING: Duration = Duration::from_secs(5);
/// How often it is renewed, or sought.
const EVERY: Duration = Duration::from_millis(1_500);
/// For so long who has passed it leaves it to others, who all have sought it meanwhile.
const LEFT_TO_OTHERS: Duration = Duration::from_secs(3);
/// For giving it up, when a node stops.
const RELEASED_WITHIN: Duration = Duration::from_millis(500);

impl Cluster {
    pub(in crate::broker) async fn take_turns(&self, turn: &Turn, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep_turn(turn) => {}
        }
        // Another node takes over at once.
        self.release_turn(turn, RELEASED_WITHIN).await;
    }

    async fn keep_turn(&self, turn: &Turn) {
        let mut answered = Instant::now();
        loop {
            match self.seek_turn(turn).await {
                Some(is_ours) => {
                    answered = Instant::now();
                    turn.give(is_ours);
                }
                None if answered.elapsed() >= LASTING => turn.give(true),
                None => {}
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                () = turn.until_passed() => {
                    self.release_turn(turn, PATIENCE).await;
                    sleep(LEFT_TO_OTHERS).await;
                }
            }
        }
    }

    /// Whether it is this node's; `None` where that cannot be asked just now.
    async fn seek_turn(&self, turn: &Turn) -> Option<bool> {
        let joined = self.link.now()?;
        match timeout(PATIENCE, joined.line.hold(&turn.duty, self.node, LASTING)).await {
            Ok(Ok(is_ours)) => Some(is_ours),
            Ok(Err(trouble)) => {
                self.drop_line(&joined, &trouble);
                None
            }
            Err(_) => None,
        }
    }

    async fn release_turn(&self, turn: &Turn, within: Duration) {
        if let Some(joined) = self.link.now() {
            // Without an answer it lapses.
            let _ = timeout(within, joined.line.release(&turn.duty, self.node)).await;
        }
    }
}
