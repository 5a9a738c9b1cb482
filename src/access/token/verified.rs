//! Whose signature was found good lately, so that a token that comes again need not be verified again: to verify with a
//! public key takes many times as long as to read what stands over it.
//!
//! Digests of tokens and ids of keys, never a token nor a claim: times, dismissals and whether the key is still there are
//! looked at each time. Must not know what a token says.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::config::MAX_VERIFIED;
use crate::model::KeyId;

/// Of a whole token, its signature too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

/// Remembers the latest [`MAX_VERIFIED`] at most, and at least half as many.
#[derive(Debug, Default)]
pub(super) struct Verified(Mutex<Generations>);

/// What is not asked for while the younger one fills is forgotten with the older one.
#[derive(Debug, Default)]
struct Generations {
    younger: HashMap<Digest, KeyId>,
    older: HashMap<Digest, KeyId>,
}

impl Verified {
    /// The key that signed this token, if it was found to have.
    pub(super) fn key_of(&self, digest: &Digest) -> Option<KeyId> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = generations.younger.get(digest) {
            return Some(*key);
        }
        let key = generations.older.remove(digest)?;
        generations.add(*digest, key);
        Some(key)
    }

    pub(super) fn remember(&self, digest: Digest, key: KeyId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(digest, key);
    }
}

impl Generations {
    fn add(&mut self, digest: Digest, key: KeyId) {
        if self.younger.len() >= MAX_VERIFIED / 2 {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(digest, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_no_more_than_may_be() {
        let (verified, key) = (Verified::default(), KeyId::new([7; 16]));
        let digest = |number: usize| Digest::of(&number.to_string());
        for number in 0..MAX_VERIFIED * 2 {
            verified.remember(digest(number), key);
            // Whoever comes again and again is not forgotten.
            assert_eq!(verified.key_of(&digest(0)), Some(key), "{number}");
        }
        let generations = verified.0.lock().unwrap();
        assert!(generations.younger.len() + generations.older.len() <= MAX_VERIFIED);
        drop(generations);
        assert_eq!(verified.key_of(&digest(MAX_VERIFIED * 2 - 1)), Some(key));
        assert_eq!(verified.key_of(&digest(1)), None);
    }
}
