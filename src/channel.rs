//! What a client subscribes to. Parsed once at the edge; no name with a prefix travels further in.
//!
//! Must not know who may subscribe, nor how a channel is carried.

use std::sync::Arc;

use crate::negocio::{DeviceId, NegocioId, RestauranteId, Tenant, UserId};

/// A channel of publications.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The appointment figures of one business: `estadisticas:<negocio>`. States.
    Estadisticas(NegocioId),
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
}

/// `canal:<negocio>:<name>`. One pointer: every client keeps some channels, and few of them are these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Canal(Arc<(NegocioId, Box<str>)>);

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
