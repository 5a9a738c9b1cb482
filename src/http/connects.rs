//! How often an address may begin a client: `CONNECTS_PER_ADDRESS` a second, `CONNECTS_BURST` at once.
//!
//! Must not know what a client is carried by.

use dashmap::DashMap;

use crate::address::{Address, Network};
use crate::rate_limit::RateLimit;

use crate::config::ConnectionLimits;

/// Addresses remembered; beyond them those that have their whole rate again are forgotten, then all.
const REMEMBERED: usize = 100_000;

/// The allowances of all addresses; `None` where nobody is limited.
#[derive(Debug)]
pub(super) struct Connects(Option<Limited>);

#[derive(Debug)]
struct Limited {
    rate: u32,
    burst: u32,
    addresses: DashMap<Network, RateLimit>,
}

impl Connects {
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        let burst = limits.connects_burst;
        Self(limits.connects_per_address.map(|rate| Limited { rate, burst, addresses: DashMap::new() }))
    }

    /// Whether one more may begin now; then it is counted. Who cannot be told from others is not limited.
    pub(super) fn take(&self, address: Address) -> bool {
        let (Some(limited), Some(network)) = (&self.0, address.own_network()) else { return true };
        let Limited { rate, burst, addresses } = limited;
        if addresses.len() >= REMEMBERED {
            addresses.retain(|_, limit| !limit.is_whole());
            if addresses.len() >= REMEMBERED {
                addresses.clear();
            }
        }
        addresses.entry(network).or_default().take(*burst, *rate)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_begins_so_many_clients_and_others_begin_theirs() {
        let limits =
            ConnectionLimits { connects_per_address: Some(2), connects_burst: 3, ..ConnectionLimits::default() };
        let connects = Connects::new(&limits);
        let [one, other] = ["2001:db8::1", "192.0.2.1"].map(|ip| Address::of(ip.parse().unwrap()));
        let hidden = Address::hidden_behind([10, 0, 0, 1].into());
        let taken = |address| (0..5).filter(|_| connects.take(address)).count();
        assert_eq!([taken(one), taken(other), taken(hidden)], [3, 3, 5]);
        advance(Duration::from_secs(1)).await;
        assert_eq!(taken(one), 2);
    }
}
