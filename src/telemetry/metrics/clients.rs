//! Who is connected, by what carries it and by whose endpoint; who came, and what became of that.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::RefusalReason;
use super::register::Register;

/// Of an endpoint that several feeds share.
const SEVERAL: &str = "several";

#[derive(Debug)]
pub struct ClientMetrics {
    all: Gauge,
    each: Family<ClientLabel, Gauge>,
    kinds: Mutex<HashMap<ClientLabel, Arc<Kind>>>,
    pub handshakes: Family<HandshakeLabel, Counter>,
    pub renewals: Family<RenewalLabel, Counter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClientLabel {
    transport: &'static str,
    feed: &'static str,
}

/// Clients of one kind, and all of them: one pointer for who counts there.
#[derive(Debug)]
struct Kind {
    all: Gauge,
    of_kind: Gauge,
}

/// Counts a client while it lives.
#[derive(Debug)]
pub struct Counted(Arc<Kind>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HandshakeLabel {
    /// Its path.
    pub endpoint: &'static str,
    pub result: HandshakeResult,
}

/// What became of somebody who came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeResult {
    Accepted,
    Refused(RefusalReason),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RenewalLabel {
    pub result: RenewalResult,
}

listed! {
    /// What became of a token that was to follow another on its connection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
    pub enum RenewalResult {
        Renewed,
        Refused,
        AnotherUser,
    }
}

impl ClientMetrics {
    pub(super) fn register(register: &mut Register) -> Self {
        let renewals: Family<RenewalLabel, Counter> = register.counters("pulso_token_renewals");
        // From the beginning, so that a rate has what to begin with.
        for result in RenewalResult::ALL {
            drop(renewals.get_or_create(&RenewalLabel { result: *result }));
        }
        Self {
            all: register.gauge("pulso_connections"),
            each: register.gauges("pulso_clients"),
            kinds: Mutex::default(),
            handshakes: register.counters("pulso_handshakes"),
            renewals,
        }
    }

    /// All clients.
    pub fn count(&self) -> i64 {
        self.all.get()
    }

    /// One more client. `feed`: whose endpoint it came to, if that is one feed's own.
    pub fn enter(&self, transport: &'static str, feed: Option<&'static str>) -> Counted {
        let label = ClientLabel { transport, feed: feed.unwrap_or(SEVERAL) };
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(label).or_insert_with_key(|label| {
            let of_kind = self.each.get_or_create(label).clone();
            Arc::new(Kind { all: self.all.clone(), of_kind })
        });
        let counted = Counted(Arc::clone(kind));
        drop(kinds);
        counted.0.all.inc();
        counted.0.of_kind.inc();
        counted
    }

    pub fn shook_hands(&self, endpoint: &'static str, result: HandshakeResult) {
        self.handshakes.get_or_create(&HandshakeLabel { endpoint, result }).inc();
    }

    pub fn renewed(&self, result: RenewalResult) {
        self.renewals.get_or_create(&RenewalLabel { result }).inc();
    }
}

impl From<Option<RefusalReason>> for HandshakeResult {
    fn from(refused: Option<RefusalReason>) -> Self {
        refused.map_or(Self::Accepted, Self::Refused)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.all.dec();
        self.0.of_kind.dec();
    }
}

impl EncodeLabelValue for HandshakeResult {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Accepted => "Accepted".encode(encoder),
            Self::Refused(reason) => reason.encode(encoder),
        }
    }
}
