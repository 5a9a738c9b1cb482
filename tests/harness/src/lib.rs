//! Real backends for the tests: PostgreSQL, pgbouncer, and a line between them that can be cut.
//!
//! Everything here ends with the test process, however that ends. A missing program fails the test with the name of
//! the package to install; nothing is ever skipped. Knows nothing of Pulso but its schema.

pub mod chaos;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod scratch;
pub mod wait;

pub use chaos::ChaosProxy;
pub use pgbouncer::PgBouncer;
pub use postgres::{Database, Postgres};
pub use scratch::Scratch;
