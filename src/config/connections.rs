//! How many connections of each kind there may be, and for how long each may say nothing.

use std::time::Duration;

/// What bounds connections before they are clients.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// `MAX_CONNECTIONS`: WebSockets open at once.
    pub max_websockets: usize,
    /// `MAX_CONNECTIONS_PER_ADDRESS`: connections of one address; unset, only `MAX_CONNECTIONS` counts.
    pub max_per_address: Option<usize>,
    /// `CONNECTS_PER_ADDRESS`: clients that an address may begin a second, sustained; unset, as many as it likes.
    pub connects_per_address: Option<u32>,
    /// `CONNECTS_BURST`: and at once.
    pub connects_burst: u32,
    /// `MAX_HTTP_CONNECTIONS`: connections that have been answered and carry no client (hooks, health).
    pub max_http: usize,
    /// `MAX_UNAUTHENTICATED`: clients that have not presented a token yet.
    pub max_unauthenticated: usize,
    /// `HANDSHAKE_TIMEOUT`: for a whole request head.
    pub handshake_timeout: Duration,
    /// `HTTP_IDLE_TIMEOUT`: for a kept-alive connection between two requests.
    pub http_idle_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_websockets: 20_000,
            max_per_address: None,
            connects_per_address: None,
            connects_burst: 100,
            max_http: 2_048,
            max_unauthenticated: 512,
            handshake_timeout: Duration::from_secs(10),
            http_idle_timeout: Duration::from_secs(75),
        }
    }
}
