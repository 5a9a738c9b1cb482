//! One subscription: what it is to, and how far it has come.
//!
//! Must not know how it comes any further.

use super::question::Question;
use crate::hub::Membership;
use crate::model::{ChannelName, Defined, Topic};

pub(super) struct Entry {
    /// Tells this subscription from a later one to the same channel.
    pub(super) key: u32,
    pub(super) stage: Stage,
}

pub(super) enum Stage {
    /// Access could not be checked; tried again.
    Parked(Box<Parked>),
    /// Access is being checked: `again` where the client knows that it could not be.
    Checking {
        topic: Topic,
        again: bool,
        question: Option<Box<Question>>,
    },
    Joined(Joined),
}

impl Stage {
    /// Of what is to be tried again. `is_told`: whether the client knows.
    pub(super) fn parked(name: ChannelName, is_told: bool, question: Option<Box<Question>>) -> Self {
        Self::Parked(Box::new(Parked { name, is_told, question }))
    }

    /// Access cannot be checked any more, or not yet, which the client knows.
    pub(super) fn park(&mut self) {
        if let Self::Checking { topic, question, .. } | Self::Joined(Joined { topic, question, .. }) = self {
            *self = Self::parked(topic.name(), true, question.take());
        }
    }

    /// Who waits for an answer, or spells it otherwise than it is spelt here.
    pub(super) fn question(&mut self) -> &mut Option<Box<Question>> {
        match self {
            Self::Parked(parked) => &mut parked.question,
            Self::Checking { question, .. } | Self::Joined(Joined { question, .. }) => question,
        }
    }

    /// Who subscribed has been told how it stands, or that it cannot be.
    pub(super) fn on_answered(&mut self) {
        if let Self::Joined(Joined { topic, question, .. }) = self
            && let Some(answered) = question.take()
        {
            *question = answered.answered(&topic.name().to_string());
        }
    }

    /// The live query that it is of, for one key.
    pub(super) fn defined(&self) -> Option<&Defined> {
        match self {
            Self::Checking { topic: Topic::Consulta(defined), .. }
            | Self::Joined(Joined { topic: Topic::Consulta(defined), .. }) => Some(defined),
            _ => None,
        }
    }

    pub(super) fn is_of_a_query(&self) -> bool {
        match self {
            Self::Parked(parked) => matches!(parked.name, ChannelName::Consulta { .. }),
            stage => stage.defined().is_some(),
        }
    }
}

pub(super) struct Parked {
    /// As the client spells it, for the column's type may not be known yet.
    pub(super) name: ChannelName,
    pub(super) is_told: bool,
    pub(super) question: Option<Box<Question>>,
}

pub(super) struct Joined {
    pub(super) topic: Topic,
    pub(super) _membership: Membership,
    /// For the database to grant, so it has to be asked again.
    pub(super) by_database: bool,
    /// The database has granted it: a check that cannot be made takes nothing back.
    pub(super) is_proven: bool,
    pub(super) is_rechecked: bool,
    /// Answered when there is something to begin with.
    pub(super) question: Option<Box<Question>>,
}

impl Entry {
    pub(super) fn is_to_be_rechecked(&self) -> bool {
        matches!(&self.stage, Stage::Joined(joined) if joined.by_database && !joined.is_rechecked)
    }
}
