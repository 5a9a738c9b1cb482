//! Who is there and what they may watch.
//!
//! Must not know sockets or HTTP.

pub mod access;
pub mod origin;
pub mod token;
