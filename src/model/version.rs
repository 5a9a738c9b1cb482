//! Which of two reads of figures is newer, whoever made them.

/// Every number below it is told to browsers as it is: 2^53.
const MOST: i128 = 1 << 53;

/// Where a read stands among all: what is greater has seen all that the lesser has.
///
/// Reads of one database are ordered by the transactions that it had completed. An era is a stretch in which it is one and
/// the same database, as far as anybody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The one that begins later is greater: chosen so that [`Self::seq`] goes on growing.
    era: i64,
    completed: u64,
}

impl Version {
    /// `None` where clients could not be told of it.
    pub fn new(era: i64, completed: u64) -> Option<Self> {
        (1..MOST).contains(&(i128::from(era) + i128::from(completed))).then_some(Self { era, completed })
    }

    /// The first of an era that begins at `seq`, or as near to it as clients can be told.
    pub fn beginning_at(seq: u64, completed: u64) -> Self {
        let seq = i128::from(seq).clamp(1, MOST - 1);
        let era = seq - i128::from(completed);
        Self { era: i64::try_from(era).unwrap_or(i64::MIN), completed }
    }

    pub fn era(self) -> i64 {
        self.era
    }

    pub fn completed(self) -> u64 {
        self.completed
    }

    /// As clients are told it: µs since the epoch when the era began, and one more for every transaction since. No database
    /// completes a million in a second, so the next era begins above.
    pub fn seq(self) -> u64 {
        u64::try_from(i128::from(self.era) + i128::from(self.completed)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_client_could_be_told_is_no_version() {
        assert_eq!(Version::new(0, 0), None);
        assert_eq!(Version::new(-5, 5), None);
        assert_eq!(Version::new(-5, 6).map(Version::seq), Some(1));
        assert_eq!(Version::new(1, (1 << 53) - 2).map(Version::seq), Some((1 << 53) - 1));
        assert_eq!(Version::new(1, (1 << 53) - 1), None);
        assert_eq!(Version::new(i64::MAX, u64::MAX), None);
        assert_eq!(Version::beginning_at(u64::MAX, 7).seq(), (1 << 53) - 1);
        assert_eq!(Version::beginning_at(1_800_000_000_000_000, 1 << 60).seq(), 1_800_000_000_000_000);
    }
}
