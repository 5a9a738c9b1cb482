//! Which nodes there are, for people and their programs.
//!
//! Must not know how it is told.

use std::time::Duration;

/// The nodes of an installation, as one of them hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// Why the log between them takes nothing just now, as a word of a fixed list.
    pub degraded: Option<&'static str>,
    /// This one first.
    pub nodes: Vec<Present>,
}

/// A node that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Sixteen hexadecimal digits, drawn when it started.
    pub id: String,
    pub name: String,
    pub version: String,
    /// When it started, in Unix seconds.
    pub since: i64,
    pub clients: u64,
    /// How far it read behind when it said so last.
    pub lag: Duration,
    /// What it does not have in common with this one and has to: words of a fixed list.
    pub differs: Vec<&'static str>,
}

/// What nodes have to have in common, in the order of their fingerprints.
pub(super) const IN_COMMON: [&str; 3] = ["secret", "zone", "database"];

/// In what two nodes differ.
pub(super) fn differences(one: [u64; 3], other: [u64; 3]) -> Vec<&'static str> {
    let differs = |(name, (one, other))| (one != other).then_some(name);
    IN_COMMON.into_iter().zip(one.into_iter().zip(other)).filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_nodes_do_not_share_is_named() {
        assert_eq!(differences([1, 2, 3], [1, 2, 3]), [""; 0]);
        assert_eq!(differences([1, 2, 3], [0, 2, 0]), ["secret", "database"]);
    }
}
