//! Where metrics are registered. A name is enough: what it means is said by its row in `docs/metrics.md`, and nowhere else.

use std::fmt;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

const DESCRIBED: &str = include_str!("../../../docs/metrics.md");

/// A registry that is being filled.
#[derive(Debug, Default)]
pub(super) struct Register(Registry);

impl Register {
    pub(super) fn one<M: Metric + Clone>(&mut self, name: &str, metric: M) -> M {
        self.0.register(name, help(name), metric.clone());
        metric
    }

    pub(super) fn counter(&mut self, name: &str) -> Counter {
        self.one(name, Counter::<u64, AtomicU64>::default())
    }

    pub(super) fn gauge(&mut self, name: &str) -> Gauge {
        self.one(name, Gauge::default())
    }

    /// From a quarter of a millisecond to four seconds.
    pub(super) fn seconds(&mut self, name: &str) -> Histogram {
        self.one(name, seconds())
    }

    pub(super) fn counters<L: Label>(&mut self, name: &str) -> Family<L, Counter> {
        self.one(name, Family::default())
    }

    pub(super) fn gauges<L: Label>(&mut self, name: &str) -> Family<L, Gauge> {
        self.one(name, Family::default())
    }

    pub(super) fn seconds_by<L: Label>(&mut self, name: &str) -> Family<L, Histogram, fn() -> Histogram> {
        self.one(name, Family::new_with_constructor(seconds as fn() -> Histogram))
    }

    pub(super) fn collector(&mut self, collector: impl Collector) {
        self.0.register_collector(Box::new(collector));
    }

    pub(super) fn into_registry(self) -> Registry {
        self.0
    }
}

/// What a metric is told apart by.
pub(super) trait Label: EncodeLabelSet + fmt::Debug + Clone + Eq + Hash + Send + Sync + 'static {}

impl<L: EncodeLabelSet + fmt::Debug + Clone + Eq + Hash + Send + Sync + 'static> Label for L {}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 15))
}

/// What a metric means, without the marks of Markdown and its full stop, which the library writes.
pub(super) fn help(name: &str) -> String {
    let meaning = DESCRIBED.lines().find_map(|line| {
        let (described, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        let is_it = described == name || described.strip_suffix("_total") == Some(name);
        is_it.then(|| rest.split_once(" | ")?.1.strip_suffix(" |")).flatten()
    });
    plain(meaning.unwrap_or_default())
}

fn plain(markdown: &str) -> String {
    let mut plain = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once("](") {
        plain.push_str(before);
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.retain(|mark| !['`', '[', '"', '\\'].contains(&mark));
    plain.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_metric_is_its_row_without_marks() {
        assert_eq!(help("pulso_database_up"), "1 while the database answers");
        assert!(
            help("pulso_closes").contains("a line that was lost (close-codes.md). A socket"),
            "{}",
            help("pulso_closes")
        );
        assert_eq!(help("pulso_nothing"), "");
    }
}
