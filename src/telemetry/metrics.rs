//! Every number Pulso exports, registered once. Names follow Prometheus: a unit in the name, `_total` on counters. What each
//! counts is said in `metrics.txt`.
//!
//! No label ever carries a business, a user or anything else a peer sent.

mod bridges;
mod broker;
mod clients;
mod issuers;
mod meanings;
mod process;
mod queries;
mod register;
mod text;
mod traces;

use std::mem;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text as openmetrics};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::log;

pub use bridges::{BridgeLabel, BridgeMetrics, BridgeOutcome, BridgeOutcomeLabel};
pub use broker::{BrokerMetrics, EntryKind, EntryLabel};
pub use clients::{ClientMetrics, Counted, HandshakeResult, RenewalResult};
pub use issuers::IssuerMetrics;
pub use meanings::{METRICS, REFUSALS};
pub use queries::{QueryLabel, QueryMetrics, QueryRead, ReadReason};
pub use text::Format;
pub use traces::TraceMetrics;

use process::Process;
use register::Register;

/// How many messages wait for a client, up to the largest `OUTBOUND_BUFFER` that makes sense.
const QUEUED: [f64; 7] = [0.0, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0];

/// Handles to all metrics. Cheap to update from anywhere; never read to decide anything.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub clients: ClientMetrics,
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
    pub listen_failures: Counter,
    pub breaker_open: Gauge,
    pub breaker_opened: Counter,
    pub runner_panics: Counter,
    pub database_up: Gauge,
    pub rollup_used: Gauge,
    pub outbox_pending: Gauge,
    pub outbox_oldest_seconds: Gauge,
    pub fanout_waiting: Gauge,
    pub fanout_bytes: Gauge,
    pub history_bytes: Gauge,
    pub queued_messages: Histogram,
    pub issuers: IssuerMetrics,
    pub broker: BrokerMetrics,
    pub bridges: BridgeMetrics,
    pub live: QueryMetrics,
    pub traces: TraceMetrics,
    pub query_seconds: Histogram,
    pub notice_to_socket_seconds: Histogram,
    pub commit_to_socket_seconds: Histogram,
    pub hook_seconds: Family<HookLabel, Histogram, fn() -> Histogram>,
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

/// Which hook was called, by its path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HookLabel {
    pub hook: &'static str,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
    commit: &'static str,
}

/// The status of a hook's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HookAnswer {
    pub status: u16,
}

impl Metrics {
    pub fn new() -> Self {
        let register = &mut Register::default();
        register.collector(Process::new());
        let build: Family<Build, Gauge> = register.gauges("pulso_build_info");
        build.get_or_create(&Build::THIS).set(1);
        register.one("pulso_log_lines_lost", log::lost());
        Self {
            clients: ClientMetrics::register(register),
            unauthenticated: register.gauge("pulso_unauthenticated_connections"),
            subscriptions: register.gauge("pulso_subscriptions"),
            notices: register.counter("pulso_notices"),
            queries: register.counter("pulso_queries"),
            query_failures: register.counter("pulso_query_failures"),
            coalesced: register.counter("pulso_coalesced"),
            snapshots_shared: register.counter("pulso_snapshots_shared"),
            ownership_queries: register.counter("pulso_ownership_queries"),
            ownership_pairs: register.counter("pulso_ownership_pairs"),
            ownership_cached: register.counter("pulso_ownership_cached"),
            drift: register.counter("pulso_drift"),
            rollup_drift: register.counter("pulso_rollup_drift"),
            trailing_corrections: register.counter("pulso_trailing_corrections"),
            broadcasts: register.counter("pulso_broadcasts"),
            deliveries: register.counter("pulso_deliveries"),
            conflated: register.counter("pulso_conflated"),
            replayed: register.counter("pulso_replayed"),
            resyncs: register.counter("pulso_resyncs"),
            slow_closes: register.counter("pulso_slow_closes"),
            accept_errors: register.counter("pulso_accept_errors"),
            unreadable_addresses: register.counter("pulso_unreadable_addresses"),
            http_pushed_out: register.counter("pulso_http_pushed_out"),
            withdrawn: register.counter("pulso_withdrawn"),
            listen_notices: register.counter("pulso_listen_notices"),
            listen_gaps: register.counter("pulso_listen_gaps"),
            listen_failures: register.counter("pulso_listen_failures"),
            breaker_open: register.gauge("pulso_breaker_open"),
            breaker_opened: register.counter("pulso_breaker_opened"),
            runner_panics: register.counter("pulso_runner_panics"),
            database_up: register.gauge("pulso_database_up"),
            rollup_used: register.gauge("pulso_rollup_used"),
            outbox_pending: register.gauge("pulso_outbox_pending"),
            outbox_oldest_seconds: register.gauge("pulso_outbox_oldest_seconds"),
            fanout_waiting: register.gauge("pulso_fanout_waiting"),
            fanout_bytes: register.gauge("pulso_fanout_bytes"),
            history_bytes: register.gauge("pulso_history_bytes"),
            queued_messages: register.one("pulso_queued_messages", Histogram::new(QUEUED)),
            issuers: IssuerMetrics::register(register),
            broker: BrokerMetrics::register(register),
            bridges: BridgeMetrics::register(register),
            live: QueryMetrics::register(register),
            traces: TraceMetrics::register(register),
            query_seconds: register.seconds("pulso_query_seconds"),
            notice_to_socket_seconds: register.seconds("pulso_notice_to_socket_seconds"),
            commit_to_socket_seconds: register.seconds("pulso_commit_to_socket_seconds"),
            hook_seconds: register.seconds_by("pulso_hook_seconds"),
            refusals: register.counters("pulso_refusals"),
            closes: register.counters("pulso_closes"),
            hook_answers: register.counters("pulso_hook_answers"),
            registry: mem::take(register).into_registry(),
        }
    }

    pub fn refuse(&self, reason: RefusalReason) {
        self.refusals.get_or_create(&RefusalLabel { reason }).inc();
    }

    /// A call was answered, after so long.
    pub fn answered(&self, hook: &'static str, status: u16, took: Duration) {
        self.hook_answers.get_or_create(&HookAnswer { status }).inc();
        self.hook_seconds.get_or_create(&HookLabel { hook }).observe(took.as_secs_f64());
    }

    /// The text that a Prometheus server scrapes.
    pub fn encode(&self, format: Format) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = openmetrics::encode(&mut out, &self.registry);
        match format {
            Format::OpenMetrics => out,
            Format::Older => self::text::older(&out),
        }
    }
}

impl Build {
    /// `PULSO_COMMIT` is set by who builds a release.
    const THIS: Self = Self {
        version: env!("CARGO_PKG_VERSION"),
        commit: match option_env!("PULSO_COMMIT") {
            Some(commit) => commit,
            None => "unknown",
        },
    };
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
