//! `OTEL_…` and `TRACE_IDS`: where spans are sent, which, and by what name.

use std::path::PathBuf;
use std::time::Duration;

use super::Secret;

/// Of a node that sends spans.
#[derive(Clone, Debug)]
pub struct TracesConfig {
    /// The URL that batches are posted to. It may hold a key.
    pub endpoint: Secret,
    /// Sent along with each batch.
    pub headers: Vec<(String, Secret)>,
    /// By gzip.
    pub is_compressed: bool,
    /// Who signs the collector's certificate; `None` for those that everybody trusts.
    pub authority: Option<PathBuf>,
    /// For one batch.
    pub timeout: Duration,
    pub sampler: SamplerConfig,
    /// What is said of this node: names and values.
    pub resource: Vec<(String, String)>,
    /// Spans that may wait.
    pub max_waiting: usize,
    /// Spans of one batch.
    pub max_batch: usize,
    /// Between two batches that are not full.
    pub delay: Duration,
    /// `TRACE_IDS`: whether a span names the channel that it is about, and so whose it is.
    pub has_ids: bool,
}

/// `OTEL_TRACES_SAMPLER`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerConfig {
    /// A call that continues a trace is followed if that one is.
    pub by_parent: bool,
    /// Of the others, from 0 to 1.
    pub share: f64,
}
