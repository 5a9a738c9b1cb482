//! What an operator sees of a running Pulso: metrics, logs and traces.

pub mod commit;
pub mod log;
pub mod metrics;
pub mod traces;
