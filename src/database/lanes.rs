//! Whose turn it is among live queries: each holds at most half of the connections, those it waits for included, so that a
//! slow one with thousands of keys leaves room for all the others, and what waits takes turns by query.
//!
//! Must not know what is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::QueryName;

/// One line a query, in front of the one that all stand in.
#[derive(Debug)]
pub(super) struct Lanes {
    width: usize,
    /// Only of queries that wait or read just now: the names come from files, and files come and go.
    lanes: Mutex<HashMap<QueryName, Arc<Semaphore>>>,
}

impl Lanes {
    pub(super) fn new(connections: usize) -> Self {
        Self { width: (connections / 2).max(1), lanes: Mutex::default() }
    }

    /// Waits for the query's own turn. `None` never comes: a lane is not closed.
    pub(super) async fn turn(&self, query: &QueryName) -> Option<OwnedSemaphorePermit> {
        let lane = {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever waits or reads holds its lane.
            lanes.retain(|name, lane| name == query || Arc::strong_count(lane) > 1);
            Arc::clone(lanes.entry(query.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.width))))
        };
        lane.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn name(text: &str) -> QueryName {
        QueryName::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_query_has_half_of_the_connections_and_others_have_theirs() {
        let lanes = Lanes::new(4);
        let (slow, other) = (name("lenta"), name("otra"));
        let first = lanes.turn(&slow).await;
        let _second = lanes.turn(&slow).await;
        let mut third = Box::pin(lanes.turn(&slow));
        assert!((&mut third).now_or_never().is_none(), "both halves of a half are taken");
        assert!(lanes.turn(&other).now_or_never().is_some(), "another's line is its own");
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn one_connection_is_for_one_of_each_and_no_line_is_kept_of_a_query_at_rest() {
        let lanes = Lanes::new(1);
        for number in 0..100 {
            assert!(lanes.turn(&name(&format!("consulta-{number}"))).now_or_never().is_some());
        }
        assert_eq!(lanes.lanes.lock().unwrap().len(), 1);
    }
}
