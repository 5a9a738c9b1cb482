//! The command line.

pub mod token;
