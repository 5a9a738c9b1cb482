//! Pulso against real databases, sockets and clients. One file a promise.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod backend;
mod business;
mod container;
mod dashboard;
mod harness_itself;
mod limits;
mod listener;
mod operations;
mod outage;
mod pooler;
mod shutdown;
mod store_contract;
mod survival;
mod tls;
