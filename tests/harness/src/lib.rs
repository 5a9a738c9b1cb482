//! Real backends for the tests: PostgreSQL, pgbouncer, a line between them that can be cut, and the server itself in
//! a process of its own.
//!
//! Everything here ends with the test process, however that ends. A missing program fails the test with the name of
//! the package to install; nothing is ever skipped. Knows nothing of Pulso but its schema, its wire and how it is started.

pub mod caddy;
pub mod chaos;
pub mod collector;
pub mod dashboard;
pub mod demo;
pub mod events;
pub mod history;
pub mod http;
pub mod machine;
pub mod nginx;
pub mod packets;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod pulso;
pub mod redis;
pub mod replicated;
pub mod scratch;
pub mod script;
pub(crate) mod served;
pub mod signing;
pub mod token;
pub mod transcript;
pub mod wait;
pub mod website;

pub use caddy::Caddy;
pub use chaos::ChaosProxy;
pub use collector::{Collector, Manner, Seen};
pub use dashboard::{Closed, Dashboard, Refused, Stats, client_frame};
pub use demo::Demo;
pub use events::{Event, EventStream};
pub use http::{Answer, Line};
pub use nginx::Nginx;
pub use packets::{Packets, Poller};
pub use pgbouncer::PgBouncer;
pub use postgres::{Database, Postgres};
pub use pulso::{HOOK_KEY, Pulso, Running, SECRET};
pub use redis::Redis;
pub use replicated::{Cluster, Guarded};
pub use scratch::Scratch;
pub use script::Script;
pub use signing::{SigningKey, jwks};
pub use token::Claims;
pub use transcript::Transcript;
pub use website::{Page, TlsWebsite, Website};
