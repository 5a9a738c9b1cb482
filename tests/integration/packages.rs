//! The packages that we offer to those who use Pulso: from what is packed, never from the source, against the real server.

mod angular;
mod back_ends;
mod browsers;
mod built;
mod client;
mod elements;
pub mod node_server;
mod packed;
mod pages;
mod published;
pub mod python_server;
mod react;
mod recipes;
mod runtimes;
