//! That a token ends soon: said once a token, early enough for its holder to fetch another.
//!
//! Must not know whose it is, nor how it is said.

use std::time::Duration;

use tokio::time::Instant;

use super::identity::{LOOK, time_left};
use crate::session::SessionContext;

/// Before the end, at most.
const LEAD: Duration = Duration::from_mins(1);
/// Of what a token has left when it comes: who gets short ones is not to be asked without end.
const PART: u32 = 10;

#[derive(Debug)]
pub(super) struct Expiring {
    /// Unix seconds.
    expires_at: i64,
    lead: Duration,
    look_at: Instant,
}

impl Expiring {
    /// `expires_at`: the end of a token that has just come.
    pub(super) fn new(expires_at: i64, context: &SessionContext) -> Self {
        let left = time_left(expires_at, context);
        let lead = LEAD.min(left / PART);
        Self { expires_at, lead, look_at: Instant::now() + left.saturating_sub(lead).min(LOOK) }
    }

    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        self.look_at
    }

    /// When the token ends (Unix seconds), once it is time to say so.
    pub(super) fn is_soon(&mut self, now: Instant, context: &SessionContext) -> Option<i64> {
        if self.look_at > now {
            return None;
        }
        let left = time_left(self.expires_at, context).saturating_sub(self.lead);
        self.look_at = now + left.min(LOOK);
        left.is_zero().then_some(self.expires_at)
    }
}
