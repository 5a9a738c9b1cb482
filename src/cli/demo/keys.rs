//! The demo's keys: those that everybody knows, unless its own secret is given.
//!
//! Must not reach a server that serves: whoever configures one of these is refused (`config/known.rs`).

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::config::{DEMO_CLOUD_KEY, DEMO_HOOK_KEY, DEMO_SECRET, Secret};

pub(super) struct Keys {
    pub(super) jwt: Secret,
    pub(super) hook: Secret,
    pub(super) cloud: Secret,
}

impl Keys {
    /// Those of the documents' examples.
    pub(super) fn documented() -> Self {
        Self { jwt: Secret::new(DEMO_SECRET), hook: Secret::new(DEMO_HOOK_KEY), cloud: Secret::new(DEMO_CLOUD_KEY) }
    }

    /// The same for the same secret.
    pub(super) fn of(secret: &str) -> Self {
        let derived = |purpose: &str| {
            let digest = Sha256::new().chain_update(purpose).chain_update([0]).chain_update(secret).finalize();
            Secret::new(digest.iter().take(16).fold(String::new(), |mut text, byte| {
                // Writing to a string cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            }))
        };
        Self { jwt: Secret::new(secret), hook: derived("hook"), cloud: derived("cloud") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_keys_of_its_own_and_always_the_same() {
        let (one, again, other) = (Keys::of("a secret"), Keys::of("a secret"), Keys::of("another"));
        assert_eq!((one.hook.expose(), one.cloud.expose()), (again.hook.expose(), again.cloud.expose()));
        assert_ne!(one.hook, other.hook);
        assert_ne!(one.hook, one.cloud);
    }
}
