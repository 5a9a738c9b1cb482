//! The customers' calls to Pulso's hooks, as any REST API makes them: over HTTP, with the key. What fails is logged and
//! life goes on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use reqwest::Client;
use serde::Serialize;

/// As long as a REST API waits for a hook.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the hooks are, and their key.
#[derive(Clone)]
pub struct Hooks {
    client: Client,
    /// `http://127.0.0.1:8080`.
    server: Arc<str>,
    key: Arc<str>,
}

/// What one hook is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) path: &'static str,
    /// JSON.
    pub(crate) body: String,
}

impl Notice {
    pub(crate) fn new(path: &'static str, body: &impl Serialize) -> Self {
        // Structs of strings and numbers always serialise.
        Self { path, body: serde_json::to_string(body).unwrap_or_default() }
    }
}

impl Hooks {
    /// `server`: where Pulso is, such as `http://127.0.0.1:8080`.
    pub fn new(server: &str, key: &str) -> Self {
        // A demo calls the server beside it, whatever proxies the environment names, and needs nobody's certificates.
        let client = Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build().unwrap_or_default();
        Self { client, server: server.into(), key: key.into() }
    }

    pub(crate) async fn call(&self, Notice { path, body }: Notice) {
        let call = self.client.post(format!("{}{path}", self.server)).body(body);
        let call = call.header(CONTENT_TYPE, "application/json").header("x-api-key", &*self.key);
        match call.send().await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::warn!(path, status = answer.status().as_u16(), "demo: the hook refused the call"),
            Err(error) => tracing::warn!(path, %error, "demo: the hook did not answer"),
        }
    }

    /// One after the other: what they say comes in this order.
    pub(crate) async fn call_all(&self, notices: Vec<Notice>) {
        for notice in notices {
            self.call(notice).await;
        }
    }
}

/// Without the key.
impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("server", &self.server).finish_non_exhaustive()
    }
}
