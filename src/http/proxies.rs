//! The proxies in front of this node, and what becomes of a client that one of them does not name.
//!
//! Must not know how a proxy writes an address.

use std::net::IpAddr;
use std::sync::Once;

use http::HeaderMap;
use ipnet::IpNet;
use tracing::warn;

use super::forwarded::{client_address, is_trusted};
use crate::address::Address;
use crate::telemetry::metrics::Metrics;

/// Of what cannot be read, this much is shown in the log.
const SHOWN_BYTES: usize = 64;

/// Whose `X-Forwarded-For` is believed.
#[derive(Debug)]
pub(super) struct Proxies {
    trusted: Vec<IpNet>,
    said: Once,
}

impl Proxies {
    pub(super) fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted, said: Once::new() }
    }

    pub(super) fn are(&self, address: IpAddr) -> bool {
        is_trusted(address, &self.trusted)
    }

    /// Whose connection it is. What cannot be read is counted, and said once.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap, metrics: &Metrics) -> Address {
        let unreadable = match client_address(peer, headers, &self.trusted) {
            Ok(ip) => return Address::of(ip),
            Err(member) => member,
        };
        metrics.unreadable_addresses.inc();
        self.said.call_once(|| {
            let member = String::from_utf8_lossy(&unreadable[..unreadable.len().min(SHOWN_BYTES)]);
            warn!(
                proxy = %peer.to_canonical(),
                ?member,
                "X-Forwarded-For has no address where the client's belongs: limits by address do not hold for who comes \
                 like this; let the proxy write the address (said once)"
            );
        });
        Address::hidden_behind(peer)
    }
}
