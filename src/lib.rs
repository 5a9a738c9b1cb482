//! Pulso: the API says "something changed", Pulso reads the new figures once, every screen that watches has them.

pub mod auth;
pub mod channel;
pub mod cli;
pub mod client;
pub mod clock;
pub mod close;
pub mod config;
pub mod database;
pub mod demo;
pub mod devices;
pub mod dialect;
pub mod http;
pub mod hub;
pub mod idempotency;
pub mod loopback;
pub mod negocio;
pub mod publication;
pub mod server;
pub mod socketio;
pub mod stats;
pub mod store;
pub mod telemetry;
