//! How far this node is on its way out: said once by who stops it, asked at every request.

use std::sync::atomic::{AtomicU8, Ordering};

const ANNOUNCED: u8 = 1;
const UNDER_WAY: u8 = 2;

/// Only ever goes on.
#[derive(Debug, Default)]
pub struct Departure(AtomicU8);

impl Departure {
    /// Balancers are to send nobody here any more: `/ready` says no, and every answer ends its connection.
    pub fn announce(&self) {
        self.0.fetch_max(ANNOUNCED, Ordering::Relaxed);
    }

    /// From now on nothing new is begun either.
    pub fn begin(&self) {
        self.0.fetch_max(UNDER_WAY, Ordering::Relaxed);
    }

    pub fn is_announced(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= ANNOUNCED
    }

    pub fn is_under_way(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= UNDER_WAY
    }
}
