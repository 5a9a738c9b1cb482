//! Names of keys that were asked for and were not there: which of them a fetch has looked for since.
//!
//! Must not know the keys that are there.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use tokio::time::Instant;

/// Names remembered, as hashes; one that found no room is always one that no fetch has looked for.
const MAX_SOUGHT: usize = 4_096;
/// After so long a name that was looked for in vain may have been given out.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(5);

#[derive(Debug, Default)]
pub(super) struct Sought {
    hasher: RandomState,
    /// By a name's hash: the first fetch that looks for it, and when it was asked for.
    names: HashMap<u64, (u64, Instant)>,
    /// Fetches begun, and the latest that brought a set.
    begun: u64,
    brought: u64,
    is_wanted: bool,
}

/// What is known of a name that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) was_looked_for: bool,
    /// Whether this is the first for whom a fetch has to begin.
    pub(super) wants_a_fetch: bool,
}

impl Sought {
    pub(super) fn ask(&mut self, kid: &str) -> Asked {
        let now = Instant::now();
        let name = self.hasher.hash_one(kid);
        let known = self.names.get(&name).filter(|(_, asked)| now - *asked < FORGOTTEN_AFTER);
        match known {
            Some((fetch, _)) if *fetch <= self.brought => {
                return Asked { was_looked_for: true, wants_a_fetch: false };
            }
            Some(_) => {}
            None => self.remember(name, now),
        }
        let wants_a_fetch = !std::mem::replace(&mut self.is_wanted, true);
        Asked { was_looked_for: false, wants_a_fetch }
    }

    fn remember(&mut self, name: u64, now: Instant) {
        if self.names.len() >= MAX_SOUGHT && !self.names.contains_key(&name) {
            // Those that were looked for had their answer.
            let brought = self.brought;
            self.names.retain(|_, (fetch, _)| *fetch > brought);
            if self.names.len() >= MAX_SOUGHT {
                return;
            }
        }
        self.names.insert(name, (self.begun + 1, now));
    }

    /// A fetch begins.
    pub(super) fn begin(&mut self) {
        self.begun += 1;
        self.is_wanted = false;
    }

    /// The fetch that began last brought a set.
    pub(super) fn end(&mut self) {
        self.brought = self.begun;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_fetch_is_wanted_however_many_ask_and_another_by_who_comes_later() {
        let mut sought = Sought::default();
        assert!(sought.ask("a").wants_a_fetch);
        assert!(!sought.ask("b").wants_a_fetch && !sought.ask("a").wants_a_fetch);
        sought.begin();
        sought.end();
        let known = sought.ask("a");
        assert_eq!(known, Asked { was_looked_for: true, wants_a_fetch: false });
        assert!(sought.ask("c").wants_a_fetch);
        tokio::time::advance(FORGOTTEN_AFTER).await;
        sought.begin();
        assert_eq!(sought.ask("a"), Asked { was_looked_for: false, wants_a_fetch: true }, "it is time to look again");
    }

    #[tokio::test]
    async fn a_flood_of_names_takes_bounded_room_and_makes_nobody_unknown() {
        let mut sought = Sought::default();
        for number in 0..MAX_SOUGHT + 10 {
            assert!(!sought.ask(&number.to_string()).was_looked_for);
        }
        assert_eq!(sought.names.len(), MAX_SOUGHT);
        sought.begin();
        sought.end();
        assert!(sought.ask("0").was_looked_for);
        assert!(!sought.ask("one that found no room").was_looked_for);
        assert_eq!(sought.names.len(), 1, "those that had their answer made room");
    }
}
