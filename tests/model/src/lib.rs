//! The product's own mailbox, compiled once more with a lock and a waker whose every interleaving is tried (loom), and
//! with a socket of which each byte can be looked at.
//!
//! Checks that there is one writer at a time, that no frame is torn, and that nobody sleeps for ever. Owns no copy of
//! what it checks: the files are those of `src/hub`.
#![cfg(test)]

mod hub;

use pulso::{model, publication};
