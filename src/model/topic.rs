//! A channel that a client asks for by name: one of a business that may be its user's, or a live query.
//!
//! Must not know who may have it, nor which live queries there are.

use std::sync::Arc;

use super::{Canal, Channel, ChannelName, Consulta, IdType, NegocioId};

/// A channel as [`ChannelName`] names it, once its id is in its one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    Estadisticas(NegocioId),
    Canal(Canal),
    Consulta(Defined),
}

/// A live query for one key, as it was defined when somebody asked for it. One pointer, as [`Canal`].
#[derive(Clone, Debug)]
pub struct Defined(Arc<(Consulta, u64)>);

/// However it is defined, it is one channel.
impl PartialEq for Defined {
    fn eq(&self, other: &Self) -> bool {
        self.consulta() == other.consulta()
    }
}

impl Eq for Defined {}

impl Defined {
    /// `edition`: of the definition. One that says again what an earlier one said is another all the same.
    pub fn new(consulta: Consulta, edition: u64) -> Self {
        Self(Arc::new((consulta, edition)))
    }

    pub fn consulta(&self) -> &Consulta {
        &self.0.0
    }

    pub fn edition(&self) -> u64 {
        self.0.1
    }
}

impl Topic {
    /// What a name of a business's channel means where the id column is of this type; `None` if it could hold no such id. A live
    /// query is none of a business's.
    pub fn of(name: &ChannelName, id_type: IdType) -> Option<Self> {
        Some(match name {
            ChannelName::Estadisticas(negocio) => Self::Estadisticas(id_type.parse(negocio)?),
            ChannelName::Canal { negocio, name } => Self::Canal(Canal::new(id_type.parse(negocio)?, name)),
            ChannelName::Consulta { .. } => return None,
        })
    }

    /// The same in the texts of a channel that is its own.
    #[must_use]
    pub fn sharing(self, channel: Channel) -> Self {
        match (self, channel) {
            (Self::Consulta(defined), Channel::Consulta(consulta)) => {
                Self::Consulta(Defined::new(consulta, defined.edition()))
            }
            (_, Channel::Estadisticas(negocio)) => Self::Estadisticas(negocio),
            (_, Channel::Canal(canal)) => Self::Canal(canal),
            (topic, _) => topic,
        }
    }

    /// As a client could name it.
    pub fn name(&self) -> ChannelName {
        match self {
            Self::Estadisticas(negocio) => ChannelName::Estadisticas(negocio.as_str().to_owned()),
            Self::Canal(canal) => {
                let (negocio, name) = (canal.negocio().as_str().to_owned(), canal.name().to_owned());
                ChannelName::Canal { negocio, name }
            }
            Self::Consulta(defined) => {
                let (query, key) = (defined.consulta().query(), defined.consulta().key());
                ChannelName::Consulta { query: query.as_str().to_owned(), key: key.map(str::to_owned) }
            }
        }
    }

    pub fn channel(&self) -> Channel {
        match self.clone() {
            Self::Estadisticas(negocio) => Channel::Estadisticas(negocio),
            Self::Canal(canal) => Channel::Canal(canal),
            Self::Consulta(defined) => Channel::Consulta(defined.consulta().clone()),
        }
    }
}
