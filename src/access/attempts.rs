//! Failed attempts by address, over the last minute.
//!
//! Must not know what was attempted.

use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use crate::address::{Address, Network};

const MINUTE: Duration = Duration::from_mins(1);
/// Addresses remembered; beyond them those of the minute before are forgotten, then all.
const REMEMBERED: usize = 100_000;

/// A minute begins with the first failure in it.
#[derive(Debug)]
pub struct Attempts {
    most: u32,
    addresses: DashMap<Network, Count>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Instant,
    failed: u32,
}

impl Attempts {
    /// `most`: failures of one address in a minute; beyond them it is asked to wait.
    pub fn new(most: u32) -> Self {
        Self { most, addresses: DashMap::new() }
    }

    /// One more failure. Of somebody who cannot be told from others nothing is counted: they would all be locked out.
    pub fn count(&self, address: Address) {
        let Some(network) = address.own_network() else { return };
        let now = Instant::now();
        if self.addresses.len() >= REMEMBERED {
            self.addresses.retain(|_, count| now.duration_since(count.since) < MINUTE);
            if self.addresses.len() >= REMEMBERED {
                self.addresses.clear();
            }
        }
        let mut count = self.addresses.entry(network).or_insert(Count { since: now, failed: 0 });
        if now.duration_since(count.since) >= MINUTE {
            *count = Count { since: now, failed: 0 };
        }
        count.failed = count.failed.saturating_add(1);
    }

    /// How often the address may still fail in this minute.
    pub fn left(&self, address: Address) -> u32 {
        let count = address.own_network().and_then(|network| self.addresses.get(&network).map(|count| *count));
        let failed = count.filter(|count| count.since.elapsed() < MINUTE).map_or(0, |count| count.failed);
        self.most.saturating_sub(failed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_fails_too_often_waits_for_the_minute_to_pass_and_others_do_not() {
        let attempts = Attempts::new(3);
        let [one, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|ip| Address::of(ip.into()));
        for _ in 0..3 {
            assert!(attempts.left(one) > 0);
            attempts.count(one);
        }
        assert_eq!((attempts.left(one), attempts.left(other)), (0, 3));
        advance(MINUTE).await;
        assert_eq!(attempts.left(one), 3);
        attempts.count(one);
        assert_eq!(attempts.left(one), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_locked_out_for_somebody_else_behind_a_proxy_that_hides_them() {
        let (attempts, hidden) = (Attempts::new(1), Address::hidden_behind([10, 0, 0, 1].into()));
        for _ in 0..3 {
            attempts.count(hidden);
        }
        assert_eq!((attempts.left(hidden), attempts.left(Address::of([10, 0, 0, 1].into()))), (1, 1));
    }
}
