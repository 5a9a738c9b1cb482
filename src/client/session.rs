//! Who is at the other end of a connection, and until when.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Environment;
use crate::auth::token::Identity;
use crate::close::CloseReason;
use crate::hub::mailbox::Mailbox;
use crate::negocio::UserId;

/// Longest time between two looks at the wall clock: timers stand still while a machine sleeps.
const LOOK: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Session {
    environment: Arc<Environment>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// No token yet.
    Unknown {
        until: Instant,
        _place: Option<OwnedSemaphorePermit>,
    },
    Known {
        identity: Identity,
        expiry: Expiry,
    },
}

/// The end of a token, by the wall clock.
#[derive(Debug)]
pub struct Expiry {
    /// Unix seconds.
    expires_at: i64,
    look_at: Instant,
}

impl Expiry {
    pub fn new(expires_at: i64, environment: &Environment) -> Self {
        let look_at = Instant::now() + time_left(expires_at, environment).min(LOOK);
        Self { expires_at, look_at }
    }

    /// When to look again.
    pub fn due(&self) -> Instant {
        self.look_at
    }

    pub fn is_over(&mut self, now: Instant, environment: &Environment) -> bool {
        if self.look_at > now {
            return false;
        }
        let left = time_left(self.expires_at, environment);
        self.look_at = now + left.min(LOOK);
        left.is_zero()
    }
}

/// Ends a connection whose user was dismissed while it came in; to be called once it can be found by its user.
pub fn end_if_dismissed(environment: &Environment, user: &UserId, issued_at: Option<i64>, mailbox: &Mailbox) {
    if environment.tokens.has_dismissed(user, issued_at) {
        mailbox.dismiss(CloseReason::SessionEnded);
    }
}

impl Session {
    /// `place`: one of the few for connections without a token; given back once there is one.
    pub(super) fn new(
        identity: Option<Identity>,
        place: Option<OwnedSemaphorePermit>,
        environment: &Arc<Environment>,
    ) -> Self {
        let stage = if let Some(identity) = identity {
            known(identity, environment)
        } else {
            environment.metrics.unauthenticated.inc();
            Stage::Unknown { until: Instant::now() + environment.limits.auth_timeout, _place: place }
        };
        Self { environment: Arc::clone(environment), stage }
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
        match &self.stage {
            Stage::Known { identity, .. } => Some(identity),
            Stage::Unknown { .. } => None,
        }
    }

    pub(super) fn user(&self) -> Option<&UserId> {
        self.identity().map(|identity| &identity.user)
    }

    /// A new token. False when it is another user's.
    pub(super) fn renew(&mut self, identity: Identity) -> bool {
        match &self.stage {
            Stage::Known { identity: old, .. } if old.user != identity.user => return false,
            Stage::Known { .. } => {}
            Stage::Unknown { .. } => {
                self.environment.metrics.unauthenticated.dec();
            }
        }
        self.stage = known(identity, &self.environment);
        true
    }

    /// When to look again whether it is over.
    pub(super) fn due(&self) -> Instant {
        match &self.stage {
            Stage::Unknown { until, .. } => *until,
            Stage::Known { expiry, .. } => expiry.due(),
        }
    }

    /// Why the connection has to end now, if it has.
    pub(super) fn is_over(&mut self, now: Instant) -> Option<CloseReason> {
        match &mut self.stage {
            Stage::Unknown { until, .. } => (*until <= now).then_some(CloseReason::AuthenticationTimeout),
            Stage::Known { expiry, .. } => expiry.is_over(now, &self.environment).then_some(CloseReason::TokenExpired),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if matches!(self.stage, Stage::Unknown { .. }) {
            self.environment.metrics.unauthenticated.dec();
        }
    }
}

fn known(identity: Identity, environment: &Environment) -> Stage {
    let expiry = Expiry::new(identity.expires_at, environment);
    Stage::Known { identity, expiry }
}

/// Until the token ends; zero if it has ended.
fn time_left(expires_at: i64, environment: &Environment) -> Duration {
    let left = expires_at.saturating_mul(1_000).saturating_sub(environment.clock.now().as_millisecond());
    Duration::from_millis(u64::try_from(left).unwrap_or_default())
}
