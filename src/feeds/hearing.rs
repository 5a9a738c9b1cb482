//! What producers beside Pulso tell clients of their own: heard as the hook of that name hears its call.
//!
//! Must not know any feed, nor how such a producer is listened to.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::call::{Answering, Call, CallContext};
use super::definition::Hook;
use super::{Feeds, heard, hints};
use crate::broker::bridge::{GroupOf, Heard, Producer, Told};
use crate::idempotency::{CannotKnow, Idempotency, Turn};

/// An event of other producers' that a feed hears.
#[derive(Clone, Copy, Debug)]
pub struct Hearing {
    pub producer: Producer,
    /// What they call it.
    pub name: &'static str,
    /// As whose call it is heard.
    pub hook: &'static Hook,
    pub at: Place,
    pub hear: Hear,
}

/// The groups or rooms that such an event comes to.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    One(&'static str),
    /// All whose names begin so.
    Each(&'static str),
    /// As these, and there is one for each channel of some, of which its listeners have to be members.
    Joined(&'static str, GroupOf),
}

/// Has the effect of a call whose body is what was told; beside it stands the place.
pub type Hear = for<'a> fn(&'a mut Call, &'a str) -> Answering<'a>;

/// Who hears it, of the feeds that are on.
#[derive(Debug)]
pub struct Listener {
    pub feeds: Feeds,
    pub context: Arc<CallContext>,
    pub idempotency: Arc<Idempotency>,
    /// For one event.
    pub timeout: Duration,
}

impl Place {
    pub fn has(&self, place: &str) -> bool {
        match self {
            Self::One(name) => *name == place,
            Self::Each(beginning) | Self::Joined(beginning, _) => place.starts_with(beginning),
        }
    }
}

impl Listener {
    /// Checks and publishes it, once for its key.
    pub async fn hear(&self, told: Told) -> Heard {
        let Some(hearing) = heard(self.feeds, &told) else { return Heard::Unknown };
        let ticket = match &told.key {
            None => None,
            Some(key) => match self.idempotency.begin(hearing.name, key).await {
                Ok(Turn::First(ticket)) => Some(ticket),
                Ok(Turn::Repeated(_)) => return Heard::Published,
                Err(CannotKnow) => return Heard::NotNow(CannotKnow.to_string()),
            },
        };
        let context = Arc::clone(&self.context);
        let mut call = Call { context, body: told.body, deadline: Instant::now() + self.timeout, ticket, place: None };
        match (hearing.hear)(&mut call, &told.place).await {
            Ok(_) => {
                hints::of_call(&self.context, hearing.hook, &call.body);
                Heard::Published
            }
            Err(rejection) if rejection.is_the_callers() => Heard::Refused(rejection.message.into_owned()),
            Err(rejection) => Heard::NotNow(rejection.message.into_owned()),
        }
    }
}
