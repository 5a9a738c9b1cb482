//! Who is at the other end of a connection, and until when.

use std::sync::Arc;

use tokio::time::Instant;

use super::expiry::{Expiry, Watch};
use crate::access::token::{Identity, Person};
use crate::model::{CloseReason, Wording};
use crate::newcomers::NewcomerPlace;
use crate::session::SessionContext;

#[derive(Debug)]
pub(super) enum Session {
    /// No token yet.
    Unknown(Newcomer),
    Known {
        /// Says when it ends.
        identity: Identity,
        watch: Watch,
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

impl Session {
    /// `place`: one of the few for connections without a token; given back once there is one.
    pub(super) fn of_newcomer(place: Option<NewcomerPlace>, context: &Arc<SessionContext>) -> Self {
        Self::Unknown(Newcomer::new(context, place))
    }

    pub(super) fn of_user(identity: Identity, wording: Wording, context: &SessionContext) -> Self {
        let watch = Watch::new(identity.expires_at, wording, context);
        Self::Known { identity, watch }
    }

    /// `expires_at`: of a token that names nobody.
    pub(super) fn of(identity: Option<Identity>, expires_at: i64, wording: Wording, context: &SessionContext) -> Self {
        match identity {
            Some(identity) => Self::of_user(identity, wording, context),
            None => Self::Nameless(Expiry::new(expires_at, wording, context)),
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
            Self::Known { watch, .. } => watch.due(),
            Self::Nameless(expiry) => expiry.due(),
        }
    }

    /// When its token ends (Unix seconds), if that is to be said now; an error if the connection has to end now.
    pub(super) fn look(&mut self, now: Instant, context: &SessionContext) -> Result<Option<i64>, CloseReason> {
        match self {
            Self::Unknown(newcomer) if newcomer.until <= now => Err(CloseReason::AuthenticationTimeout),
            Self::Unknown(_) => Ok(None),
            Self::Known { identity, watch } => watch.look(identity.expires_at, now, context),
            Self::Nameless(expiry) => expiry.look(now, context),
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
