//! The nodes that are there, as their beats say.
//!
//! Must not know the log.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::Beat;
use super::log::NodeId;

/// Who was not heard for so long is not there any more.
const SILENCE: Duration = Duration::from_secs(5);
/// Nodes that are remembered at most: an installation has fewer.
const MOST: usize = 1_024;

#[derive(Debug)]
pub(super) struct Peers {
    heard: HashMap<NodeId, Heard>,
    begun: Instant,
    /// When anything was read last: who was not heard since may have spoken all the same.
    listened: Instant,
}

#[derive(Debug)]
struct Heard {
    beat: Beat,
    at: Instant,
}

impl Peers {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: HashMap::new(), begun: now, listened: now }
    }

    /// The log was read up to its end.
    pub(super) fn listened(&mut self, now: Instant) {
        self.listened = now;
        self.heard.retain(|_, heard| now.duration_since(heard.at) < SILENCE);
    }

    /// For how long the log could not be read.
    pub(super) fn silence(&self) -> Duration {
        self.listened.elapsed()
    }

    /// True if it was not there before.
    pub(super) fn heard(&mut self, node: NodeId, beat: Beat, now: Instant) -> bool {
        if self.heard.len() >= MOST && !self.heard.contains_key(&node) {
            return false;
        }
        self.heard.insert(node, Heard { beat, at: now }).is_none()
    }

    pub(super) fn left(&mut self, node: NodeId) {
        self.heard.remove(&node);
    }

    /// The others, as they were when the log could be read last.
    pub(super) fn others(&self, than: NodeId) -> impl Iterator<Item = (NodeId, &Beat)> {
        let is_other = move |(node, heard): &(&NodeId, &Heard)| {
            **node != than && self.listened.saturating_duration_since(heard.at) < SILENCE
        };
        self.heard.iter().filter(is_other).map(|(node, heard)| (*node, &heard.beat))
    }

    /// In which of these formats all who are there can read: the newest that each of them reads. Who has not listened for long
    /// enough to have heard everybody takes the oldest.
    pub(super) fn format(&self, than: NodeId, formats: &RangeInclusive<u8>) -> u8 {
        let (oldest, newest) = (*formats.start(), *formats.end());
        if self.listened.saturating_duration_since(self.begun) < SILENCE {
            return oldest;
        }
        // Somebody else's beat may claim anything.
        self.others(than).map(|(_, beat)| beat.format).fold(newest, u8::min).max(oldest)
    }

    /// Entries of events that each of the others has read, up to here; `None` without others.
    pub(super) fn confirmed(&self, than: NodeId) -> Option<u64> {
        self.others(than).map(|(_, beat)| beat.position.events).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::log::Position;

    const ME: NodeId = NodeId(1);

    fn beat(events: u64) -> Beat {
        let position = Position { events, now: 0 };
        let (name, version) = (String::new(), String::new());
        Beat { name, version, format: 1, count: 1, since: 0, clients: 0, position, lag: 0, fingerprints: [0; 3] }
    }

    #[test]
    fn only_what_all_that_are_there_have_read_is_confirmed() {
        let begun = Instant::now();
        let mut peers = Peers::new(begun);
        peers.heard(ME, beat(5), begun);
        assert_eq!(peers.confirmed(ME), None);
        peers.heard(NodeId(2), beat(20), begun);
        peers.heard(NodeId(3), beat(10), begun);
        assert_eq!(peers.confirmed(ME), Some(10));
        peers.heard(NodeId(2), beat(30), begun + SILENCE);
        peers.listened(begun + SILENCE);
        assert_eq!(peers.confirmed(ME), Some(30), "one is silent for too long");
        peers.left(NodeId(2));
        assert_eq!(peers.confirmed(ME), None);
    }

    #[test]
    fn what_is_written_is_what_the_oldest_that_is_there_reads() {
        let begun = Instant::now();
        let mut peers = Peers::new(begun);
        let reads = |format| Beat { format, ..beat(0) };
        let writes = |peers: &Peers| peers.format(ME, &(1..=3));
        peers.heard(ME, reads(3), begun);
        peers.heard(NodeId(2), reads(3), begun);
        peers.listened(begun + SILENCE / 2);
        assert_eq!(writes(&peers), 1, "there may be others that were not heard yet");
        let later = begun + SILENCE;
        for (node, format) in [(ME, 3), (NodeId(2), 3), (NodeId(3), 4)] {
            peers.heard(node, reads(format), later);
        }
        peers.listened(later);
        assert_eq!(writes(&peers), 3, "no newer one than it reads itself");
        for (format, written) in [(2, 2), (0, 1), (1, 1)] {
            peers.heard(NodeId(4), reads(format), later);
            assert_eq!(writes(&peers), written, "{format}");
        }
        peers.left(NodeId(4));
        assert_eq!(writes(&peers), 3, "the oldest one is gone");
    }

    #[test]
    fn who_could_not_be_heard_is_not_taken_for_gone() {
        let begun = Instant::now();
        let mut peers = Peers::new(begun);
        peers.heard(NodeId(2), beat(20), begun);
        peers.listened(begun + Duration::from_secs(1));
        // Nothing is read for a minute.
        assert_eq!(peers.others(ME).count(), 1);
        peers.listened(begun + Duration::from_mins(1));
        assert_eq!(peers.others(ME).count(), 0);
    }
}
