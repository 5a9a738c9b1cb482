//! What every broker has to keep, whatever lies between its nodes.

mod alone;
mod client;
pub(super) mod contract;
mod joining;
pub(crate) mod memory;
pub(super) mod newer;
mod promises;
mod several;
mod shared;
mod turns;

use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::*;
use crate::access::token::TokenVerifier;
use crate::config::{AuthConfig, Secret};
use crate::idempotency::Idempotency;
use crate::telemetry::metrics::Metrics;

/// Who waits for something looks again after this.
const LOOK: Duration = Duration::from_millis(1);

/// A node of those that have their log in `memory`.
pub(crate) fn member(memory: &memory::Memory, number: usize) -> Several {
    member_by(Arc::new(memory.way(number)), number)
}

/// A node of those that have the log to which `engine` leads.
fn member_by(engine: Arc<dyn log::Engine>, number: usize) -> Several {
    let (name, clients) = (number.to_string(), TaskTracker::new());
    Several { engine, name, fingerprints: [0; 3], names: Vec::new(), clients }
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
    metrics: Arc<Metrics>,
}

impl Node {
    /// By itself.
    fn alone() -> Self {
        Self::with(|hub, dismissed, _, clock, _| Broker::of_one_node(hub, dismissed, clock))
    }

    /// Among others; [`Self::run`] is to be said.
    fn among(several: Several) -> Self {
        Self::with(|hub, dismissed, answers, clock, metrics| {
            Broker::of_several_nodes(several, hub, dismissed, answers, clock, metrics)
        })
    }

    fn with(broker: impl FnOnce(Arc<Hub>, Arc<Dismissed>, Arc<Answers>, &Clock, Arc<Metrics>) -> Broker) -> Self {
        let metrics = Arc::new(Metrics::new());
        let hub = Arc::new(Hub::new(Arc::clone(&metrics)));
        let tokens = TokenVerifier::new(&AuthConfig::new(Secret::new("a secret for tests, longer than 32 bytes")));
        let (clock, _) = Clock::manual(TimeZone::UTC, "2026-03-01T12:00:00Z".parse().unwrap());
        let calls = Idempotency::new(None);
        let (dismissed, answers) = (Arc::clone(tokens.dismissed()), Arc::clone(calls.answers()));
        let broker = Arc::new(broker(Arc::clone(&hub), dismissed, answers, &clock, Arc::clone(&metrics)));
        Self { hub, broker, tokens, calls, metrics }
    }

    /// Keeps in touch with the others until `stop`.
    fn run(&self, stop: CancellationToken) -> tokio::task::JoinHandle<()> {
        let broker = Arc::clone(&self.broker);
        tokio::spawn(async move { broker.run(stop).await })
    }

    /// Of those that have the log to which `engine` leads, and lets clients in.
    async fn start(several: Several, stop: &CancellationToken) -> Self {
        let node = Self::among(several);
        node.hub.start(true, ()).unwrap();
        node.run(stop.clone());
        node.broker.until_level().await;
        node.broker.open();
        node
    }
}

async fn until(is: impl Fn() -> bool) {
    while !is() {
        sleep(LOOK).await;
    }
}
