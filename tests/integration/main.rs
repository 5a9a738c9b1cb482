//! Pulso against real databases, sockets and clients. One file a promise.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helper functions too")]

mod access;
mod backend;
mod browser;
mod business;
mod clinic;
mod connect;
mod container;
mod dashboard;
mod documents;
mod feeds;
mod figures;
mod foreign;
mod harness_itself;
mod hook;
mod inspection;
mod limits;
mod listener;
mod messages;
mod missed_events;
mod operations;
mod outage;
mod pooler;
mod pos;
mod readme;
mod restaurant;
mod shutdown;
mod sqlite;
mod store_contract;
mod survival;
mod sync_http;
mod synchronisation;
mod tidy;
mod tls;
mod walkthroughs;
