//! What every broker has to keep, whatever lies between its nodes; tried on a node that is alone.

mod client;
pub(super) mod contract;
pub(crate) mod memory;
mod promises;
mod several;
mod shared;
mod turns;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use tokio_util::task::TaskTracker;

use super::*;
use crate::access::token::TokenVerifier;
use crate::config::{AuthConfig, Secret};
use crate::idempotency::Idempotency;
use crate::telemetry::metrics::Metrics;

/// A node of those that have their log in `memory`.
pub(crate) fn member(memory: &memory::Memory, number: usize) -> Several {
    Several {
        engine: Arc::new(memory.way(number)),
        name: number.to_string(),
        fingerprints: [0; 3],
        names: Vec::new(),
        clients: TaskTracker::new(),
    }
}

/// What `act` comes to where nodes say that they watch only after they have read.
pub(crate) fn without_registering_first<T>(act: impl FnOnce() -> T) -> T {
    spoiled::LEFT_OUT.set(Some(spoiled::Rule::RegisterFirst));
    let came = act();
    spoiled::LEFT_OUT.set(None);
    came
}

contract::contract!((memory::Memory::new(1).way(0), ()));

/// One of the nodes that share what is published.
struct Node {
    hub: Arc<Hub>,
    broker: Arc<Broker>,
    tokens: TokenVerifier,
    calls: Idempotency,
}

/// What the promises are tried on: made anew for each try, within a runtime.
trait Nodes: Sync {
    async fn make() -> Self;

    fn each(&self) -> &[Node];

    /// Returns when all that was published until now is in the mailboxes of every node.
    async fn settle(&self);
}

struct Alone([Node; 1]);

impl Nodes for Alone {
    async fn make() -> Self {
        let hub = Arc::new(Hub::new(Arc::new(Metrics::new())));
        hub.start(true, ()).unwrap();
        let tokens = TokenVerifier::new(&AuthConfig::new(Secret::new("a secret for tests, longer than 32 bytes")));
        let (clock, _) = Clock::manual(TimeZone::UTC, "2026-03-01T12:00:00Z".parse().unwrap());
        let broker = Arc::new(Broker::of_one_node(Arc::clone(&hub), Arc::clone(tokens.dismissed()), &clock));
        Self([Node { hub, broker, tokens, calls: Idempotency::new(None) }])
    }

    fn each(&self) -> &[Node] {
        &self.0
    }

    async fn settle(&self) {
        self.0[0].hub.until_handed_out().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_lost_nor_comes_twice_nor_goes_back_on_a_node_that_is_alone(script in promises::script()) {
        promises::everybody_has_one_order::<Alone>(&script);
    }
}

#[test]
fn who_was_away_for_too_long_is_told_of_a_gap_on_a_node_that_is_alone() {
    promises::what_cannot_be_replayed_is_said::<Alone>();
}

#[test]
fn a_call_with_a_key_is_settled_with_its_events_on_a_node_that_is_alone() {
    promises::a_call_is_settled_with_its_events::<Alone>();
}

#[test]
fn dismissed_users_are_ended_and_their_tokens_barred_on_a_node_that_is_alone() {
    promises::who_is_dismissed_is_gone_everywhere::<Alone>();
}

#[test]
fn a_listener_is_known_while_it_is_there_on_a_node_that_is_alone() {
    promises::a_listener_is_known_everywhere::<Alone>();
}
