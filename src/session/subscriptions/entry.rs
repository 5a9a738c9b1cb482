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
    /// Access is being checked.
    Checking {
        topic: Topic,
        pending: Pending,
    },
    Joined(Joined),
}

/// What is known of who is not let in yet, or not yet again.
#[derive(Default)]
pub(super) struct Pending {
    /// The client knows that it could not be checked.
    pub(super) is_told: bool,
    /// It was let in before: if it is refused now, its rights have ended.
    pub(super) was_in: bool,
    pub(super) question: Option<Box<Question>>,
}

impl Stage {
    /// Of what is to be tried again.
    pub(super) fn parked(name: ChannelName, pending: Pending) -> Self {
        Self::Parked(Box::new(Parked { name, pending }))
    }

    /// Access cannot be checked any more, or not yet, which the client knows.
    pub(super) fn park(&mut self) {
        let was_in = self.was_in();
        if let Self::Checking { topic, pending: Pending { question, .. } }
        | Self::Joined(Joined { topic, question, .. }) = self
        {
            *self = Self::parked(topic.name(), Pending { is_told: true, was_in, question: question.take() });
        }
    }

    /// Whether it is heard now, or was before it had to be checked again.
    pub(super) fn was_in(&self) -> bool {
        match self {
            Self::Parked(parked) => parked.pending.was_in,
            Self::Checking { pending, .. } => pending.was_in,
            Self::Joined(_) => true,
        }
    }

    /// What is left of it when it has to be checked anew.
    pub(super) fn into_pending(mut self) -> Pending {
        Pending { is_told: false, was_in: self.was_in(), question: self.question().take() }
    }

    /// Who waits for an answer, or spells it otherwise than it is spelt here.
    pub(super) fn question(&mut self) -> &mut Option<Box<Question>> {
        match self {
            Self::Parked(parked) => &mut parked.pending.question,
            Self::Checking { pending, .. } => &mut pending.question,
            Self::Joined(joined) => &mut joined.question,
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
    pub(super) pending: Pending,
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
