//! A key by which tokens are verified, told from others by what it is and not by what it is called.
//!
//! Must not know keys.

use std::fmt;

/// The first half of a digest of the key itself: another key under the same name is another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 16]);

impl KeyId {
    pub fn new(digest: [u8; 16]) -> Self {
        Self(digest)
    }

    /// The key of this text, as it is written: 32 digits in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(u128::from_str_radix(text, 16).ok()?.to_be_bytes());
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // That of a secret would help to guess it.
        f.write_str("KeyId")
    }
}
