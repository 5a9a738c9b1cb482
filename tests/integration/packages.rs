//! The packages that we offer to those who use Pulso: from what is packed, never from the source, against the real server.

mod browsers;
mod client;
mod packed;
