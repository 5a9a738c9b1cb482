//! What Pulso is for: one read per change, shared by everybody who watches.
//!
//! Knows channels of states by what is read for them, and no clients, sockets or HTTP. Askers get a [`Reading`]; everybody else
//! gets the publication by the hub.

mod answer;
mod eras;
mod health;
mod kept;
mod queue;
mod refresher;
mod space;
mod state;
mod told;
mod upkeep;
mod wheel;

pub use refresher::{Noticed, Reading, Refresher, Unavailable, Unseen};
