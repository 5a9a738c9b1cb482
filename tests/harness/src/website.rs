//! A web server whose pages are what a test says, good ones and bad ones, and that counts who asks for them.

mod tls;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::served::{Port, Request};

pub use tls::TlsWebsite;

/// What is at a path.
#[derive(Clone, Debug)]
pub enum Page {
    /// A status line's rest, such as `200 OK`, headers, and the body.
    Answer { status: &'static str, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Accepts the request and says nothing.
    Silence,
    /// A body that never ends.
    Endless,
}

/// The server, on a port of the loopback. It lives in the runtime that made it and ends when dropped.
#[derive(Debug)]
pub struct Website {
    port: Port,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    pages: HashMap<String, Page>,
    /// Every request: its path, its head, and when it came.
    asked: Vec<(String, String, Instant)>,
}

impl Page {
    /// 200 with this body.
    pub fn of(body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status: "200 OK", headers: Vec::new(), body: body.into() }
    }

    /// Another status, and no body.
    pub fn status(status: &'static str) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Leads on to another place.
    pub fn leading_to(url: &str) -> Self {
        Self::status("302 Found").with("location", url)
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

impl Website {
    /// With no page yet: every path is answered 404.
    pub async fn start() -> Self {
        let shared = Arc::<Mutex<Shared>>::default();
        let answering = Arc::clone(&shared);
        let port = Port::open(None, move |request| answer(request, Arc::clone(&answering))).await;
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// `http://127.0.0.1:<port><path>`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port.number())
    }

    /// From now on `page` is at `path`.
    pub fn says(&self, path: &str, page: Page) {
        lock(&self.shared).pages.insert(path.to_owned(), page);
    }

    /// How often `path` was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.times(path).len()
    }

    /// When `path` was asked for.
    pub fn times(&self, path: &str) -> Vec<Instant> {
        let shared = lock(&self.shared);
        shared.asked.iter().filter(|(asked, ..)| asked == path).map(|(.., at)| *at).collect()
    }

    /// The head of the latest request for `path`.
    pub fn head(&self, path: &str) -> Option<String> {
        let shared = lock(&self.shared);
        shared.asked.iter().rev().find(|(asked, ..)| asked == path).map(|(_, head, _)| head.clone())
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(mut request: Request, shared: Arc<Mutex<Shared>>) {
    let path = request.head.split(' ').nth(1).unwrap_or_default().to_owned();
    let page = {
        let mut shared = lock(&shared);
        shared.asked.push((path.clone(), request.head.clone(), Instant::now()));
        shared.pages.get(&path).cloned()
    };
    match page.unwrap_or_else(|| Page::status("404 Not Found")) {
        Page::Answer { status, headers, body } => request.answer(status, &headers, &body).await,
        Page::Silence => std::future::pending().await,
        Page::Endless => {
            let mut more = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
            while request.stream.write_all(&more).await.is_ok() {
                more = vec![b' '; 64 * 1024];
            }
        }
    }
}
