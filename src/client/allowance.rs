//! How much a client may still ask for: a burst at once, then a steady rate.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket, kept as the moment at which it will be full again: a client has several, and is idle.
#[derive(Debug)]
pub struct Allowance {
    full_at: Instant,
}

/// A full one.
impl Default for Allowance {
    fn default() -> Self {
        Self { full_at: Instant::now() }
    }
}

impl Allowance {
    /// Takes one; false when nothing is left. The bucket holds `burst` and gains `per_second`.
    pub fn take(&mut self, burst: u32, per_second: u32) -> bool {
        let now = Instant::now();
        let each = Duration::from_secs(1) / per_second.max(1);
        let full_at = self.full_at.max(now) + each;
        let allowed = full_at - now <= each * burst;
        if allowed {
            self.full_at = full_at;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_the_steady_rate() {
        let mut allowance = Allowance::default();
        let mut taken = || (0..5).filter(|_| allowance.take(3, 2)).count();
        assert_eq!(taken(), 3);
        advance(Duration::from_secs(1)).await;
        assert_eq!(taken(), 2);
        advance(Duration::from_millis(250)).await;
        assert_eq!(taken(), 0);
        advance(Duration::from_hours(1)).await;
        assert_eq!(taken(), 3);
    }
}
