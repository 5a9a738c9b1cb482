//! The words of each feed: bytes in, steps out; figures in, bytes out. Pure: no socket, no database, no clock.

pub mod fields;
pub mod stats;
