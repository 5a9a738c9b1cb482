//! What Pulso is for: one read of the figures per change, shared by everybody who watches.
//!
//! Must not know clients, sockets or HTTP. Askers get a [`Reading`]; everybody else gets the publication by the hub.

mod refresher;
mod slot;
mod turns;
mod upkeep;

pub use refresher::{Reading, Refresher, Unavailable};
