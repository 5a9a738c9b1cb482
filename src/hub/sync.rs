//! What the mailbox is locked and woken with: one place, so that a model checker can put its own in.

pub use std::sync::{Mutex, MutexGuard};

pub use futures_util::task::AtomicWaker;
