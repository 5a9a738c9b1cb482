//! Pulso: the API says "something changed", Pulso reads the new figures once, every screen that watches has them.
//!
//! The modules stand in the order in which they are best read; ARQUITECTURE.md is their map.

#[macro_use]
mod listed;
pub mod described;

// What is spoken of: values, and how a body is read.
pub mod json;
pub mod model;

// The feeds: what travels, by whom it is called, who may listen.
pub mod access;
pub mod feeds;
pub mod queries;

// What keeps states current.
pub mod refresh;

// From a publication to every mailbox.
pub mod broker;
pub mod hub;
pub mod publication;

// From a mailbox to its client.
pub mod session;
pub mod transport;

// The port, and what strangers may take of it.
pub mod address;
pub mod http;
pub mod idempotency;
pub mod newcomers;
pub mod rate_limit;

// The database.
pub mod database;
pub mod store;

// A node, and the program around it.
pub mod cli;
pub mod clock;
pub mod config;
pub mod finding;
pub mod node;
pub mod server;
pub mod telemetry;
pub mod trust;
pub mod workers;
