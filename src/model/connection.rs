//! The id of one connection, by which the log tells it from all others.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counted from a number of each process's own, far from every other's: unique over restarts and nodes. Prints as 16
/// hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(u64);

static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(rand::random()));

impl ConnectionId {
    /// Of a connection that has just come.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn each_connection_has_an_id_of_its_own_whoever_accepts_it() {
        let accepting: Vec<_> = (0..4).map(|_| thread::spawn(|| [(); 1_000].map(|()| ConnectionId::new()))).collect();
        let printed: HashSet<String> =
            accepting.into_iter().flat_map(|ids| ids.join().unwrap()).map(|id| id.to_string()).collect();
        assert_eq!(printed.len(), 4_000);
        assert!(printed.iter().all(|id| id.len() == 16 && id.chars().all(|digit| digit.is_ascii_hexdigit())));
    }
}
