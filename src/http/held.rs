//! An answer that waits. Once that has lasted, neither hyper nor the request are there: a line and an id are, until there is an
//! answer, and hyper is given a head like that of the request to be answered to.
//!
//! Must not know what is answered.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::CONNECTION;
use http::{Request, Version};
use tokio::net::TcpStream;
use warp::reply::Response;

use super::cors::Cors;
use super::engine;
use super::paced::Paced;
use super::upgrade::has_word;
use crate::transport::socketio::{Awaited, Polled};

/// A request of a session that polls, without the request.
#[derive(Debug)]
pub(super) struct Held {
    awaited: Awaited,
    pub(super) giving: Giving,
    cors: Cors,
    is_http_10: bool,
    /// Nothing more comes on its connection.
    is_last: bool,
}

/// A session whose request is to be given something: if this is dropped before, that is lost, and the session ends.
#[derive(Debug)]
pub(super) struct Giving(Option<Polled>);

impl Held {
    pub(super) fn new<B>(session: Polled, cors: &Cors, request: &Request<B>) -> Self {
        let is_http_10 = request.version() < Version::HTTP_11;
        let says = |word| has_word(request.headers(), &CONNECTION, word);
        let is_last = if is_http_10 { !says("keep-alive") } else { says("close") };
        Self { awaited: session.get(), giving: Giving(Some(session)), cors: cors.apart(), is_http_10, is_last }
    }

    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Response> {
        let mut response = engine::respond(ready!(self.awaited.poll_unpin(cx)));
        self.cors.allow(&mut response);
        Poll::Ready(response)
    }

    /// The same where hyper does not look after its connection. `None`: nobody waits for it any more.
    pub(super) async fn answer(&mut self, line: &Paced<TcpStream>) -> Option<Response> {
        tokio::select! {
            biased;
            response = poll_fn(|cx| self.poll_answer(cx)) => Some(response),
            () = line.hung_up() => None,
        }
    }

    /// What hyper reads in the place of the request. `is_last`: nothing more may come on its connection.
    pub(super) fn head(&self, is_last: bool) -> Bytes {
        Bytes::from_static(match (self.is_http_10, self.is_last || is_last) {
            (false, false) => b"GET / HTTP/1.1\r\nhost: -\r\n\r\n",
            (false, true) => b"GET / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n",
            (true, false) => b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
            (true, true) => b"GET / HTTP/1.0\r\n\r\n",
        })
    }
}

impl Giving {
    /// It is on its way.
    pub(super) fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Giving {
    fn drop(&mut self) {
        if let Some(session) = &self.0 {
            session.on_broken();
        }
    }
}
