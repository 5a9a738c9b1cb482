//! What every metric counts, and every reason of a refusal: `metrics.txt` and `refusals.txt`, of which `# HELP` and the book
//! are made.

use std::sync::LazyLock;

use crate::described::{Entry, Language, entries, plain};

/// Every metric by its name as it is exported, with its kind.
pub static METRICS: LazyLock<Vec<Entry>> = LazyLock::new(|| entries(include_str!("../metrics.txt")));

/// Every `reason` of `pulso_refusals_total`.
pub static REFUSALS: LazyLock<Vec<Entry>> = LazyLock::new(|| entries(include_str!("../refusals.txt")));

/// What a metric counts, as `# HELP` says it: in English, without marks, and without the full stop, which the library writes.
/// `name`: as it is registered, of a counter without `_total`.
pub(super) fn help(name: &str) -> String {
    let is_it = |entry: &&Entry| entry.name == name || entry.name.strip_suffix("_total") == Some(name);
    let said = METRICS.iter().find(is_it).and_then(|entry| entry.said(Language::En).first().copied());
    let mut help = plain(said.unwrap_or_default());
    help.retain(|mark| !['"', '\\'].contains(&mark));
    help.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_metric_is_its_entry_without_marks() {
        assert_eq!(help("pulso_database_up"), "1 while the database answers");
        let closes = help("pulso_closes");
        assert!(closes.contains("a line that was lost (Close codes). A socket"), "{closes}");
        assert_eq!(help("pulso_nothing"), "");
    }

    #[test]
    fn every_metric_has_a_kind_and_is_described_in_each_language() {
        for entry in METRICS.iter() {
            assert!(["counter", "gauge", "histogram"].map(|kind| vec![kind]).contains(&entry.facts), "{}", entry.name);
        }
        let (metrics, refusals) = (include_str!("../metrics.txt"), include_str!("../refusals.txt"));
        for (text, whole) in [(metrics, METRICS.len()), (refusals, REFUSALS.len())] {
            assert_eq!(text.matches("\nes | ").count(), whole, "an entry is not whole");
        }
    }
}
