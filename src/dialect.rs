//! The words of each feed: bytes in, steps out; figures in, bytes out. Pure: no socket, no database, no clock.

pub mod canal;
pub mod clinic;
pub mod disconnect;
pub mod fields;
pub mod pos;
pub mod restaurant;
pub mod stats;
pub mod sync;
