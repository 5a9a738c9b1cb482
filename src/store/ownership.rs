//! Which of the asked pairs of a business, or a live query's key, and a user a database's answer confirms. Both stores use it.
//!
//! Ids are compared as the query's columns spell them; what goes back is spelt as it was asked.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::Ownership;
use crate::model::IdType;

/// A question that is about a thing and a user.
pub(super) trait Pair: Clone + Eq + Hash {
    fn pair(&self) -> (&str, &str);
}

impl Pair for Ownership {
    fn pair(&self) -> (&str, &str) {
        (self.negocio.as_str(), self.user.as_str())
    }
}

impl Pair for (String, String) {
    fn pair(&self) -> (&str, &str) {
        (&self.0, &self.1)
    }
}

/// A batch of questions, ready to be bound.
pub(super) struct OwnerQuery<'a, P> {
    thing: IdType,
    user: IdType,
    /// From the columns' spelling to the questions that meant it.
    asked: HashMap<(String, String), Vec<&'a P>>,
}

impl<'a, P: Pair> OwnerQuery<'a, P> {
    /// Leaves out what the columns cannot hold: nobody owns that.
    pub(super) fn new(asked: &'a [P], thing: IdType, user: IdType) -> Self {
        let mut questions: HashMap<_, Vec<_>> = HashMap::with_capacity(asked.len());
        for question in asked {
            let (a_thing, a_user) = question.pair();
            let spelt = thing.canonical(a_thing).zip(user.canonical(a_user));
            if let Some(spelt) = spelt {
                questions.entry(spelt).or_default().push(question);
            }
        }
        Self { thing, user, asked: questions }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Each business or key once.
    pub(super) fn things(&self) -> Vec<&str> {
        self.asked.keys().map(|(thing, _)| thing.as_str()).collect::<HashSet<_>>().into_iter().collect()
    }

    /// Each user once.
    pub(super) fn users(&self) -> Vec<&str> {
        self.asked.keys().map(|(_, user)| user.as_str()).collect::<HashSet<_>>().into_iter().collect()
    }

    /// The asked pairs among `answer`; the query may return others, since it crosses two lists.
    pub(super) fn confirmed(&self, answer: impl Iterator<Item = (String, String)>) -> HashSet<P> {
        answer
            .filter_map(|(thing, user)| self.thing.canonical(&thing).zip(self.user.canonical(&user)))
            .filter_map(|pair| self.asked.get(&pair))
            .flatten()
            .map(|question| (*question).clone())
            .collect()
    }
}

/// Which of two columns of a query of `access: sql` is the key and which the user: `user_id` is the user wherever it stands,
/// else the second one is.
pub(super) fn pair_columns(names: &[&str]) -> Result<[usize; 2], String> {
    match names {
        ["user_id", other] if *other != "user_id" => Ok([1, 0]),
        [_, _] => Ok([0, 1]),
        _ => Err(format!(
            "returns the columns ({}); it must return two, the key and user_id, of the pairs that are allowed",
            names.join(", ")
        )),
    }
}
