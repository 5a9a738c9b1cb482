//! How much somebody may still ask for: a burst at once, then a steady rate.
//!
//! Must not know what is asked for.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket, kept as the moment at which it will be full again: there are many, and most are idle.
#[derive(Debug)]
pub struct RateLimit {
    full_at: Instant,
}

/// A full one.
impl Default for RateLimit {
    fn default() -> Self {
        Self { full_at: Instant::now() }
    }
}

impl RateLimit {
    /// Takes one; false when nothing is left. The bucket holds `burst` and gains `per_second`.
    pub fn take(&mut self, burst: u32, per_second: u32) -> bool {
        self.turn(burst, per_second, Duration::ZERO).is_some()
    }

    /// Takes one, now or as soon as there is one again: the moment of it. `None`, and nothing is taken, if that is further
    /// away than `patience`.
    pub fn turn(&mut self, burst: u32, per_second: u32, patience: Duration) -> Option<Instant> {
        let now = Instant::now();
        let each = Duration::from_secs(1) / per_second.max(1);
        let full_at = self.full_at.max(now) + each;
        let wait = (full_at - now).saturating_sub(each * burst);
        if wait > patience {
            return None;
        }
        self.full_at = full_at;
        Some(now + wait)
    }

    /// Whether nothing of it is missing.
    pub fn is_whole(&self) -> bool {
        self.full_at <= Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_the_steady_rate() {
        let mut limit = RateLimit::default();
        let mut taken = || (0..5).filter(|_| limit.take(3, 2)).count();
        assert_eq!(taken(), 3);
        advance(Duration::from_secs(1)).await;
        assert_eq!(taken(), 2);
        advance(Duration::from_millis(250)).await;
        assert_eq!(taken(), 0);
        advance(Duration::from_hours(1)).await;
        assert_eq!(taken(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_can_wait_has_its_turn_at_the_steady_rate() {
        let (mut limit, start) = (RateLimit::default(), Instant::now());
        let mut turn = || limit.turn(2, 2, Duration::from_secs(1)).map(|at| (at - start).as_millis());
        assert_eq!([turn(), turn(), turn(), turn(), turn()], [Some(0), Some(0), Some(500), Some(1_000), None]);
        advance(Duration::from_millis(500)).await;
        assert_eq!([turn(), turn()], [Some(1_500), None]);
        assert!(!limit.is_whole());
        advance(Duration::from_secs(3)).await;
        assert!(limit.is_whole());
    }
}
