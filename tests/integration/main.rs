//! Pulso against real databases, sockets and clients. One file a promise.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helper functions too")]

mod backend;
mod business;
mod dashboard;
mod harness_itself;
mod inspection;
mod listener;
mod outage;
mod pooler;
mod sqlite;
mod store_contract;
mod tls;
