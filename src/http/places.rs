//! How many of each there may be at once. Every place is a guard that gives itself back.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use super::bodies::{Bodies, BodyPlace};
use super::connects::Connects;
use super::visitors::Visitors;
use crate::address::{Address, Network};
use crate::config::ConnectionLimits;
use crate::newcomers::{NewcomerPlace, Newcomers, NoPlaces};
use crate::telemetry::metrics::Metrics;

/// How often room is made for one connection, for who is pushed out may have gone on at that very moment.
const MAKE_ROOM: usize = 3;
const MAKE_ROOM_TIMEOUT: Duration = Duration::from_millis(50);

/// The places of this node.
#[derive(Debug)]
pub struct Places {
    connections: Arc<Semaphore>,
    websockets: Arc<Semaphore>,
    newcomers: Arc<Newcomers>,
    pub(super) visitors: Arc<Visitors>,
    pub(super) connects: Connects,
    hooks: Arc<Semaphore>,
    /// As many again for who has no key to show, so that they take none of the others'.
    open_hooks: Arc<Semaphore>,
    max_hooks: usize,
    bodies: Bodies,
    open_bodies: Bodies,
    addresses: Arc<DashMap<Network, usize>>,
    max_per_address: Option<usize>,
}

/// One connection of an address.
#[derive(Debug)]
pub struct AddressPlace {
    network: Network,
    addresses: Arc<DashMap<Network, usize>>,
}

/// Who calls a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Carries a key.
    Known,
    /// Needs none.
    Anybody,
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
    pub fn new(limits: &ConnectionLimits, max_hooks: usize, metrics: &Arc<Metrics>) -> Self {
        Self {
            connections: semaphore(limits.max_websockets.saturating_add(limits.max_http)),
            websockets: semaphore(limits.max_websockets),
            newcomers: Arc::new(Newcomers::new(limits.max_unauthenticated)),
            visitors: Visitors::new(limits, metrics),
            connects: Connects::new(limits),
            hooks: semaphore(max_hooks),
            open_hooks: semaphore(max_hooks),
            max_hooks,
            bodies: Bodies::new(max_hooks),
            open_bodies: Bodies::new(max_hooks),
            addresses: Arc::default(),
            max_per_address: limits.max_per_address,
        }
    }

    /// A TCP connection, whatever it becomes. When all places are taken one that carries no client goes.
    pub(super) async fn connection(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.connections).try_acquire_owned().ok();
        for _ in 0..MAKE_ROOM {
            if place.is_some() || !self.visitors.make_room() {
                break;
            }
            // Who goes needs a moment to.
            if let Ok(Ok(place)) = timeout(MAKE_ROOM_TIMEOUT, Arc::clone(&self.connections).acquire_owned()).await {
                return Some(place);
            }
        }
        place
    }

    /// A WebSocket. Fewer than connections, so that dashboards never keep a hook or a health check out.
    pub(super) fn websocket(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.websockets).try_acquire_owned().ok()
    }

    /// Somebody without a token, and whether another of them had to go for it.
    pub(super) fn newcomer(&self, address: Address) -> Result<(NewcomerPlace, bool), NoPlaces> {
        self.newcomers.enter(address)
    }

    /// A call whose body is there. To be held until what it asks for is done.
    pub(super) fn hook(&self, caller: Caller) -> Option<OwnedSemaphorePermit> {
        let hooks = match caller {
            Caller::Known => &self.hooks,
            Caller::Anybody => &self.open_hooks,
        };
        Arc::clone(hooks).try_acquire_owned().ok()
    }

    /// A body that did not come with its head.
    pub(super) fn body(&self, caller: Caller, address: Address) -> BodyPlace {
        match caller {
            Caller::Known => self.bodies.begin(address),
            Caller::Anybody => self.open_bodies.begin(address),
        }
    }

    /// From now on no hook call begins. Returns when the last one is done, or at `deadline` with an error.
    pub async fn end_hooks(&self, deadline: Instant) -> Result<(), Elapsed> {
        let all = u32::try_from(self.max_hooks).unwrap_or(u32::MAX);
        let both = async { tokio::join!(self.hooks.acquire_many(all), self.open_hooks.acquire_many(all)) };
        let both = timeout_at(deadline, both).await;
        // Before those places come free again, and when they have not come free in time.
        self.hooks.close();
        self.open_hooks.close();
        both.map(drop)
    }

    /// A connection of `address`. `Ok(None)` when addresses are not counted or this one stands for many, `Err` when it has
    /// too many. Boxed, because every connection holds what nearly none has.
    pub(super) fn address(&self, address: Address) -> Result<Option<Box<AddressPlace>>, TooManyFromAddress> {
        let (Some(most), Some(network)) = (self.max_per_address, address.own_network()) else { return Ok(None) };
        let mut count = self.addresses.entry(network).or_insert(0);
        if *count >= most {
            return Err(TooManyFromAddress);
        }
        *count += 1;
        Ok(Some(Box::new(AddressPlace { network, addresses: Arc::clone(&self.addresses) })))
    }
}

/// An address holds as many connections as it may.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooManyFromAddress;

impl Drop for AddressPlace {
    fn drop(&mut self) {
        if let Some(mut count) = self.addresses.get_mut(&self.network) {
            *count -= 1;
        }
        self.addresses.remove_if(&self.network, |_, count| *count == 0);
    }
}

fn semaphore(places: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_address_at_its_cap_is_refused_until_one_of_its_connections_ends() {
        let limits = ConnectionLimits { max_per_address: Some(2), ..ConnectionLimits::default() };
        let places = Places::new(&limits, 1, &Arc::default());
        let [one, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|ip| Address::of(ip.into()));
        let first = places.address(one).unwrap();
        let _second = places.address(one).unwrap();
        assert!(places.address(one).is_err());
        assert!(places.address(other).is_ok());
        drop(first);
        assert!(places.address(one).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn once_hooks_have_ended_none_begins_again() {
        let places = Arc::new(Places::new(&ConnectionLimits::default(), 3, &Arc::default()));
        let under_way = places.hook(Caller::Known).unwrap();
        let ending = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.end_hooks(Instant::now() + Duration::from_secs(5)).await }
        });
        tokio::task::yield_now().await;
        assert!(places.hook(Caller::Known).is_none(), "one ends while another is under way");
        drop(under_way);
        assert!(ending.await.unwrap().is_ok());
        assert!(places.hook(Caller::Known).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_leaves_its_place_to_nobody() {
        let places = Places::new(&ConnectionLimits::default(), 3, &Arc::default());
        let under_way = places.hook(Caller::Known).unwrap();
        assert!(places.end_hooks(Instant::now() + Duration::from_secs(5)).await.is_err());
        assert!(places.hook(Caller::Known).is_none());
        drop(under_way);
        assert!(places.hook(Caller::Known).is_none());
    }
}
