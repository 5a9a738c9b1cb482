//! One live query for one key: what a channel `consulta:<name>:<key>` is of.
//!
//! Must not know which queries there are, nor who may watch one.

use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

/// Longest name of a live query.
const MAX_QUERY_NAME: usize = 64;

/// The name of a live query: `[a-z0-9][a-z0-9_.-]{0,63}`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueryName(Arc<str>);

impl QueryName {
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        let is_name = text.len() <= MAX_QUERY_NAME
            && text.starts_with(is_plain)
            && text.chars().all(|letter| is_plain(letter) || "_.-".contains(letter));
        is_name.then(|| Self(text.into()))
    }

    /// Of the query that says what businesses are called: no file of a live query can have it.
    pub fn of_names() -> Self {
        Self("NAME_SQL".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A live query and the key that it is read for, in its one form; no key where the query has none. One pointer: every client
/// keeps some channels, and few of them are these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consulta(Arc<Named>);

#[derive(Debug, PartialEq, Eq)]
struct Named {
    /// Of the others: a notice looks its channel up a dozen times.
    hash: u64,
    query: QueryName,
    key: Option<Box<str>>,
}

/// Drawn at start: nobody can choose names that collide.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Consulta {
    pub fn new(query: QueryName, key: Option<&str>) -> Self {
        let hash = HASHES.hash_one((&query, key));
        Self(Arc::new(Named { hash, query, key: key.map(Into::into) }))
    }

    pub fn query(&self) -> &QueryName {
        &self.0.query
    }

    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }
}

impl Hash for Consulta {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_named_by_small_letters_digits_and_three_signs() {
        for name in ["cocina", "ventas.por-hora_2", "9", &"a".repeat(64)] {
            assert_eq!(QueryName::parse(name).map(|name| name.as_str().to_owned()).as_deref(), Some(name));
        }
        for wrong in ["", ".cocina", "-a", "_a", "Cocina", "a b", "a:b", "ñ", "a/b", &"a".repeat(65)] {
            assert_eq!(QueryName::parse(wrong), None, "{wrong}");
        }
    }
}
