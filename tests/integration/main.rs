//! Pulso against real databases, sockets and clients. One file a promise.

mod access;
mod backend;
mod business;
mod connect;
mod dashboard;
mod figures;
mod harness_itself;
mod hook;
mod listener;
mod messages;
mod outage;
mod pooler;
mod store_contract;
mod tls;
