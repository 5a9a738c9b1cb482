//! Who is at the other end of a connection, and until when.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::access::token::{Identity, Person};
use crate::model::CloseReason;
use crate::newcomers::NewcomerPlace;
use crate::session::SessionContext;

/// Longest time between two looks at the wall clock: timers stand still while a machine sleeps.
pub(super) const LOOK: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) enum Session {
    /// No token yet.
    Unknown(Newcomer),
    Known {
        /// Says when it ends.
        identity: Identity,
        look_at: Instant,
    },
    /// By a token that names nobody.
    Nameless(Expiry),
}

/// Whom nobody knows yet, counted while that is so.
#[derive(Debug)]
pub struct Newcomer {
    context: Arc<SessionContext>,
    until: Instant,
    _place: Option<NewcomerPlace>,
}

/// The end of a token, by the wall clock.
#[derive(Debug)]
pub struct Expiry {
    /// Unix seconds.
    expires_at: i64,
    look_at: Instant,
}

impl Expiry {
    pub fn new(expires_at: i64, context: &SessionContext) -> Self {
        Self { expires_at, look_at: next_look(expires_at, context) }
    }

    /// When to look again.
    pub fn due(&self) -> Instant {
        self.look_at
    }

    pub fn is_over(&mut self, now: Instant, context: &SessionContext) -> bool {
        is_over(self.expires_at, &mut self.look_at, now, context)
    }
}

impl Session {
    /// `place`: one of the few for connections without a token; given back once there is one.
    pub(super) fn of_newcomer(place: Option<NewcomerPlace>, context: &Arc<SessionContext>) -> Self {
        Self::Unknown(Newcomer::new(context, place))
    }

    pub(super) fn of_user(identity: Identity, context: &SessionContext) -> Self {
        let look_at = next_look(identity.expires_at, context);
        Self::Known { identity, look_at }
    }

    /// `expires_at`: of a token that names nobody.
    pub(super) fn of(identity: Option<Identity>, expires_at: i64, context: &SessionContext) -> Self {
        match identity {
            Some(identity) => Self::of_user(identity, context),
            None => Self::Nameless(Expiry::new(expires_at, context)),
        }
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Known { identity, .. } => Some(identity),
            Self::Unknown(_) | Self::Nameless(_) => None,
        }
    }

    pub(super) fn user(&self) -> Option<&Person> {
        self.identity().map(|identity| &identity.user)
    }

    /// When to look again whether it is over.
    pub(super) fn due(&self) -> Instant {
        match self {
            Self::Unknown(newcomer) => newcomer.until,
            Self::Known { look_at, .. } => *look_at,
            Self::Nameless(expiry) => expiry.due(),
        }
    }

    /// Why the connection has to end now, if it has.
    pub(super) fn is_over(&mut self, now: Instant, context: &SessionContext) -> Option<CloseReason> {
        match self {
            Self::Unknown(newcomer) => (newcomer.until <= now).then_some(CloseReason::AuthenticationTimeout),
            Self::Known { identity, look_at } => {
                is_over(identity.expires_at, look_at, now, context).then_some(CloseReason::TokenExpired)
            }
            Self::Nameless(expiry) => expiry.is_over(now, context).then_some(CloseReason::TokenExpired),
        }
    }
}

impl Newcomer {
    /// `place`: one of the few for connections without a token.
    pub fn new(context: &Arc<SessionContext>, place: Option<NewcomerPlace>) -> Self {
        context.metrics.unauthenticated.inc();
        let until = Instant::now() + context.limits.auth_timeout;
        Self { context: Arc::clone(context), until, _place: place }
    }

    /// How long it may stay one.
    pub fn until(&self) -> Instant {
        self.until
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        self.context.metrics.unauthenticated.dec();
    }
}

fn next_look(expires_at: i64, context: &SessionContext) -> Instant {
    Instant::now() + time_left(expires_at, context).min(LOOK)
}

/// Whether a token is over, as far as it is time to look; then `look_at` is when to look again.
fn is_over(expires_at: i64, look_at: &mut Instant, now: Instant, context: &SessionContext) -> bool {
    if *look_at > now {
        return false;
    }
    let left = time_left(expires_at, context);
    *look_at = now + left.min(LOOK);
    left.is_zero()
}

/// Until the token ends; zero if it has ended.
pub(super) fn time_left(expires_at: i64, context: &SessionContext) -> Duration {
    let left = expires_at.saturating_mul(1_000).saturating_sub(context.clock.now().as_millisecond());
    Duration::from_millis(u64::try_from(left).unwrap_or_default())
}
