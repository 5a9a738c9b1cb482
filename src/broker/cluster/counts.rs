//! How many listen on this node, for the others to know, a little late.
//!
//! Must not know who listens.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::timeout;

use super::{Cluster, lock};
use crate::broker::link::Joined;
use crate::broker::log::Trouble;
use crate::model::Channel;

/// How long an answer waits to know how many listen elsewhere.
const LONGEST_COUNT: Duration = Duration::from_millis(100);
/// A node that does not say any more how many listen to it has nobody.
const LASTING: Duration = Duration::from_secs(10);
/// Channels told of at once.
const AT_ONCE: usize = 1_000;

/// What the others were told.
#[derive(Debug, Default)]
pub(super) struct Counts(HashMap<String, u64>);

impl Counts {
    /// What is to be told now that `counted` is so; remembers it as told.
    fn changes(&mut self, counted: HashMap<String, u64>) -> Vec<(String, u64)> {
        let gone = self.0.keys().filter(|channel| !counted.contains_key(*channel)).map(|channel| (channel.clone(), 0));
        let other = counted.iter().filter(|(channel, count)| self.0.get(*channel) != Some(count));
        let changes = gone.chain(other.map(|(channel, count)| (channel.clone(), *count))).collect();
        self.0 = counted;
        changes
    }

    /// Nobody remembers what was told.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

impl Cluster {
    /// Tells the others how many listen here.
    pub(super) async fn tell_counts(&self, joined: &Joined) -> Result<(), Trouble> {
        let heard = self
            .hub
            .watched()
            .into_iter()
            .filter(|channel| !matches!(channel, Channel::User(_) | Channel::Kiosk(_) | Channel::Key(_)));
        let counted = heard.map(|channel| (channel.to_string(), self.hub.subscribers(&channel) as u64)).collect();
        let changes = lock(&self.counts).changes(counted);
        if changes.is_empty() {
            return joined.line.tell_listeners(self.node, &[], LASTING).await;
        }
        for some in changes.chunks(AT_ONCE) {
            let told = joined.line.tell_listeners(self.node, some, LASTING).await;
            if told.is_err() {
                lock(&self.counts).forget();
                return told;
            }
        }
        Ok(())
    }

    /// How many listen to each of these on all other nodes; `None` where that cannot be known just now.
    pub(in crate::broker) async fn listeners_elsewhere(&self, channels: &[Channel]) -> Option<Vec<u64>> {
        let joined = self.link.now()?;
        if lock(&self.peers).others(self.node).next().is_none() {
            return Some(vec![0; channels.len()]);
        }
        let channels: Vec<String> = channels.iter().map(ToString::to_string).collect();
        timeout(LONGEST_COUNT, joined.line.listeners(&channels, self.node)).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told_and_who_left_too() {
        let mut counts = Counts::default();
        let counted =
            |counts: &[(&str, u64)]| counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let mut told = counts.changes(counted(&[("a", 1), ("b", 2)]));
        told.sort();
        assert_eq!(told, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(counts.changes(counted(&[("a", 1), ("b", 3)])), [("b".to_owned(), 3)]);
        assert_eq!(counts.changes(counted(&[("b", 3)])), [("a".to_owned(), 0)]);
        counts.forget();
        assert_eq!(counts.changes(counted(&[("b", 3)])), [("b".to_owned(), 3)]);
    }
}
