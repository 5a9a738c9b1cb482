//! What stands around the mailbox in the product, as far as it needs it.

#[path = "../../../src/hub/mailbox.rs"]
#[expect(dead_code, reason = "a part of what the product uses is modelled")]
pub mod mailbox;
pub mod outlet;
#[path = "../../../src/hub/queue.rs"]
mod queue;
pub mod sync;
mod writers;
