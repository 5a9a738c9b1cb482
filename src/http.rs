//! Pulso's one port: requests in, answers or WebSockets out.
//!
//! The only module that knows warp and hyper. Must not know SQL, nor what a client says once it is connected.

pub mod accept;
mod admission;
mod answer;
mod assets;
mod bodies;
mod connection;
mod connects;
mod cors;
pub mod departure;
mod engine;
mod forwarded;
mod health;
mod held;
mod hooks;
pub mod mount;
mod nodes;
mod pace;
mod paced;
mod page;
pub mod places;
pub mod probe;
mod proxies;
mod pull;
mod query;
mod refusal;
mod routes;
mod sse;
mod upgrade;
mod visitors;

use std::net::IpAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::access::origin::OriginPolicy;
use crate::config::{ConnectionLimits, HookConfig, ListenConfig, PageConfig};
use crate::node::Node;
use crate::transport::socketio::SocketIo;

use admission::Admission;
use assets::Assets;
use hooks::Hooks;
use page::Page;
use proxies::Proxies;

/// What the port is made of, each part with what it needs of the node.
#[derive(Debug)]
pub struct Port {
    admission: Arc<Admission>,
    hooks: Arc<Hooks>,
    page: Arc<Page>,
    assets: Arc<Assets>,
    /// `None` while no feed needs Socket.IO.
    socketio: Option<SocketIo>,
    limits: ConnectionLimits,
    /// Cancelled when the HTTP connections have to end.
    hang_up: CancellationToken,
}

impl Port {
    /// `name`: what people call this node.
    pub fn new(
        node: &Node,
        name: Option<String>,
        listen: ListenConfig,
        page: &PageConfig,
        hooks: HookConfig,
        limits: ConnectionLimits,
    ) -> Self {
        let admission = Arc::new(Admission {
            sessions: Arc::clone(&node.sessions),
            origins: OriginPolicy::new(listen.origins),
            proxies: Proxies::new(listen.trusted_proxies),
            places: Arc::clone(&node.places),
            departure: Arc::clone(&node.departure),
            clients: node.clients.clone(),
        });
        let hooks = Arc::new(Hooks {
            name,
            config: hooks,
            calls: Arc::clone(&node.calls),
            idempotency: Arc::clone(&node.idempotency),
            admission: Arc::clone(&admission),
            tracer: node.tracer.clone(),
        });
        let assets = Arc::new(Assets::new(page));
        let page = Arc::new(Page { admission: Arc::clone(&admission), names: Arc::clone(&node.names) });
        let (socketio, hang_up) = (node.socketio.clone(), node.hang_up.clone());
        Self { admission, hooks, page, assets, socketio, limits, hang_up }
    }
}

/// The address at the other end of a connection.
#[derive(Clone, Copy, Debug)]
struct Peer(IpAddr);
