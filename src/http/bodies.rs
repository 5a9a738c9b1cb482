//! Bodies that are under way: how many there may be, and which goes when there are more.
//!
//! A place here is no place of a call: who sends a body that never ends keeps nobody from calling. Must not know what a
//! body is for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::address::{Address, Network};

/// A body that is younger goes only where no older one is there: an honest one is whole long before.
const YOUTH: Duration = Duration::from_secs(1);

/// The bodies of one kind of callers. When there are too many, the oldest of the address that sends most is given up, so
/// that the next honest one is not.
#[derive(Clone, Debug)]
pub(super) struct Bodies {
    most: usize,
    under_way: Arc<Mutex<UnderWay>>,
}

#[derive(Debug, Default)]
struct UnderWay {
    count: usize,
    begun: u64,
    /// Each address's, oldest first.
    by_address: HashMap<Network, VecDeque<Body>>,
}

#[derive(Debug)]
struct Body {
    number: u64,
    since: Instant,
    /// Dropped when it is given up.
    _given_up: oneshot::Sender<()>,
}

/// The place of one body.
#[derive(Debug)]
pub(super) struct BodyPlace {
    address: Network,
    number: u64,
    under_way: Arc<Mutex<UnderWay>>,
    given_up: oneshot::Receiver<()>,
}

impl Bodies {
    pub(super) fn new(most: usize) -> Self {
        Self { most, under_way: Arc::default() }
    }

    pub(super) fn begin(&self, address: Address) -> BodyPlace {
        let address = address.network();
        let (sender, given_up) = oneshot::channel();
        let mut under_way = lock(&self.under_way);
        if under_way.count >= self.most {
            under_way.give_one_up();
        }
        let number = under_way.begun;
        under_way.begun += 1;
        under_way.count += 1;
        let body = Body { number, since: Instant::now(), _given_up: sender };
        under_way.by_address.entry(address).or_default().push_back(body);
        BodyPlace { address, number, under_way: Arc::clone(&self.under_way), given_up }
    }
}

impl UnderWay {
    fn give_one_up(&mut self) {
        let now = Instant::now();
        let goes = self.by_address.iter().filter_map(|(address, bodies)| {
            let age = now.duration_since(bodies.front()?.since);
            Some(((age >= YOUTH, bodies.len(), age), *address))
        });
        if let Some((_, address)) = goes.max_by_key(|(weight, _)| *weight)
            && let Some(bodies) = self.by_address.get_mut(&address)
            && let Some(oldest) = bodies.front()
        {
            let number = oldest.number;
            self.remove(address, number);
        }
    }

    fn remove(&mut self, address: Network, number: u64) {
        let Some(bodies) = self.by_address.get_mut(&address) else { return };
        let before = bodies.len();
        bodies.retain(|body| body.number != number);
        self.count -= before - bodies.len();
        if bodies.is_empty() {
            self.by_address.remove(&address);
        }
    }
}

impl BodyPlace {
    /// Returns when this body has to go.
    pub(super) async fn given_up(&mut self) {
        // Nothing is ever sent.
        let _ = (&mut self.given_up).await;
    }
}

impl Drop for BodyPlace {
    fn drop(&mut self) {
        lock(&self.under_way).remove(self.address, self.number);
    }
}

fn lock(under_way: &Mutex<UnderWay>) -> MutexGuard<'_, UnderWay> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    fn is_given_up(place: &mut BodyPlace) -> bool {
        place.given_up().now_or_never().is_some()
    }

    fn address(number: u8) -> Address {
        Address::of([10, 0, 0, number].into())
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_of_who_sends_most_goes_and_nobody_elses() {
        let bodies = Bodies::new(4);
        let mut honest = bodies.begin(address(1));
        let mut strangers: Vec<_> = (0..3).map(|_| bodies.begin(address(2))).collect();
        strangers.extend((0..2).map(|_| bodies.begin(address(2))));
        let gone: Vec<_> = strangers.iter_mut().map(is_given_up).collect();
        assert_eq!(gone, [true, true, false, false, false]);
        let mut next = bodies.begin(address(3));
        assert!(!is_given_up(&mut honest) && !is_given_up(&mut next) && is_given_up(&mut strangers[2]));
        drop(strangers);
        let mut more = [bodies.begin(address(4)), bodies.begin(address(5))];
        assert!(!more.iter_mut().any(is_given_up) && !is_given_up(&mut honest));
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_addresses_with_one_each_do_not_push_out_a_shops_three() {
        let bodies = Bodies::new(100);
        let mut strangers: Vec<_> = (0..100).map(|number| bodies.begin(address(number))).collect();
        advance(YOUTH).await;
        let mut shop: Vec<_> = (0..3).map(|_| bodies.begin(address(200))).collect();
        strangers.extend((100..150).map(|number| bodies.begin(address(number))));
        assert!(!shop.iter_mut().any(is_given_up));
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_address() {
        let bodies = Bodies::new(3);
        let ipv6 = |text: &str| Address::of(text.parse().unwrap());
        let mut honest = bodies.begin(ipv6("2001:db8:1::1"));
        let mut same: Vec<_> =
            (1..5).map(|number: u8| bodies.begin(ipv6(&format!("2001:db8:0:0:{number}::1")))).collect();
        let gone: Vec<_> = same.iter_mut().map(is_given_up).collect();
        assert_eq!(gone, [true, true, false, false]);
        assert!(!is_given_up(&mut honest));
    }
}
