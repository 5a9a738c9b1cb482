//! Pulso's one port: requests in, answers or WebSockets out.
//!
//! The only module that knows warp and hyper. Must not know SQL, nor what a client says once it is connected.

pub mod accept;
mod admission;
pub mod annex;
mod answer;
mod assets;
mod engine;
mod forwarded;
mod health;
mod hooks;
mod pace;
pub mod places;
mod pull;
mod query;
mod refusal;
mod routes;
mod sse;
mod upgrade;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use ipnet::IpNet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::origin::OriginPolicy;
use crate::client::Environment;
use crate::config::{ConnectionLimits, HookConfig, PublishConfig, SyncConfig};
use crate::idempotency::Idempotency;
use crate::socketio::Namespaces;

use places::Places;

/// What the routes work with.
#[derive(Debug)]
pub struct Gate {
    pub environment: Arc<Environment>,
    pub origins: OriginPolicy,
    pub trusted_proxies: Vec<IpNet>,
    pub hooks: HookConfig,
    pub publish: PublishConfig,
    pub sync: SyncConfig,
    pub idempotency: Arc<Idempotency>,
    /// Changes announced to back ends so far.
    pub announced: AtomicU64,
    pub limits: ConnectionLimits,
    pub places: Places,
    /// `None` while no feed needs Socket.IO.
    pub namespaces: Option<Namespaces>,
    /// The tasks of all clients.
    pub clients: TaskTracker,
    /// Set when the node goes away: `/ready` says no from then on.
    pub is_stopping: AtomicBool,
    /// Cancelled when the HTTP connections have to end.
    pub hang_up: CancellationToken,
}

/// The address at the other end of a connection.
#[derive(Clone, Copy, Debug)]
struct Peer(IpAddr);
