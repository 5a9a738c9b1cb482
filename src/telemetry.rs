//! What an operator sees of a running Pulso: metrics and logs.

pub mod log;
pub mod metrics;
