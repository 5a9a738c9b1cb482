//! What a node among several says of itself, as its settings have it.
//!
//! Must not connect.

use std::sync::Arc;

use rustix::system::uname;
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;
use url::form_urlencoded;

use crate::broker::Several;
use crate::broker::redis::Redis;
use crate::config::{Config, DatabaseUrl, PostgresUrl, RedisConfig, Secret};
use crate::feeds;

/// `redis`: where their log is. `clients`: the tasks of all clients.
pub(super) fn several(config: &Config, redis: &RedisConfig, clients: &TaskTracker) -> Several {
    let secret: Vec<&str> = config.auth.secrets.iter().take(1).map(Secret::expose).collect();
    Several {
        engine: Arc::new(Redis::new(redis.clone())),
        name: config.node_name.clone().unwrap_or_else(|| host_and_port(config.listen.port)),
        fingerprints: [
            fingerprint(&secret),
            fingerprint(&[config.stats.zone.iana_name().unwrap_or_default()]),
            fingerprint(&place(&config.database.url).iter().map(String::as_str).collect::<Vec<_>>()),
        ],
        names: feeds::types().collect(),
        clients: clients.clone(),
    }
}

fn host_and_port(port: u16) -> String {
    format!("{}:{port}", uname().nodename().to_string_lossy())
}

/// Differs where settings do, nearly always, and is of too few bits to tell anything else about them.
fn fingerprint(of: &[&str]) -> u64 {
    let mut digest = Sha256::new();
    for part in of {
        digest = digest.chain_update(part).chain_update([0]);
    }
    let digest = digest.finalize();
    u16::from_be_bytes([digest[0], digest[1]]).into()
}

/// Where the database is, without who asks it and how.
fn place(url: &DatabaseUrl) -> Vec<String> {
    let DatabaseUrl::Postgres(url) = url else { return Vec::new() };
    let hosts = PostgresUrl::parse(url.expose()).map(|url| url.hosts).unwrap_or_default();
    let of_host = |host: &Secret| {
        let query = host.expose().split_once('?').map_or("", |(_, query)| query).to_owned();
        let parts = form_urlencoded::parse(query.as_bytes()).into_owned();
        parts
            .filter(|(name, _)| ["host", "port", "dbname"].contains(&name.as_str()))
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
    };
    hosts.iter().flat_map(of_host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_the_database_does_not_change_where_it_is() {
        let at = |url: &str| place(&DatabaseUrl::Postgres(Secret::new(url)));
        assert_eq!(at("postgres://ana:a@db:5432/citas"), ["db", "5432", "citas"]);
        assert_eq!(at("postgres://ana:a@db:5432/citas"), at("postgres://bea:b@db:5432/citas?sslmode=require"));
        assert_ne!(at("postgres://ana@db:5432/citas"), at("postgres://ana@db:5432/otra"));
    }

    #[test]
    fn a_fingerprint_tells_settings_apart_and_no_more() {
        assert_eq!(fingerprint(&["a secret"]), fingerprint(&["a secret"]));
        assert_ne!(fingerprint(&["a secret"]), fingerprint(&["another"]));
        assert!(fingerprint(&["a secret"]) <= u16::MAX.into());
    }
}
