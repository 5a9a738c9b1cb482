//! Pulso against real databases, sockets and clients. One file a promise.

mod backend;
mod business;
mod dashboard;
mod harness_itself;
mod limits;
mod listener;
mod outage;
mod pooler;
mod shutdown;
mod store_contract;
mod survival;
mod tls;
