//! Users whose sessions were ended: their older tokens are no good any more.
//!
//! In this process's memory only: a token ends by its `exp`, and the API that dismissed somebody issues no new ones.

use dashmap::DashMap;

use crate::config::MAX_DISMISSED;
use crate::model::UserId;

/// Who was dismissed, and when.
#[derive(Debug, Default)]
pub struct Dismissed(DashMap<UserId, i64>);

impl Dismissed {
    /// From `at` (Unix seconds) on the user's tokens are refused that were issued until then.
    pub fn add(&self, user: UserId, at: i64) {
        if self.0.len() >= MAX_DISMISSED
            && let Some(first) = self.0.iter().min_by_key(|entry| *entry.value()).map(|entry| entry.key().clone())
        {
            self.0.remove(&first);
        }
        self.0.entry(user).and_modify(|until| *until = at.max(*until)).or_insert(at);
    }

    /// Everybody, and until when.
    pub(crate) fn all(&self) -> Vec<(String, i64)> {
        self.0.iter().map(|entry| (entry.key().as_str().to_owned(), *entry.value())).collect()
    }

    /// Whether a token that was issued then is no good; one that does not say when may be old.
    pub(super) fn bars(&self, user: &UserId, issued_at: Option<i64>) -> bool {
        let at = self.0.get(user).map(|entry| *entry.value());
        at.is_some_and(|at| issued_at.is_none_or(|issued_at| issued_at <= at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_tokens_are_barred_and_newer_ones_are_not() {
        let dismissed = Dismissed::default();
        dismissed.add(UserId::new("ana"), 100);
        let bars = |user: &str, at| dismissed.bars(&UserId::new(user), at);
        assert!(bars("ana", Some(99)) && bars("ana", Some(100)) && bars("ana", None));
        assert!(!bars("ana", Some(101)) && !bars("luis", Some(1)));
    }

    #[test]
    fn beyond_the_bound_the_first_is_forgotten() {
        let dismissed = Dismissed::default();
        for at in 0..=MAX_DISMISSED {
            dismissed.add(UserId::new(&at.to_string()), i64::try_from(at).unwrap());
        }
        assert_eq!(dismissed.0.len(), MAX_DISMISSED);
        assert!(!dismissed.bars(&UserId::new("0"), None) && dismissed.bars(&UserId::new("1"), None));
    }
}
