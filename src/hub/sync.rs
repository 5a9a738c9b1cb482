//! What the mailbox is locked and woken with: one place, so that a model checker can put its own in.

pub(super) use std::sync::{Mutex, MutexGuard};

pub(super) use futures_util::task::AtomicWaker;
