//! Which request of a polling session is held, and when it ends without anything to give.
//!
//! Pure: knows neither requests nor packets. Its owner gives a held request what it has.

use std::time::Duration;

use tokio::time::Instant;

/// After the probe no request is held for longer: a client that is about to leave polling waits for its last one.
const SHORT: Duration = Duration::from_millis(100);

/// `G`: a request for what waits.
#[derive(Debug)]
pub(super) struct Polls<G> {
    held: Option<G>,
    probing: Probing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probing {
    No,
    /// A WebSocket has shown that it works, and may take over at any moment. `ends_at`: of the request that is held.
    Works {
        ends_at: Instant,
    },
}

impl<G> Polls<G> {
    pub(super) fn new() -> Self {
        Self { held: None, probing: Probing::No }
    }

    /// A request comes; it is given back if one is held already: there may be one at a time.
    pub(super) fn hold(&mut self, get: G, now: Instant) -> Result<(), G> {
        if self.held.is_some() {
            return Err(get);
        }
        self.held = Some(get);
        if let Probing::Works { ends_at } = &mut self.probing {
            *ends_at = now + SHORT;
        }
        Ok(())
    }

    /// Whether there is a request to give something to.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    pub(super) fn held(&mut self) -> Option<&mut G> {
        self.held.as_mut()
    }

    /// The held request, to be answered.
    pub(super) fn take(&mut self) -> Option<G> {
        self.held.take()
    }

    /// A WebSocket works. Returns the request that ends with nothing.
    pub(super) fn on_probe(&mut self, now: Instant) -> Option<G> {
        self.probing = Probing::Works { ends_at: now };
        self.held.take()
    }

    /// The WebSocket did not take over: requests are held as before.
    pub(super) fn on_probe_failed(&mut self) {
        self.probing = Probing::No;
    }

    /// When the held request has to end.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.probing {
            Probing::Works { ends_at } if self.is_held() => Some(ends_at),
            _ => None,
        }
    }

    /// The request that ends with nothing now.
    pub(super) fn on_time(&mut self, now: Instant) -> Option<G> {
        self.due().filter(|due| *due <= now)?;
        self.held.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_request_is_held_and_a_second_comes_back() {
        let now = Instant::now();
        let mut polls = Polls::new();
        assert_eq!(polls.hold(1, now), Ok(()));
        assert_eq!(polls.hold(2, now), Err(2));
        assert_eq!(
            (polls.due(), polls.on_time(now + Duration::from_hours(1))),
            (None, None),
            "held for as long as need be"
        );
        assert_eq!(polls.take(), Some(1));
        assert_eq!(polls.hold(3, now), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_ends_the_held_request_at_once_and_later_ones_soon() {
        let now = Instant::now();
        let mut polls = Polls::new();
        assert_eq!(polls.hold(1, now), Ok(()));
        assert_eq!(polls.on_probe(now), Some(1));
        assert_eq!((polls.due(), polls.on_time(now)), (None, None), "nothing is held");
        // The client asks again before it knows that its probe has been answered.
        assert_eq!(polls.hold(2, now), Ok(()));
        assert_eq!(polls.due(), Some(now + SHORT));
        assert_eq!(polls.on_time(now + SHORT / 2), None);
        assert_eq!(polls.on_time(now + SHORT), Some(2));
        // A client that never takes over asks some ten times a second, not thousands of times.
        assert_eq!(polls.hold(3, now + SHORT), Ok(()));
        assert_eq!(polls.on_time(now + SHORT), None);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_probe_that_led_to_nothing_requests_are_held_as_before() {
        let now = Instant::now();
        let mut polls = Polls::new();
        assert_eq!(polls.on_probe(now), None);
        assert_eq!(polls.hold(1, now), Ok(()));
        polls.on_probe_failed();
        assert_eq!((polls.due(), polls.on_time(now + Duration::from_hours(1))), (None, None));
        assert_eq!(polls.on_probe(now), Some(1), "and a second WebSocket may try");
    }
}
