//! An answer that waits, and its connection meanwhile: neither hyper nor the request are there, a line and an id are.
//!
//! When there is an answer, hyper is given a head like that of the request to be answered to. Must not know what is answered.

use bytes::Bytes;
use http::header::CONNECTION;
use http::{Request, Version};
use tokio::net::TcpStream;
use warp::reply::Response;

use super::cors::Cors;
use super::engine;
use super::paced::Paced;
use super::upgrade::has_word;
use crate::transport::socketio::Polled;

/// A request of a session that polls, without the request.
#[derive(Debug)]
pub(super) struct Held {
    session: Polled,
    cors: Cors,
    is_http_10: bool,
    /// Nothing more comes on its connection.
    is_last: bool,
}

impl Held {
    pub(super) fn new<B>(session: Polled, cors: &Cors, request: &Request<B>) -> Self {
        let is_http_10 = request.version() < Version::HTTP_11;
        let says = |word| has_word(request.headers(), &CONNECTION, word);
        let is_last = if is_http_10 { !says("keep-alive") } else { says("close") };
        Self { session, cors: cors.apart(), is_http_10, is_last }
    }

    /// Waits for the answer. `None`, and the session ends: nobody waits for it any more, and what it may have been given is lost.
    pub(super) async fn answer(&self, line: &Paced<TcpStream>) -> Option<Response> {
        let mut giving = Giving(Some(&self.session));
        let answered = tokio::select! {
            biased;
            answered = self.session.get() => answered,
            () = line.hung_up() => return None,
        };
        // What happens right behind a hang-up would count as read otherwise.
        if line.has_hung_up() {
            return None;
        }
        giving.0 = None;
        let mut response = engine::respond(answered);
        self.cors.allow(&mut response);
        Some(response)
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

/// A request that is being given something: if it is dropped before, that is lost, and its session ends.
struct Giving<'a>(Option<&'a Polled>);

impl Drop for Giving<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.on_broken();
        }
    }
}
