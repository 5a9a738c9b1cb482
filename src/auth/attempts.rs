//! Failed attempts by address, over the last minute.
//!
//! Must not know what was attempted.

use std::net::IpAddr;
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_mins(1);
/// Addresses remembered; beyond them those of the minute before are forgotten, then all.
const REMEMBERED: usize = 100_000;

/// A minute begins with the first failure in it.
#[derive(Debug)]
pub struct Attempts {
    most: u32,
    addresses: DashMap<IpAddr, Count>,
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

    pub fn count(&self, address: IpAddr) {
        let now = Instant::now();
        if self.addresses.len() >= REMEMBERED {
            self.addresses.retain(|_, count| now.duration_since(count.since) < MINUTE);
            if self.addresses.len() >= REMEMBERED {
                self.addresses.clear();
            }
        }
        let mut count = self.addresses.entry(address).or_insert(Count { since: now, failed: 0 });
        if now.duration_since(count.since) >= MINUTE {
            *count = Count { since: now, failed: 0 };
        }
        count.failed = count.failed.saturating_add(1);
    }

    /// Whether the address has failed too often to try again just now.
    pub fn are_too_many(&self, address: IpAddr) -> bool {
        let count = self.addresses.get(&address).map(|count| *count);
        count.is_some_and(|count| count.failed >= self.most && count.since.elapsed() < MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_fails_too_often_waits_for_the_minute_to_pass_and_others_do_not() {
        let attempts = Attempts::new(3);
        let (one, other) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        for _ in 0..3 {
            assert!(!attempts.are_too_many(one));
            attempts.count(one);
        }
        assert!(attempts.are_too_many(one) && !attempts.are_too_many(other));
        advance(MINUTE).await;
        assert!(!attempts.are_too_many(one));
        attempts.count(one);
        assert!(!attempts.are_too_many(one));
    }
}
