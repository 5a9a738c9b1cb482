//! How many of each there may be at once. Every place is a guard that gives itself back.

use std::net::IpAddr;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ConnectionLimits;

/// The places of this node.
#[derive(Debug)]
pub struct Places {
    connections: Arc<Semaphore>,
    websockets: Arc<Semaphore>,
    unauthenticated: Arc<Semaphore>,
    hooks: Arc<Semaphore>,
    max_hooks: usize,
    addresses: Arc<DashMap<IpAddr, usize>>,
    max_per_address: Option<usize>,
}

/// One connection of an address.
#[derive(Debug)]
pub struct AddressPlace {
    address: IpAddr,
    addresses: Arc<DashMap<IpAddr, usize>>,
}

/// What a WebSocket occupies beside its connection.
#[derive(Debug)]
pub struct WebsocketPlace {
    _permit: OwnedSemaphorePermit,
    _address: Option<Box<AddressPlace>>,
}

impl WebsocketPlace {
    pub(super) fn new(permit: OwnedSemaphorePermit, address: Option<Box<AddressPlace>>) -> Self {
        Self { _permit: permit, _address: address }
    }
}

impl Places {
    pub fn new(limits: &ConnectionLimits, max_hooks: usize) -> Self {
        Self {
            connections: semaphore(limits.max_websockets.saturating_add(limits.max_http)),
            websockets: semaphore(limits.max_websockets),
            unauthenticated: semaphore(limits.max_unauthenticated),
            hooks: semaphore(max_hooks),
            max_hooks,
            addresses: Arc::default(),
            max_per_address: limits.max_per_address,
        }
    }

    /// A TCP connection, whatever it becomes.
    pub(super) fn connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    /// A WebSocket. Fewer than connections, so that dashboards never keep a hook or a health check out.
    pub(super) fn websocket(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.websockets).try_acquire_owned().ok()
    }

    pub(super) fn unauthenticated(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.unauthenticated).try_acquire_owned().ok()
    }

    pub(super) fn hook(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.hooks).try_acquire_owned().ok()
    }

    /// Waits until no hook call is under way.
    pub async fn hooks_done(&self) {
        let all = u32::try_from(self.max_hooks).unwrap_or(u32::MAX);
        // The semaphore is never closed; if it were, nothing would be under way either.
        let _ = self.hooks.acquire_many(all).await;
    }

    /// A connection of `address`. `Ok(None)` when addresses are not counted, `Err` when it has too many. Boxed, because
    /// every connection holds what nearly none has.
    pub(super) fn address(&self, address: IpAddr) -> Result<Option<Box<AddressPlace>>, TooManyFromAddress> {
        let Some(most) = self.max_per_address else { return Ok(None) };
        let mut count = self.addresses.entry(address).or_insert(0);
        if *count >= most {
            return Err(TooManyFromAddress);
        }
        *count += 1;
        Ok(Some(Box::new(AddressPlace { address, addresses: Arc::clone(&self.addresses) })))
    }
}

/// An address holds as many connections as it may.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooManyFromAddress;

impl Drop for AddressPlace {
    fn drop(&mut self) {
        if let Some(mut count) = self.addresses.get_mut(&self.address) {
            *count -= 1;
        }
        self.addresses.remove_if(&self.address, |_, count| *count == 0);
    }
}

fn semaphore(places: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_at_its_cap_is_refused_until_one_of_its_connections_ends() {
        let limits = ConnectionLimits { max_per_address: Some(2), ..ConnectionLimits::default() };
        let places = Places::new(&limits, 1);
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = places.address(one).unwrap();
        let _second = places.address(one).unwrap();
        assert!(places.address(one).is_err());
        assert!(places.address(other).is_ok());
        drop(first);
        assert!(places.address(one).is_ok());
    }
}
