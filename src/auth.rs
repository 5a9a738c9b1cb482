//! Who a peer is, whether its page may connect, and what its user may watch.
//!
//! Must not know sockets, HTTP or SQL.

pub mod access;
pub mod attempts;
pub mod origin;
pub mod token;
