//! The promises, tried on three nodes that share a log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::DropGuard;

use super::memory::Memory;
use super::*;
use crate::hub::mailbox::Mailbox;
use crate::model::RestauranteId;
use crate::publication::Encoding;

const NODES: usize = 3;
const LOOK: Duration = Duration::from_millis(1);

struct Shared {
    nodes: Vec<Node>,
    marks: AtomicU64,
    _stop: DropGuard,
}

impl Shared {
    async fn start(memory: &Memory, number: usize, stop: &CancellationToken) -> Node {
        let hub = Arc::new(Hub::new(Arc::new(Metrics::new())));
        hub.start(true, ()).unwrap();
        let tokens = TokenVerifier::new(&AuthConfig::new(Secret::new("a secret for tests, longer than 32 bytes")));
        let (clock, _) = Clock::manual(TimeZone::UTC, "2026-03-01T12:00:00Z".parse().unwrap());
        let calls = Idempotency::new(None);
        let several = member(memory, number);
        let (dismissed, answers) = (Arc::clone(tokens.dismissed()), Arc::clone(calls.answers()));
        let metrics = Arc::new(Metrics::new());
        let broker = Arc::new(Broker::of_several_nodes(several, Arc::clone(&hub), dismissed, answers, &clock, metrics));
        let (running, stopped) = (Arc::clone(&broker), stop.clone());
        tokio::spawn(async move { running.run(stopped).await });
        broker.until_level().await;
        broker.open();
        Node { hub, broker, tokens, calls }
    }

    /// Each node has read what each other has written before.
    async fn mark(&self) {
        let mut awaited = Vec::new();
        for (from, writer) in self.nodes.iter().enumerate() {
            let tenant = Tenant::new(&format!("mark {}", self.marks.fetch_add(1, Ordering::Relaxed)));
            for (_, reader) in self.nodes.iter().enumerate().filter(|(to, _)| *to != from) {
                let mailbox = Arc::new(Mailbox::new(1, Encoding::Lines));
                let membership = reader.hub.join(Channel::Sync(tenant.clone()), &mailbox);
                awaited.push((mailbox, membership));
            }
            writer.broker.ring(tenant);
        }
        for (mailbox, _membership) in awaited {
            while mailbox.try_next().is_none() {
                sleep(LOOK).await;
            }
        }
    }
}

impl Nodes for Shared {
    async fn make() -> Self {
        let (memory, stop) = (Memory::new(1), CancellationToken::new());
        let mut nodes = Vec::new();
        for number in 0..NODES {
            nodes.push(Self::start(&memory, number, &stop).await);
        }
        let shared = Self { nodes, marks: AtomicU64::new(0), _stop: stop.drop_guard() };
        // Who began later does not know what was before it: positions are good everywhere from the first event on.
        let first = Draft::new(Channel::Restaurante(RestauranteId::new("first")), "0");
        shared.nodes[0].broker.publish(vec![first], None).await.unwrap();
        shared.settle().await;
        shared
    }

    fn each(&self) -> &[Node] {
        &self.nodes
    }

    async fn settle(&self) {
        // What is rung at once is written in any order: behind the second everything is.
        self.mark().await;
        self.mark().await;
        for node in &self.nodes {
            // What has just rung elsewhere may keep a bell from ringing at once.
            while !node.broker.doorbells.is_rested(&promises::tenant()) {
                sleep(LOOK).await;
            }
            node.hub.until_handed_out().await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_lost_nor_comes_twice_nor_goes_back_on_nodes_that_share_a_log(script in promises::script()) {
        promises::everybody_has_one_order::<Shared>(&script);
    }
}

#[test]
fn who_was_away_for_too_long_is_told_of_a_gap_on_nodes_that_share_a_log() {
    promises::what_cannot_be_replayed_is_said::<Shared>();
}

#[test]
fn a_call_with_a_key_is_settled_with_its_events_on_nodes_that_share_a_log() {
    promises::a_call_is_settled_with_its_events::<Shared>();
}

#[test]
fn dismissed_users_are_ended_and_their_tokens_barred_on_nodes_that_share_a_log() {
    promises::who_is_dismissed_is_gone_everywhere::<Shared>();
}

#[test]
fn a_listener_is_known_while_it_is_there_on_nodes_that_share_a_log() {
    promises::a_listener_is_known_everywhere::<Shared>();
}
