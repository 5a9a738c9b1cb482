//! The end of a token, looked for by the wall clock; and before it, once a token, that it comes: early enough for its
//! holder to fetch another.
//!
//! Must not know whose it is, nor how it is said.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{CloseReason, Wording};
use crate::session::SessionContext;

/// Longest time between two looks: timers stand still while a machine sleeps.
const LOOK: Duration = Duration::from_secs(30);
/// How long before the end that is said, at most.
const LEAD: Duration = Duration::from_mins(1);
/// The same of what a token has left when it comes: who gets short ones is not to be asked without end.
const PART: u32 = 10;

/// The end of a token.
#[derive(Debug)]
pub struct Expiry {
    /// Unix seconds.
    expires_at: i64,
    watch: Watch,
}

/// When to look for the end of a token that says itself when that is. Held by every client, so it is small.
#[derive(Debug)]
pub(super) struct Watch {
    /// How long before the end that is to be said, in milliseconds; `None` once it was, and for who is not told.
    lead: Option<u32>,
    look_at: Instant,
}

impl Expiry {
    /// Of a token that has just come. Before its end is told who is spoken to in the second version.
    pub fn new(expires_at: i64, wording: Wording, context: &SessionContext) -> Self {
        Self { expires_at, watch: Watch::new(expires_at, wording, context) }
    }

    /// When to look again.
    pub fn due(&self) -> Instant {
        self.watch.due()
    }

    /// As [`Watch::look`].
    pub fn look(&mut self, now: Instant, context: &SessionContext) -> Result<Option<i64>, CloseReason> {
        self.watch.look(self.expires_at, now, context)
    }
}

impl Watch {
    pub(super) fn new(expires_at: i64, wording: Wording, context: &SessionContext) -> Self {
        let left = time_left(expires_at, context);
        let lead = match wording {
            Wording::First => None,
            Wording::Second => u32::try_from(LEAD.min(left / PART).as_millis()).ok(),
        };
        let mut watch = Self { lead, look_at: Instant::now() };
        watch.look_at += watch.pause(left);
        watch
    }

    pub(super) fn due(&self) -> Instant {
        self.look_at
    }

    /// When the token ends (Unix seconds), once it is time to say so; an error once it has ended.
    pub(super) fn look(
        &mut self,
        expires_at: i64,
        now: Instant,
        context: &SessionContext,
    ) -> Result<Option<i64>, CloseReason> {
        if self.look_at > now {
            return Ok(None);
        }
        let left = time_left(expires_at, context);
        let is_soon = self.lead.take_if(|lead| left <= millis(*lead)).is_some();
        self.look_at = now + self.pause(left);
        if left.is_zero() { Err(CloseReason::TokenExpired) } else { Ok(is_soon.then_some(expires_at)) }
    }

    /// How long there is nothing to look for.
    fn pause(&self, left: Duration) -> Duration {
        left.saturating_sub(self.lead.map_or(Duration::ZERO, millis)).min(LOOK)
    }
}

fn millis(lead: u32) -> Duration {
    Duration::from_millis(lead.into())
}

/// Until the token ends; zero if it has ended.
fn time_left(expires_at: i64, context: &SessionContext) -> Duration {
    let left = expires_at.saturating_mul(1_000).saturating_sub(context.clock.now().as_millisecond());
    Duration::from_millis(u64::try_from(left).unwrap_or_default())
}
