//! Room for what is bounded in all: the bytes of results that are kept (`RESULTS_BYTES`), transactions that are looked for.
//!
//! Must not know what it is taken for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for so much.
#[derive(Debug)]
pub(super) struct Space {
    most: usize,
    held: AtomicUsize,
}

/// Taken for one result, until it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    space: Arc<Space>,
    amount: usize,
}

impl Space {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: AtomicUsize::new(0) })
    }

    /// `None` where there is none left.
    pub(super) fn take(self: &Arc<Self>, amount: usize) -> Option<Taken> {
        let grown = |held: usize| held.checked_add(amount).filter(|held| *held <= self.most);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).ok()?;
        Some(Taken { space: Arc::clone(self), amount })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.space.held.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_makes_room_and_nothing_is_kept_beyond() {
        let space = Space::new(100);
        let first = space.take(60).unwrap();
        assert!(space.take(41).is_none());
        let second = space.take(40).unwrap();
        assert!(space.take(1).is_none());
        drop(first);
        assert!(space.take(60).is_some());
        drop(second);
        assert!(space.take(100).is_some());
        assert!(space.take(usize::MAX).is_none());
    }
}
