//! The namespaces that there are, and who may enter each.
//!
//! Must not know what is said there, nor how a client came in.

use super::Doors;
use super::auth::Auth;
use crate::access::grant::{Denial, Grant};
use crate::config::Feed;
use crate::feeds::restaurant::listen::room;
use crate::feeds::sync::changes::Changes;
use crate::feeds::sync::listen::back_end;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    /// `/`: the orders of one restaurant, for who has a token that names it.
    Orders,
    /// `/sync`: a restaurant's own back end, for who has its key.
    Sync,
}

/// What a client has been let in to.
pub(super) struct Admitted {
    pub(super) grant: Grant,
    /// What the database has to tell it.
    pub(super) changes: Option<Changes>,
}

impl Namespace {
    pub(super) const ALL: [Self; 2] = [Self::Orders, Self::Sync];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Orders => "/",
            Self::Sync => "/sync",
        }
    }

    pub(super) fn feed(self) -> Feed {
        match self {
            Self::Orders => Feed::Restaurant,
            Self::Sync => Feed::Sync,
        }
    }

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|namespace| namespace.name() == name)
    }

    /// `bearer`: the token in the header of the session's first request, which goes before the one in `auth`.
    pub(super) fn admit(self, doors: &Doors, bearer: Option<&str>, auth: &Auth) -> Result<Admitted, Denial> {
        let context = &doors.context;
        match self {
            Self::Orders if !context.tokens.is_configured() => Err(Denial::NoSecret),
            Self::Orders => {
                let token = bearer.or(auth.token()).filter(|token| !token.is_empty()).ok_or(Denial::NoToken)?;
                let claims = context.tokens.claims(token, context.clock.now())?;
                Ok(Admitted { grant: room(&claims)?, changes: None })
            }
            Self::Sync => {
                let (tenant, grant) = back_end(auth.api_key(), &doors.sync)?;
                let changes = Changes::new(&context.database, tenant, doors.sync.pull_limit);
                Ok(Admitted { grant, changes: Some(changes) })
            }
        }
    }
}
