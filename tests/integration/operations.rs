//! What an operator sees: health, metrics, logs, the command line, the demo.

mod command_line;
mod demo;
mod logs;
mod metrics;
