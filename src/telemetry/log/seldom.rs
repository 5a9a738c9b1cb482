//! A line that is written once a minute at most, however often there is a reason for it, and says how many were left out.
//!
//! For what others can cause without end and an operator has to hear of once. Must not know what the line says.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two lines about the same.
const MINUTE: Duration = Duration::from_mins(1);

/// When a line was last written, and what was left out since.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    /// How many were left out before this one, if it may be written.
    pub fn due(&self) -> Option<u64> {
        let (written, left_out) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.is_some_and(|written| written.elapsed() < MINUTE) {
            *left_out += 1;
            return None;
        }
        *written = Some(Instant::now());
        Some(std::mem::take(left_out))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_one_line_a_minute_that_says_how_many_were_left_out() {
        let seldom = Seldom::default();
        assert_eq!(seldom.due(), Some(0));
        for _ in 0..1_000 {
            assert_eq!(seldom.due(), None);
        }
        advance(MINUTE).await;
        assert_eq!((seldom.due(), seldom.due()), (Some(1_000), None));
    }
}
