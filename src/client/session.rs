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
pub(super) enum Session {
    /// No token yet.
    Unknown(Newcomer),
    Known {
        identity: Identity,
        expiry: Expiry,
    },
}

/// Whom nobody knows yet, counted while that is so.
#[derive(Debug)]
pub(super) struct Newcomer {
    environment: Arc<Environment>,
    until: Instant,
    _place: Option<OwnedSemaphorePermit>,
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
        match identity {
            Some(identity) => Self::known(identity, environment),
            None => Self::Unknown(Newcomer::new(environment, place)),
        }
    }

    fn known(identity: Identity, environment: &Environment) -> Self {
        let expiry = Expiry::new(identity.expires_at, environment);
        Self::Known { identity, expiry }
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Known { identity, .. } => Some(identity),
            Self::Unknown(_) => None,
        }
    }

    pub(super) fn user(&self) -> Option<&UserId> {
        self.identity().map(|identity| &identity.user)
    }

    /// A new token. False when it is another user's.
    pub(super) fn renew(&mut self, identity: Identity, environment: &Environment) -> bool {
        if self.user().is_some_and(|user| *user != identity.user) {
            return false;
        }
        *self = Self::known(identity, environment);
        true
    }

    /// When to look again whether it is over.
    pub(super) fn due(&self) -> Instant {
        match self {
            Self::Unknown(newcomer) => newcomer.until,
            Self::Known { expiry, .. } => expiry.due(),
        }
    }

    /// Why the connection has to end now, if it has.
    pub(super) fn is_over(&mut self, now: Instant, environment: &Environment) -> Option<CloseReason> {
        match self {
            Self::Unknown(newcomer) => (newcomer.until <= now).then_some(CloseReason::AuthenticationTimeout),
            Self::Known { expiry, .. } => expiry.is_over(now, environment).then_some(CloseReason::TokenExpired),
        }
    }
}

impl Newcomer {
    fn new(environment: &Arc<Environment>, place: Option<OwnedSemaphorePermit>) -> Self {
        environment.metrics.unauthenticated.inc();
        let until = Instant::now() + environment.limits.auth_timeout;
        Self { environment: Arc::clone(environment), until, _place: place }
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        self.environment.metrics.unauthenticated.dec();
    }
}

/// Until the token ends; zero if it has ended.
fn time_left(expires_at: i64, environment: &Environment) -> Duration {
    let left = expires_at.saturating_mul(1_000).saturating_sub(environment.clock.now().as_millisecond());
    Duration::from_millis(u64::try_from(left).unwrap_or_default())
}
