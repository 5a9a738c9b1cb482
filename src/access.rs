//! Who a peer is, whether its page may connect, and what its user may hear.
//!
//! Must not know sockets or SQL; and of HTTP only how keys are fetched (`keys/fetch`).

pub mod attempts;
pub mod disconnect;
pub mod grant;
pub mod keys;
pub mod named;
pub mod origin;
pub mod ownership;
pub mod token;
pub mod withdrawal;
