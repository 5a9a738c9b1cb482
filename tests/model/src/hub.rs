//! What stands around the mailbox in the product, as far as it needs it.

#[path = "../../../src/hub/inner.rs"]
mod inner;
#[path = "../../../src/hub/mailbox.rs"]
#[expect(dead_code, reason = "a part of what the product uses is modelled")]
pub mod mailbox;
#[path = "../../../src/hub/outgoing.rs"]
#[expect(dead_code, reason = "a part of what the product uses is modelled")]
pub mod outgoing;
pub mod outlet;
#[path = "../../../src/hub/queue.rs"]
mod queue;
pub mod sync;
mod writers;
