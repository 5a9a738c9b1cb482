//! A lock and a waker whose interleavings are tried.

use std::task::Waker;

pub use loom::sync::{Mutex, MutexGuard};

#[derive(Debug, Default)]
pub struct AtomicWaker(loom::future::AtomicWaker);

impl AtomicWaker {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn register(&self, waker: &Waker) {
        self.0.register_by_ref(waker);
    }

    pub fn wake(&self) {
        self.0.wake();
    }
}
