//! The id of a session, or of its place in a namespace: whoever knows a session's is believed to be its client.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Random, and too many to be guessed; they print without padding.
const BYTES: usize = 12;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Sid([u8; BYTES]);

impl Sid {
    /// Of a session that has just begun. Nobody can guess it.
    pub(super) fn random() -> Self {
        Self(rand::random())
    }

    /// `None` if there can be no session of this id.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut sid = [0; BYTES];
        let read = URL_SAFE_NO_PAD.decode_slice(text, &mut sid).ok()?;
        (read == BYTES).then_some(Self(sid))
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Not the id itself: a log is read by others.
impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_what_is_none_is_not() {
        let sid = Sid::random();
        let text = sid.to_string();
        assert_eq!(text.len(), 16);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        assert_eq!(Sid::parse(&text), Some(sid));
        assert_ne!(Sid::random(), sid);
        for none in ["", "x", "AAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAA ", &"A".repeat(2_000), "%00"] {
            assert_eq!(Sid::parse(none), None, "{none}");
        }
    }
}
