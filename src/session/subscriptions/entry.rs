//! One subscription: what it is to, and how far it has come.
//!
//! Must not know how it comes any further.

use crate::hub::Membership;
use crate::model::{ChannelName, Topic};

pub(super) struct Entry {
    /// Tells this subscription from a later one to the same channel.
    pub(super) key: u32,
    pub(super) stage: Stage,
}

pub(super) enum Stage {
    /// Access could not be checked; tried again. As the client spells it, for the column's type may not be known yet.
    Parked(Box<ChannelName>),
    /// Access is being checked: `again` where the client knows that it could not be.
    Checking {
        topic: Topic,
        again: bool,
    },
    Joined(Joined),
}

impl Stage {
    /// Access cannot be checked any more, or not yet.
    pub(super) fn park(&mut self) {
        if let Self::Checking { topic, .. } | Self::Joined(Joined { topic, .. }) = self {
            *self = Self::Parked(Box::new(topic.name()));
        }
    }
}

pub(super) struct Joined {
    pub(super) topic: Topic,
    pub(super) _membership: Membership,
    /// For the database to grant, so it has to be asked again.
    pub(super) by_ownership: bool,
    /// The database has granted it: a check that cannot be made takes nothing back.
    pub(super) is_proven: bool,
    pub(super) is_rechecked: bool,
}

impl Entry {
    pub(super) fn is_to_be_rechecked(&self) -> bool {
        matches!(&self.stage, Stage::Joined(joined) if joined.by_ownership && !joined.is_rechecked)
    }
}
