//! What an operator sees of a running Pulso: metrics and logs.

pub mod commit;
pub mod log;
pub mod metrics;
