//! What is said on a connection, whatever carries it: who is there and until when, and what it is subscribed to.
//!
//! Every answer goes through the mailbox. Must not know sockets, HTTP or SQL.

pub mod code;
mod context;
pub mod conversation;
mod dashboard;
mod echo;
pub mod enter;
pub mod expiry;
pub mod identity;
pub mod life;
mod listener;
pub mod opening;
mod subscriptions;
pub mod words;

pub use context::SessionContext;
pub use dashboard::{Names, granted};
pub use listener::Listener;
pub use opening::{Admitted, Purpose};
