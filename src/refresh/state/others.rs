//! What other nodes have to do with one key: they announce changes, say what they have read, and know or do
//! not know yet that it is watched here.
//!
//! As pure as the rest of the state.

use std::time::Duration;

use tokio::time::Instant;

use super::{Fresh, Latest, RefreshState, Unasked};

/// So long another node has to say what it has read.
const SAID_WITHIN: Duration = Duration::from_secs(1);
/// For so long others may not have known yet that this node watches.
const KNOWN_AFTER: Duration = Duration::from_secs(2);

/// What became of figures that another node has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::refresh) enum Adopted {
    Newer,
    /// It is what is shown, read once more because somebody asked: who watches is handed it, changed or not.
    Again,
    /// It says what is shown.
    Same,
    Older,
    Incomparable,
}

impl RefreshState {
    /// A change was announced that others watch: it is read here until then, whoever watches.
    pub(in crate::refresh) fn read_for_others(&mut self, until: Instant) {
        self.for_others_until = Some(until);
    }

    pub(in crate::refresh) fn is_for_others(&self) -> bool {
        self.for_others_until.is_some()
    }

    /// Whether a change was announced of which others would hear by what is read here, and it was not read yet, or is to be looked
    /// for once more.
    pub(in crate::refresh) fn owes_others(&self) -> bool {
        self.next.owed || self.next.unasked.contains(Unasked::Hint) || self.trailing_due.is_some() || self.seeks()
    }

    /// Another node announced a change that is watched here, and will say how it stands if it knows that. Whom others may not
    /// have known then looks for a late commit by itself.
    pub(in crate::refresh) fn on_bell(&mut self, now: Instant, trailing: Duration) {
        self.said_due.get_or_insert(now + SAID_WITHIN);
        if self.known_since.is_none_or(|since| now.duration_since(since) < KNOWN_AFTER) {
            self.trailing_due = Some(now + trailing);
        }
        if let Some(running) = &mut self.running {
            running.outdated = true;
        }
    }

    /// Other nodes are told that it is watched here.
    pub(in crate::refresh) fn is_known(&mut self, since: Instant) {
        self.known_since = Some(since);
    }

    /// Whether they were; they have to be told that it is not any more.
    pub(in crate::refresh) fn take_known(&mut self) -> bool {
        self.known_since.take().is_some()
    }

    pub(in crate::refresh) fn was_made_known(&self) -> bool {
        self.known_since.is_some()
    }

    /// Another node has read it today. `begun`: about when; `is_later`: for a later time than what is shown.
    pub(in crate::refresh) fn adopt(
        &mut self,
        fresh: Fresh,
        is_quiet: bool,
        begun: Instant,
        is_later: bool,
    ) -> Adopted {
        let Fresh { reading, room, version, mark, day, .. } = fresh;
        if let Some(latest) = &mut self.latest {
            match (latest.version, version) {
                // What is shown of an older era is read anew: that may have seen more than this has.
                (Some(ours), Some(theirs)) if ours.era() == theirs.era() && latest.day == day => {
                    // Of the same snapshot, and no transaction in between.
                    if ours == theirs && !is_later && !is_quiet && latest.mark == mark && self.failed.is_none() {
                        (latest.begun, latest.is_stale) = (begun, false);
                        (self.said_due, self.suspected) = (None, None);
                        return Adopted::Again;
                    }
                    if ours > theirs || (ours == theirs && !is_later) {
                        return Adopted::Older;
                    }
                }
                _ => return Adopted::Incomparable,
            }
        }
        self.said_due = None;
        self.suspected = None;
        let is_same = self.failed.take().is_none() && self.latest.as_ref().is_some_and(|latest| latest.mark == mark);
        let (seq, held) = (reading.version, room.hold(reading));
        self.latest = Some(Latest { held, seq, version, mark, day, begun, is_stale: false });
        if is_same && is_quiet { Adopted::Same } else { Adopted::Newer }
    }
}
