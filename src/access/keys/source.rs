//! Where the keys of an issuer come from, as those see it who verify: a look that never waits.
//!
//! Must not know tokens, nor how keys are fetched.

mod sought;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::{Notify, watch};

use super::set::{Candidates, KeySet};
use crate::config::{Algorithm, RemoteKeys};
use crate::model::KeyId;
use sought::Sought;

/// The keys of one issuer, as they are now.
#[derive(Debug)]
pub struct Source {
    held: RwLock<Held>,
    changes: watch::Sender<u64>,
    remote: Option<Remote>,
}

#[derive(Debug, Default)]
struct Held {
    set: Arc<KeySet>,
    standing: Standing,
}

/// What a source that is fetched has beside its keys.
#[derive(Debug)]
struct Remote {
    at: RemoteKeys,
    sought: Mutex<Sought>,
    /// Somebody brought a token of a key that is not there.
    wanted: Notify,
}

/// What a look for a token's key found.
#[derive(Clone, Debug)]
pub enum Looked {
    /// One of these signed it, or none; never empty.
    Keys(Candidates),
    /// There is no such key.
    Unknown,
    /// No fetch could look for it yet: whoever asks comes back.
    NotYet,
}

/// How current a source's keys are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// As their issuer has them, as far as anybody knows.
    #[default]
    Current,
    /// Those of before: they could not be fetched since then (Unix seconds).
    Stale { since: i64 },
    /// There are none yet: they could not be fetched since then (Unix seconds).
    Missing { since: i64 },
}

impl Source {
    /// Keys that stay as they are.
    pub fn fixed(set: KeySet) -> Self {
        Self {
            held: RwLock::new(Held { set: Arc::new(set), ..Held::default() }),
            changes: watch::Sender::default(),
            remote: None,
        }
    }

    /// Keys that are fetched, once [`super::keep`] runs; none until then.
    pub fn fetched(at: RemoteKeys) -> Self {
        let remote = Remote { at, sought: Mutex::default(), wanted: Notify::new() };
        Self { held: RwLock::default(), changes: watch::Sender::default(), remote: Some(remote) }
    }

    /// The keys that may have signed by `algorithm` a token that says `kid`. Never waits; has keys fetched where that may
    /// help.
    pub fn look(&self, kid: Option<&str>, algorithm: Algorithm) -> Looked {
        let set = self.set();
        let found = set.candidates(kid, algorithm);
        if !found.is_empty() {
            return Looked::Keys(found);
        }
        let Some(remote) = &self.remote else { return Looked::Unknown };
        let Some(kid) = kid else { return if set.is_empty() { Looked::NotYet } else { Looked::Unknown } };
        if set.names(kid) {
            return Looked::Unknown;
        }
        let mut sought = remote.sought.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = sought.ask(kid);
        if asked.wants_a_fetch {
            remote.wanted.notify_one();
        }
        if asked.was_looked_for { Looked::Unknown } else { Looked::NotYet }
    }

    /// Whether this key is still there.
    pub fn holds(&self, key: KeyId) -> bool {
        self.set().holds(key)
    }

    /// Moves when the set has changed: a key may be gone.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub fn standing(&self) -> Standing {
        self.held.read().unwrap_or_else(PoisonError::into_inner).standing
    }

    /// A word for keys that are not as their issuer has them: `stale`, or `missing`, be it that they are on their way.
    pub fn word(&self) -> Option<&'static str> {
        match self.standing() {
            Standing::Stale { .. } => Some("stale"),
            Standing::Missing { .. } => Some("missing"),
            Standing::Current => (self.remote.is_some() && self.set().is_empty()).then_some("missing"),
        }
    }

    pub fn set(&self) -> Arc<KeySet> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).set)
    }

    /// Where its keys are fetched from, if they are.
    pub(super) fn remote(&self) -> Option<&RemoteKeys> {
        self.remote.as_ref().map(|remote| &remote.at)
    }

    /// Waits until a fetch may help somebody.
    pub(super) async fn wanted(&self) {
        match &self.remote {
            Some(remote) => remote.wanted.notified().await,
            None => std::future::pending().await,
        }
    }

    /// A fetch begins: what is asked for from here on the next one looks for.
    pub(super) fn begin(&self) {
        if let Some(remote) = &self.remote {
            remote.sought.lock().unwrap_or_else(PoisonError::into_inner).begin();
        }
    }

    /// The fetch brought this set. Says whether it holds other keys than before.
    pub(super) fn take(&self, set: KeySet) -> bool {
        let is_another = {
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            let is_another = !held.set.has_the_keys_of(&set);
            *held = Held { set: Arc::new(set), standing: Standing::Current };
            is_another
        };
        // Only now is a key that is still not there one that was looked for.
        if let Some(remote) = &self.remote {
            remote.sought.lock().unwrap_or_else(PoisonError::into_inner).end();
        }
        if is_another {
            self.changes.send_modify(|version| *version += 1);
        }
        is_another
    }

    /// The fetch brought nothing, at `now` (Unix seconds). Says whether that is new.
    pub(super) fn miss(&self, now: i64) -> bool {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = held.standing == Standing::Current;
        if is_new {
            held.standing =
                if held.set.is_empty() { Standing::Missing { since: now } } else { Standing::Stale { since: now } };
        }
        is_new
    }
}

impl Standing {
    /// Since when its keys could not be fetched, in Unix seconds.
    pub fn since(self) -> Option<i64> {
        match self {
            Self::Current => None,
            Self::Stale { since } | Self::Missing { since } => Some(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeysAt;

    const JWKS: &str = include_str!("tests/openssl.json");

    fn keys() -> KeySet {
        KeySet::from_jwks(JWKS.as_bytes()).unwrap()
    }

    fn fetched() -> Source {
        let url = "https://keys.example/".parse().unwrap();
        Source::fetched(RemoteKeys { at: KeysAt::Jwks(url), allow_http: false })
    }

    fn is_not_yet(source: &Source, kid: &str) -> bool {
        match source.look(Some(kid), Algorithm::ES256) {
            Looked::NotYet => true,
            Looked::Unknown => false,
            Looked::Keys(_) => panic!("{kid} is there"),
        }
    }

    #[test]
    fn who_comes_before_the_keys_comes_back() {
        let source = fetched();
        assert!(is_not_yet(&source, "p256"));
        assert!(matches!(source.look(None, Algorithm::ES256), Looked::NotYet));
        assert_eq!(source.word(), Some("missing"));
        source.begin();
        assert!(source.miss(7) && !source.miss(8));
        assert!(is_not_yet(&source, "p256"));
        assert_eq!((source.standing(), source.word()), (Standing::Missing { since: 7 }, Some("missing")));
        source.begin();
        assert!(source.take(keys()));
        assert!(matches!(source.look(Some("p256"), Algorithm::ES256), Looked::Keys(_)));
        assert!(matches!(source.look(None, Algorithm::ES256), Looked::Keys(_)));
        assert!(matches!(source.look(None, Algorithm::HS256), Looked::Unknown));
        assert_eq!((source.standing(), source.word()), (Standing::Current, None));
    }

    #[test]
    fn a_kid_is_unknown_only_after_a_fetch_that_began_later_has_ended_well() {
        let source = fetched();
        source.begin();
        source.take(keys());
        assert!(is_not_yet(&source, "new"));
        source.begin();
        assert!(is_not_yet(&source, "newer") && is_not_yet(&source, "new"));
        source.take(keys());
        assert!(!is_not_yet(&source, "new"));
        assert!(is_not_yet(&source, "newer"), "the fetch had begun when it was asked for");
        source.begin();
        source.miss(7);
        assert!(is_not_yet(&source, "newer"), "the issuer is away");
        assert_eq!((source.standing(), source.word()), (Standing::Stale { since: 7 }, Some("stale")));
        source.begin();
        source.take(keys());
        assert!(!is_not_yet(&source, "newer"));
        // A key that is there for another algorithm is no reason to come back.
        assert!(!is_not_yet(&source, "ed"));
    }

    #[test]
    fn a_change_is_told_when_the_keys_are_others() {
        let source = fetched();
        let mut changes = source.changes();
        source.take(keys());
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        assert!(!source.take(keys()) && !changes.has_changed().unwrap());
        let fewer = JWKS.replace("\"P-384\"", "\"gone\"");
        let gone = source.set().candidates(Some("p384"), Algorithm::ES384)[0].id();
        assert!(source.holds(gone));
        assert!(source.take(KeySet::from_jwks(fewer.as_bytes()).unwrap()) && changes.has_changed().unwrap());
        assert!(!source.holds(gone));
    }
}
