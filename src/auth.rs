//! Who a peer is, and whether its page may connect.
//!
//! Must not know channels, sockets or the database: what a user may watch is decided elsewhere.

pub mod origin;
pub mod token;
