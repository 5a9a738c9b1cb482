//! Pulso against real databases, sockets and clients. One file a promise.

mod backend;
mod harness_itself;
mod store_contract;
