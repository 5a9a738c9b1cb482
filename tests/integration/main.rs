//! Pulso against real databases, sockets and clients. One file a promise.

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
