//! Pulso against real databases, sockets and clients. One file a promise.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helper functions too")]

mod access;
mod backend;
mod boards;
mod browser;
mod business;
mod connect;
mod container;
mod dashboard;
mod documents;
mod figures;
mod foreign;
mod harness_itself;
mod hook;
mod inspection;
mod limits;
mod listener;
mod messages;
mod operations;
mod outage;
mod pooler;
mod readme;
mod shutdown;
mod sqlite;
mod store_contract;
mod survival;
mod tab;
mod tidy;
mod tls;
