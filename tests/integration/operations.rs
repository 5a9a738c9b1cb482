//! What an operator sees: health, metrics, logs, the command line, the demo.

mod best_effort_log;
mod command_line;
mod connections;
pub mod counted;
mod demo;
mod exposition;
mod logs;
mod metrics;
mod nodes;
mod readiness;
mod signals;
