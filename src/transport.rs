//! The three ways on which publications travel to clients.
//!
//! Must not know which feeds there are, nor what a publication says.

pub mod socketio;
pub mod sse;
pub mod websocket;
