//! One subscription: what it is to, and how far it has come.
//!
//! Must not know how it comes any further.

use crate::channel::{Canal, Channel};
use crate::dialect::stats::ChannelName;
use crate::hub::{Hub, Membership};
use crate::negocio::{IdType, NegocioId};

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

/// What a client can ask for: a channel of one business.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Topic {
    Estadisticas(NegocioId),
    Canal(Canal),
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

impl Topic {
    /// What a name means where the id column is of this type; `None` if it could hold no such id.
    pub(super) fn of(name: &ChannelName, id_type: IdType) -> Option<Self> {
        Some(match name {
            ChannelName::Estadisticas(negocio) => Self::Estadisticas(id_type.parse(negocio)?),
            ChannelName::Canal { negocio, name } => Self::Canal(Canal::new(id_type.parse(negocio)?, name)),
        })
    }

    /// The same, in the text that the others hold who listen to it.
    pub(super) fn shared(self, hub: &Hub) -> Self {
        match hub.shared(self.channel()) {
            Channel::Estadisticas(negocio) => Self::Estadisticas(negocio),
            Channel::Canal(canal) => Self::Canal(canal),
            _ => self,
        }
    }

    pub(super) fn negocio(&self) -> &NegocioId {
        match self {
            Self::Estadisticas(negocio) => negocio,
            Self::Canal(canal) => canal.negocio(),
        }
    }

    /// As a client could name it.
    fn name(&self) -> ChannelName {
        let negocio = self.negocio().as_str().to_owned();
        match self {
            Self::Estadisticas(_) => ChannelName::Estadisticas(negocio),
            Self::Canal(canal) => ChannelName::Canal { negocio, name: canal.name().to_owned() },
        }
    }

    pub(super) fn channel(&self) -> Channel {
        match self.clone() {
            Self::Estadisticas(negocio) => Channel::Estadisticas(negocio),
            Self::Canal(canal) => Channel::Canal(canal),
        }
    }
}
