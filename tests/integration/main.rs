//! Pulso against real databases, sockets and clients. One file a promise.

mod backend;
mod business;
mod dashboard;
mod harness_itself;
mod limits;
mod listener;
mod outage;
mod pooler;
mod store_contract;
mod tls;
