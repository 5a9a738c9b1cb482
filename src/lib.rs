//! Pulso: the API says "something changed", Pulso reads the new figures once, every screen that watches has them.

pub mod auth;
pub mod channel;
pub mod clock;
pub mod config;
pub mod demo;
pub mod loopback;
pub mod negocio;
pub mod store;
pub mod telemetry;
