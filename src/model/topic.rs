//! A channel that a client asks for by name: one of a business that may be its user's.
//!
//! Must not know who may have it.

use super::{Canal, Channel, ChannelName, IdType, NegocioId};

/// A channel of one business, as [`ChannelName`] names it once the business's id is in its one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    Estadisticas(NegocioId),
    Canal(Canal),
}

impl Topic {
    /// What a name means where the id column is of this type; `None` if it could hold no such id.
    pub fn of(name: &ChannelName, id_type: IdType) -> Option<Self> {
        Some(match name {
            ChannelName::Estadisticas(negocio) => Self::Estadisticas(id_type.parse(negocio)?),
            ChannelName::Canal { negocio, name } => Self::Canal(Canal::new(id_type.parse(negocio)?, name)),
            ChannelName::Consulta { .. } => return None,
        })
    }

    /// The topic of a channel; `None` for one that nobody asks for.
    pub fn of_channel(channel: &Channel) -> Option<Self> {
        match channel.clone() {
            Channel::Estadisticas(negocio) => Some(Self::Estadisticas(negocio)),
            Channel::Canal(canal) => Some(Self::Canal(canal)),
            _ => None,
        }
    }

    pub fn negocio(&self) -> &NegocioId {
        match self {
            Self::Estadisticas(negocio) => negocio,
            Self::Canal(canal) => canal.negocio(),
        }
    }

    /// As a client could name it.
    pub fn name(&self) -> ChannelName {
        let negocio = self.negocio().as_str().to_owned();
        match self {
            Self::Estadisticas(_) => ChannelName::Estadisticas(negocio),
            Self::Canal(canal) => ChannelName::Canal { negocio, name: canal.name().to_owned() },
        }
    }

    pub fn channel(&self) -> Channel {
        match self.clone() {
            Self::Estadisticas(negocio) => Channel::Estadisticas(negocio),
            Self::Canal(canal) => Channel::Canal(canal),
        }
    }
}
