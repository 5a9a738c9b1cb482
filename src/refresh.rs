//! What Pulso is for: one read per change, shared by everybody who watches.
//!
//! Knows channels of states by what is read for them, and no clients, sockets or HTTP. Askers get a [`Reading`]; everybody else
//! gets the publication by the hub.

mod eras;
mod frame;
mod queue;
mod refresher;
mod state;
mod told;
mod upkeep;

pub use refresher::{Reading, Refresher, Unavailable};
