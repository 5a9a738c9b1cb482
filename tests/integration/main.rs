//! Pulso against real databases, sockets and clients. One file a promise.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helper functions too")]

mod access;
mod backend;
mod business;
mod connect;
mod dashboard;
mod figures;
mod harness_itself;
mod hook;
mod inspection;
mod listener;
mod messages;
mod outage;
mod pooler;
mod sqlite;
mod store_contract;
mod tls;
