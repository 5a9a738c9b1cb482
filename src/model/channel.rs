//! What a client subscribes to. Parsed once at the edge; no name with a prefix travels further in.
//!
//! Must not know who may subscribe, nor how a channel is carried.

mod text;
mod wire;

use std::sync::Arc;

use super::{Consulta, DeviceId, KeyId, NegocioId, RestauranteId, Tenant, UserId};

/// A channel of publications.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The appointment figures of one business: `estadisticas:<negocio>`. States.
    Estadisticas(NegocioId),
    /// The result of a live query for one key: `consulta:<name>:<key>`. States.
    Consulta(Consulta),
    /// What an application publishes for one business. Events.
    Canal(Canal),
    /// The point-of-sale events of one business; `None` where the installation has only one.
    Negocio(Option<NegocioId>),
    /// The orders of one restaurant: the room `restaurant:<id>`. Events.
    Restaurante(RestauranteId),
    /// The new orders of one clinic: the group `staff_orders`; `None` where tokens name no business. Events.
    StaffOrders(Option<NegocioId>),
    /// The orders of one kiosk: the group `device_<id>`. Events.
    Device(DeviceId),
    /// Whether one tenant has changes to pull. States.
    Sync(Tenant),
    /// All connections of one user. Nothing is published here; it is for ending them together.
    User(UserId),
    /// All connections of one kiosk by the name it gave itself. As with [`Self::User`] nothing is published here.
    Kiosk(Kiosk),
    /// All connections whose token was signed with one key that may be withdrawn. As with [`Self::User`] nothing is published
    /// here.
    Key(KeyId),
}

/// A device, and the name by which it was let in. One pointer, as [`Canal`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kiosk(Arc<(DeviceId, Box<str>)>);

impl Kiosk {
    pub fn new(device: DeviceId, uid: &str) -> Self {
        Self(Arc::new((device, uid.into())))
    }

    pub fn device(&self) -> &DeviceId {
        &self.0.0
    }

    pub fn uid(&self) -> &str {
        &self.0.1
    }
}

/// `canal:<negocio>:<name>`. One pointer: every client keeps some channels, and few of them are these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Canal(Arc<(NegocioId, Box<str>)>);

impl Channel {
    /// Whether it says how things stand, and not what happened.
    pub fn is_of_states(&self) -> bool {
        matches!(self, Self::Estadisticas(_) | Self::Consulta(_) | Self::Sync(_))
    }

    /// Whether it says what happened. Neither does where nothing is published.
    pub fn is_of_events(&self) -> bool {
        !self.is_of_states() && !matches!(self, Self::User(_) | Self::Kiosk(_) | Self::Key(_))
    }

    /// How long its name is in memory.
    pub fn name_bytes(&self) -> usize {
        match self {
            Self::Estadisticas(id) | Self::Negocio(Some(id)) | Self::StaffOrders(Some(id)) => id.as_str().len(),
            Self::Consulta(consulta) => consulta.query().as_str().len() + consulta.key().map_or(0, str::len),
            Self::Canal(canal) => canal.negocio().as_str().len() + canal.name().len(),
            Self::Negocio(None) | Self::StaffOrders(None) | Self::Key(_) => 0,
            Self::Restaurante(id) => id.as_str().len(),
            Self::Device(id) => id.as_str().len(),
            Self::Sync(id) => id.as_str().len(),
            Self::User(id) => id.as_str().len(),
            Self::Kiosk(kiosk) => kiosk.device().as_str().len() + kiosk.uid().len(),
        }
    }
}

impl Canal {
    pub fn new(negocio: NegocioId, name: &str) -> Self {
        Self(Arc::new((negocio, name.into())))
    }

    pub fn negocio(&self) -> &NegocioId {
        &self.0.0
    }

    pub fn name(&self) -> &str {
        &self.0.1
    }
}
