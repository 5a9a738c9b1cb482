//! The numbers about keys that are fetched, of all issuers together.
//!
//! No label, for an operator's addresses are nobody's business.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::register::Register;

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
    pub(super) fn register(register: &mut Register) -> Self {
        Self {
            fetches: register.counter("pulso_jwks_fetches"),
            failures: register.counter("pulso_jwks_failures"),
            keys: register.gauge("pulso_jwks_keys"),
            left_out: register.gauge("pulso_jwks_left_out"),
            away_since: register.gauge("pulso_jwks_away_since_seconds"),
        }
    }
}
