//! Every number Pulso exports, registered once. Names follow Prometheus: a unit in the name, `_total` on counters.
//!
//! No label ever carries a business, a user or anything else a peer sent.

mod bridges;
mod broker;
mod issuers;
mod queries;

use std::fmt;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::log;

pub use bridges::{BridgeLabel, BridgeMetrics, BridgeOutcome, BridgeOutcomeLabel};
pub use broker::{BrokerMetrics, EntryKind, EntryLabel};
pub use issuers::IssuerMetrics;
pub use queries::{QueryLabel, QueryMetrics, QueryRead, ReadReason};

/// Handles to all metrics. Cheap to update from anywhere; never read to decide anything.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub connections: Gauge,
    pub unauthenticated: Gauge,
    pub subscriptions: Gauge,
    pub notices: Counter,
    pub queries: Counter,
    pub query_failures: Counter,
    pub coalesced: Counter,
    pub snapshots_shared: Counter,
    pub ownership_queries: Counter,
    pub ownership_pairs: Counter,
    pub ownership_cached: Counter,
    pub drift: Counter,
    pub rollup_drift: Counter,
    pub trailing_corrections: Counter,
    pub broadcasts: Counter,
    pub deliveries: Counter,
    pub conflated: Counter,
    pub replayed: Counter,
    pub resyncs: Counter,
    pub slow_closes: Counter,
    pub accept_errors: Counter,
    pub unreadable_addresses: Counter,
    pub http_pushed_out: Counter,
    pub withdrawn: Counter,
    pub listen_notices: Counter,
    pub listen_gaps: Counter,
    pub breaker_open: Gauge,
    pub breaker_opened: Counter,
    pub runner_panics: Counter,
    pub database_up: Gauge,
    pub rollup_used: Gauge,
    pub issuers: IssuerMetrics,

    pub broker: BrokerMetrics,
    pub bridges: BridgeMetrics,
    pub live: QueryMetrics,
    pub query_seconds: Histogram,
    pub notice_to_socket_seconds: Histogram,
    pub refusals: Family<RefusalLabel, Counter>,
    pub closes: Family<Close, Counter>,
    pub hook_answers: Family<HookAnswer, Counter>,
}

listed! {
    /// Why something was refused; the label `reason` of `pulso_refusals_total`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
    pub enum RefusalReason {
        TooManyConnections,
        TooManyFromAddress,
        TooManyUnauthenticated,
        TooManyConnects,
        TooManyHooks,
        TooManyPublications,
        ShuttingDown,
        Host,
        Origin,
        Token,
        KeysUnavailable,
        Handshake,
        Method,
        Path,
        HookKey,
        HookBody,
        HookBodyTooLarge,
        Ownership,
        OwnershipRate,
        Channels,
        Message,
        Device,
        NotConfigured,
        DatabaseUnavailable,
        LogUnavailable,
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabel {
    pub reason: RefusalReason,
}

/// How a connection ended: the close code sent to the client, 1000 for its own, 1006 for a line that went away without.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Close {
    pub code: u16,
}

/// The status of a hook's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HookAnswer {
    pub status: u16,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("pulso");
        let mut counter = |name: &str, help: &str| {
            let metric = Counter::<u64, AtomicU64>::default();
            registry.register(name, help, metric.clone());
            metric
        };
        let notices = counter("notices", "Notices accepted from the hook");
        let queries = counter("queries", "Statistics queries begun");
        let query_failures = counter("query_failures", "Statistics queries that failed");
        let coalesced = counter("coalesced", "Notices and subscribers that shared a read with another");
        let snapshots_shared = counter("snapshots_shared", "Subscribers served from figures already read");
        let ownership_queries = counter("ownership_queries", "Batched ownership queries");
        let ownership_pairs = counter("ownership_pairs", "Ownership questions put to the database");
        let ownership_cached = counter("ownership_cached", "Ownership questions answered from the cache");
        let drift = counter("drift", "Differences found by the sentinel that no notice announced");
        let rollup_drift = counter("rollup_drift", "Differences between the rollup and the plain query");
        let late = "Differences found by the trailing re-read: notices sent before their commit";
        let trailing_corrections = counter("trailing_corrections", late);
        let broadcasts = counter("broadcasts", "Publications handed to the hub");
        let deliveries = counter("deliveries", "Messages written to a socket");
        let conflated = counter("conflated", "Unsent messages replaced by a newer one of their channel");
        let replayed = counter("replayed", "Events replayed to clients that were away");
        let resyncs = counter("resyncs", "Clients told that not everything they missed can be replayed");
        let slow_closes = counter("slow_closes", "Clients closed as slow consumers");
        let accept_errors = counter("accept_errors", "Failures to accept a connection");
        let unreadable_addresses =
            counter("unreadable_addresses", "Requests whose X-Forwarded-For names nobody that can be read");
        let http_pushed_out = counter("http_pushed_out", "HTTP connections closed because others needed their places");
        let withdrawn = counter("withdrawn", "Live subscriptions ended because the rights were withdrawn");
        let listen_notices = counter("listen_notices", "Notices received from the database trigger");
        let listen_gaps = counter("listen_gaps", "Reconnections of the listener");
        let breaker_opened = counter("breaker_opened", "Times the circuit breaker opened");
        let runner_panics = counter("runner_panics", "Reads of figures that panicked");
        registry.register("log_lines_lost", "Lines of the log that could not be written", log::lost());

        let mut gauge = |name: &str, help: &str| {
            let metric = Gauge::default();
            registry.register(name, help, metric.clone());
            metric
        };
        let connections = gauge("connections", "WebSocket connections open");
        let unauthenticated = gauge("unauthenticated_connections", "WebSocket connections without a token yet");
        let subscriptions = gauge("subscriptions", "Subscriptions held");
        let breaker_open = gauge("breaker_open", "1 while the circuit breaker is open");
        let database_up = gauge("database_up", "1 while the database answers");
        let rollup_used = gauge("rollup_used", "1 while figures are read from the rollup");

        let issuers = IssuerMetrics::register(&mut registry);
        let mut histogram = |name: &str, help: &str| {
            let metric = Histogram::new(exponential_buckets(0.000_25, 2.0, 15));
            registry.register(name, help, metric.clone());
            metric
        };
        let query_seconds = histogram("query_seconds", "Time of a statistics query");
        let notice_to_socket_seconds =
            histogram("notice_to_socket_seconds", "From the arrival of a notice to the first write to a socket");

        let refusals = family(&mut registry, "refusals", "Requests and messages refused, by reason");
        let closes = family(&mut registry, "closes", "Connections ended, by close code");
        let hook_answers = family(&mut registry, "hook_answers", "Hook calls answered, by status");

        Self {
            broker: BrokerMetrics::new(&mut registry),
            bridges: BridgeMetrics::register(&mut registry),
            live: QueryMetrics::register(&mut registry),
            registry,
            connections,
            unauthenticated,
            subscriptions,
            notices,
            queries,
            query_failures,
            coalesced,
            snapshots_shared,
            ownership_queries,
            ownership_pairs,
            ownership_cached,
            drift,
            rollup_drift,
            trailing_corrections,
            broadcasts,
            deliveries,
            conflated,
            replayed,
            resyncs,
            slow_closes,
            accept_errors,
            unreadable_addresses,
            http_pushed_out,
            withdrawn,
            listen_notices,
            listen_gaps,
            breaker_open,
            breaker_opened,
            runner_panics,
            database_up,
            rollup_used,
            issuers,
            query_seconds,
            notice_to_socket_seconds,
            refusals,
            closes,
            hook_answers,
        }
    }

    pub fn refuse(&self, reason: RefusalReason) {
        self.refusals.get_or_create(&RefusalLabel { reason }).inc();
    }

    /// The text a Prometheus server scrapes (OpenMetrics).
    pub fn encode(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

fn family<L>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Counter>
where
    L: EncodeLabelSet + fmt::Debug + Clone + Eq + Hash + Send + Sync + 'static,
{
    let metric = Family::<L, Counter>::default();
    registry.register(name, help, metric.clone());
    metric
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
