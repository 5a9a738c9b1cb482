//! The embedded SQLite.
