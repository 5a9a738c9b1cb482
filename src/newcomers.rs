//! Places of those whom nobody knows yet, shared out by address: when they run out somebody goes, and who comes gets in.
//!
//! Must not know what a newcomer is carried by.

mod crowd;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::address::Address;
use crowd::{Crowd, Ticket};

/// `MAX_UNAUTHENTICATED` places.
#[derive(Debug)]
pub struct Newcomers {
    most: usize,
    crowd: Mutex<Crowd<Seat>>,
}

/// One of them, given back by being dropped.
pub struct NewcomerPlace {
    newcomers: Arc<Newcomers>,
    ticket: Ticket,
}

/// What becomes of who is pushed out.
type Tell = Box<dyn FnOnce() + Send>;

/// What is known of a newcomer while its place is its own.
#[derive(Default)]
struct Seat {
    tell: Option<Tell>,
}

/// Nobody gets in without a token: there are no places at all.
#[derive(Clone, Copy, Debug)]
pub struct NoPlaces;

impl Newcomers {
    pub fn new(most: usize) -> Self {
        Self { most, crowd: Mutex::new(Crowd::new(most)) }
    }

    /// A place for somebody from `address`, and whether another had to go for it.
    pub fn enter(self: &Arc<Self>, address: Address) -> Result<(NewcomerPlace, bool), NoPlaces> {
        if self.most == 0 {
            return Err(NoPlaces);
        }
        let now = Instant::now();
        let mut crowd = self.lock();
        let pushed_out = if crowd.len() >= self.most { crowd.push_out(now) } else { None };
        let ticket = crowd.enter(address.network(), now, Seat::default());
        drop(crowd);
        let has_pushed = pushed_out.is_some();
        // Nobody is told under the lock: whoever is told gives back what it holds.
        if let Some(tell) = pushed_out.and_then(|seat| seat.tell) {
            tell();
        }
        Ok((NewcomerPlace { newcomers: Arc::clone(self), ticket }, has_pushed))
    }

    fn lock(&self) -> MutexGuard<'_, Crowd<Seat>> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NewcomerPlace {
    /// `tell` is called once if this place has to be left for another's sake; at once if that has happened already.
    pub fn on_pushed_out(&self, tell: impl FnOnce() + Send + 'static) {
        let mut crowd = self.newcomers.lock();
        if let Some(seat) = crowd.get_mut(self.ticket) {
            seat.tell = Some(Box::new(tell));
            return;
        }
        drop(crowd);
        tell();
    }
}

impl Drop for NewcomerPlace {
    fn drop(&mut self) {
        let seat = self.newcomers.lock().leave(self.ticket);
        // Outside of the lock: it may hold the last of something.
        drop(seat);
    }
}

impl fmt::Debug for NewcomerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NewcomerPlace").field(&self.ticket).finish()
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seat")
    }
}
