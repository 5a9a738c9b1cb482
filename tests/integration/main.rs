//! Pulso against real databases, sockets and clients. One file a promise.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helper functions too")]

mod backend;
mod browser;
mod business;
mod dashboard;
mod documents;
mod foreign;
mod harness_itself;
mod listener;
mod outage;
mod pooler;
mod readme;
mod store_contract;
mod tidy;
mod tls;
