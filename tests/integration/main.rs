//! Pulso against real databases, sockets and clients. One file a promise.

mod harness_itself;
