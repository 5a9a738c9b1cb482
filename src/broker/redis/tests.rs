//! The contract on a real Redis, and what only Redis does: somebody else's keys, errors, restarts.

mod failover;
mod failures;
mod inspection;
mod newer;
mod strangers;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;

use pulso_harness::Redis as Server;

use super::*;
use crate::broker::log::{Append, Appended, Call, Identity, Logged, Lost, NodeId, Position, PutBack, Stream};
use crate::broker::tests::contract::contract;
use crate::config::RedisHost;

fn config(port: u16, prefix: &str) -> RedisConfig {
    let host = RedisHost { name: "127.0.0.1".to_owned(), port };
    RedisConfig { servers: RedisServers::One(host), prefix: prefix.to_owned(), ..RedisConfig::default() }
}

/// A log of its own on a server that all tests share.
fn log_of_its_own() -> (Redis, ()) {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(Server::start);
    let prefix = format!("log{}", COUNT.fetch_add(1, Ordering::Relaxed));
    (Redis::new(config(server.port(), &prefix)), ())
}

contract!(log_of_its_own());

/// The one way to a server of its own, and its keys' prefix.
fn way_to(server: &Server) -> Redis {
    Redis::new(config(server.port(), "pulso"))
}

/// Appends an event as a hook does.
async fn append(line: &dyn Line, identity: &Identity, body: &'static str) -> Result<u64, Trouble> {
    let body = Bytes::from_static(body.as_bytes());
    let stream = Stream::Events;
    let append = Append { stream, body: &body, ids: 1, floor: 0, born: &identity.born, call: None, watched: None };
    match line.append(append).await? {
        Appended::At { first, .. } => Ok(first),
        repeated @ Appended::Repeated(_) => panic!("{repeated:?}"),
    }
}

/// Reads on until nothing comes any more: what it was, and where the reader is then.
async fn read_on(line: &dyn Line, position: &mut Position) -> Vec<String> {
    let mut all: Vec<Logged> = Vec::new();
    for _ in 0..100 {
        let some = line.read(*position, 100, Duration::ZERO).await.unwrap();
        if some.is_empty() {
            return all.iter().map(|entry| String::from_utf8_lossy(&entry.body).into_owned()).collect();
        }
        *position = some.iter().fold(*position, Position::behind);
        all.extend(some);
    }
    panic!("the same is read again and again: {:?}", &all[..4]);
}
