//! What an operator sees: health, metrics, logs, the command line, the demo.

mod best_effort_log;
mod command_line;
mod connections;
mod demo;
mod logs;
mod metrics;
mod nodes;
mod readiness;
mod signals;
