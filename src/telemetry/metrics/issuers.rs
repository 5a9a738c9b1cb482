//! The numbers about keys that are fetched, of all issuers together.
//!
//! No label, for an operator's addresses are nobody's business.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

#[derive(Debug)]
pub struct IssuerMetrics {
    pub fetches: Counter,
    pub failures: Counter,
    pub keys: Gauge,
    pub left_out: Gauge,
    /// Unix seconds.
    pub away_since: Gauge,
}

impl IssuerMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        fn one<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
            let metric = M::default();
            registry.register(name, help, metric.clone());
            metric
        }
        let since = "Unix time since which an issuer's keys cannot be fetched; 0 while all can";
        Self {
            fetches: one(registry, "jwks_fetches", "Fetches of issuers' keys"),
            failures: one(registry, "jwks_failures", "Fetches of issuers' keys that brought none"),
            keys: one(registry, "jwks_keys", "Keys fetched from issuers that tokens are verified with"),
            left_out: one(registry, "jwks_left_out", "Keys of issuers that cannot be used"),
            away_since: one(registry, "jwks_away_since_seconds", since),
        }
    }
}
