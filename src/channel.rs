//! What a client subscribes to. Parsed once at the edge; no name with a prefix travels further in.
//!
//! Must not know who may subscribe, nor how a channel is carried.

use crate::negocio::NegocioId;

/// A channel of publications.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The appointment figures of one business; on the wire `estadisticas:<negocio>`.
    Estadisticas(NegocioId),
}
