//! The customers' calls to Pulso's hooks, as any REST API makes them: over HTTP, with the key. What fails is logged and
//! life goes on.

use std::net::SocketAddr;

use serde::Serialize;

use crate::config::Secret;
use crate::loopback;

/// Where the hooks are, and their key.
#[derive(Clone, Debug)]
pub struct Hooks {
    server: SocketAddr,
    key: Secret,
}

/// What one hook is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub path: &'static str,
    /// JSON.
    pub body: String,
}

impl Notice {
    pub fn new(path: &'static str, body: &impl Serialize) -> Self {
        // Structs of strings and numbers always serialise.
        Self { path, body: serde_json::to_string(body).unwrap_or_default() }
    }
}

impl Hooks {
    pub fn new(server: SocketAddr, key: Secret) -> Self {
        Self { server, key }
    }

    pub(super) async fn call(&self, Notice { path, body }: Notice) {
        match loopback::post_json(self.server, path, &self.key, body).await {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => tracing::warn!(path, status = answer.status, "demo: the hook refused the call"),
            Err(error) => tracing::warn!(path, %error, "demo: the hook did not answer"),
        }
    }

    /// One after the other: what they say comes in this order.
    pub(super) async fn call_all(&self, notices: Vec<Notice>) {
        for notice in notices {
            self.call(notice).await;
        }
    }
}
