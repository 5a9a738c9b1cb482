//! How much a client may still ask for: a burst at once, then a steady rate.

use tokio::time::Instant;

/// A token bucket.
#[derive(Debug)]
pub struct Allowance {
    burst: f64,
    per_second: f64,
    left: f64,
    since: Instant,
}

impl Allowance {
    pub fn new(burst: u32, per_second: u32) -> Self {
        let burst = f64::from(burst);
        Self { burst, per_second: f64::from(per_second), left: burst, since: Instant::now() }
    }

    /// Takes one; false when nothing is left.
    pub fn take(&mut self) -> bool {
        let now = Instant::now();
        let earned = now.duration_since(self.since).as_secs_f64() * self.per_second;
        self.since = now;
        self.left = (self.left + earned).min(self.burst);
        let allowed = self.left >= 1.0;
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_the_steady_rate() {
        let mut allowance = Allowance::new(3, 2);
        assert_eq!((0..5).filter(|_| allowance.take()).count(), 3);
        advance(Duration::from_secs(1)).await;
        assert_eq!((0..5).filter(|_| allowance.take()).count(), 2);
        advance(Duration::from_hours(1)).await;
        assert_eq!((0..5).filter(|_| allowance.take()).count(), 3);
    }
}
