//! Structured logs to stderr.
