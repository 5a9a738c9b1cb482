//! Keeps keys that are fetched current: when a fetch is due, and what is told of how it went.
//!
//! Must not know how a fetch is made nor what the keys verify.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::fetch::{FetchError, Fetched, fetch};
use super::source::Source;
use crate::clock::Clock;
use crate::config::{KeysAt, RemoteKeys};
use crate::telemetry::metrics::Metrics;

/// Between two fetches from an issuer that answers, whatever tokens strangers send.
pub const BETWEEN_FETCHES: Duration = Duration::from_secs(30);
/// After the first failure; each further one doubles it up to [`BETWEEN_FETCHES`].
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Keeps all of `sources` until `stop`. Those that are fixed stay as they are.
pub async fn keep(sources: Vec<Arc<Source>>, clock: Clock, metrics: Arc<Metrics>, stop: CancellationToken) {
    let keeper = Keeper { sources: &sources, clock, metrics };
    let work = join_all(sources.iter().filter_map(|source| Some(keeper.keep(source, source.remote()?))));
    tokio::select! {
        () = stop.cancelled() => {}
        _ = work, if sources.iter().any(|source| source.remote().is_some()) => {}
    }
}

struct Keeper<'a> {
    sources: &'a [Arc<Source>],
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Keeper<'_> {
    async fn keep(&self, source: &Source, remote: &RemoteKeys) {
        let mut failures = 0_u32;
        loop {
            source.begin();
            let fetched = fetch(remote).await;
            self.metrics.issuers.fetches.inc();
            let pause = match fetched {
                Ok(fetched) => {
                    failures = 0;
                    let kept_for = fetched.kept_for;
                    take(source, remote, fetched);
                    kept_for
                }
                Err(error) => {
                    self.miss(source, remote, &error);
                    let pause = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(failures)).min(BETWEEN_FETCHES);
                    failures += 1;
                    pause
                }
            };
            self.tell();
            let ended = Instant::now();
            let due = ended + pause;
            tokio::select! {
                () = sleep_until(due) => {}
                () = source.wanted() => sleep_until(due.min(ended + BETWEEN_FETCHES)).await,
            }
        }
    }

    fn miss(&self, source: &Source, remote: &RemoteKeys, error: &FetchError) {
        self.metrics.issuers.failures.inc();
        let issuer = name(remote);
        if source.miss(self.clock.unix()) {
            warn!(issuer, %error, "the issuer's keys cannot be fetched; those of before are used, if there are any");
        } else {
            debug!(issuer, %error, "the issuer's keys cannot be fetched");
        }
    }

    /// The numbers of all issuers together.
    fn tell(&self) {
        let sum = |count: fn(&Source) -> usize| {
            let fetched = self.sources.iter().filter(|source| source.remote().is_some());
            let sum: usize = fetched.map(|source| count(source)).sum();
            i64::try_from(sum).unwrap_or(i64::MAX)
        };
        self.metrics.issuers.keys.set(sum(|source| source.set().keys().len()));
        self.metrics.issuers.left_out.set(sum(|source| source.set().left_out().len()));
        let since = self.sources.iter().filter_map(|source| source.standing().since()).min();
        self.metrics.issuers.away_since.set(since.unwrap_or(0));
    }
}

fn take(source: &Source, remote: &RemoteKeys, fetched: Fetched) {
    let was_away = source.standing().since().is_some();
    let (keys, left_out) = (fetched.set.keys().len(), fetched.set.left_out().to_vec());
    let is_another = source.take(fetched.set);
    let issuer = name(remote);
    if is_another || was_away {
        info!(issuer, keys, kept_for = ?fetched.kept_for, "the issuer's keys are here");
    }
    if is_another {
        for entry in left_out {
            warn!(issuer, "a key of the issuer's is left out: {entry}");
        }
    }
}

/// As the operator wrote it.
fn name(remote: &RemoteKeys) -> &str {
    match &remote.at {
        KeysAt::Jwks(url) => url.as_str(),
        KeysAt::Discovery { issuer, .. } => issuer,
    }
}
