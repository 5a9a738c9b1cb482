//! The promises, tried on three nodes that share a log.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use tokio_util::sync::DropGuard;

use super::memory::Memory;
use super::promises::{Nodes, promises};
use super::*;
use crate::hub::mailbox::Mailbox;
use crate::model::RestauranteId;
use crate::publication::Encoding;

const NODES: usize = 3;

struct Shared {
    nodes: Vec<Node>,
    marks: AtomicU64,
    _stop: DropGuard,
}

impl Shared {
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
            until(|| mailbox.try_next().is_some()).await;
        }
    }
}

impl Nodes for Shared {
    async fn make() -> Self {
        let (memory, stop) = (Memory::new(1), CancellationToken::new());
        let mut nodes = Vec::new();
        for number in 0..NODES {
            nodes.push(Node::start(member(&memory, number), &stop).await);
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
            until(|| node.broker.doorbells.is_rested(&promises::tenant())).await;
            node.hub.until_handed_out().await;
        }
    }
}

promises!(Shared, 32);
