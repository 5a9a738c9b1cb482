//! The promises, tried on a node that is alone.

use proptest::prelude::*;

use super::promises::{Nodes, promises};
use super::*;

struct Alone([Node; 1]);

impl Nodes for Alone {
    async fn make() -> Self {
        let node = Node::alone();
        node.hub.start(true, ()).unwrap();
        Self([node])
    }

    fn each(&self) -> &[Node] {
        &self.0
    }

    async fn settle(&self) {
        self.0[0].hub.until_handed_out().await;
    }
}

promises!(Alone, 96);
