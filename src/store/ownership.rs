//! Which of the asked pairs a database's answer confirms. Both stores use it.
//!
//! Ids are compared as the owner query's columns spell them; what goes back is spelt as it was asked.

use std::collections::{HashMap, HashSet};

use super::Ownership;
use crate::model::IdType;

/// A batch of questions, ready to be bound.
pub(super) struct OwnerQuery<'a> {
    negocio: IdType,
    user: IdType,
    /// From the columns' spelling to the questions that meant it.
    asked: HashMap<(String, String), Vec<&'a Ownership>>,
}

impl<'a> OwnerQuery<'a> {
    /// Leaves out what the columns cannot hold: nobody owns that.
    pub(super) fn new(asked: &'a [Ownership], negocio: IdType, user: IdType) -> Self {
        let mut questions: HashMap<_, Vec<_>> = HashMap::with_capacity(asked.len());
        for question in asked {
            let spelt = negocio.canonical(question.negocio.as_str()).zip(user.canonical(question.user.as_str()));
            if let Some(spelt) = spelt {
                questions.entry(spelt).or_default().push(question);
            }
        }
        Self { negocio, user, asked: questions }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Each business once.
    pub(super) fn negocios(&self) -> Vec<&str> {
        self.asked.keys().map(|(negocio, _)| negocio.as_str()).collect::<HashSet<_>>().into_iter().collect()
    }

    /// Each user once.
    pub(super) fn users(&self) -> Vec<&str> {
        self.asked.keys().map(|(_, user)| user.as_str()).collect::<HashSet<_>>().into_iter().collect()
    }

    /// The asked pairs among `answer`; the query may return others, since it crosses two lists.
    pub(super) fn confirmed(&self, answer: impl Iterator<Item = (String, String)>) -> HashSet<Ownership> {
        answer
            .filter_map(|(negocio, user)| self.negocio.canonical(&negocio).zip(self.user.canonical(&user)))
            .filter_map(|pair| self.asked.get(&pair))
            .flatten()
            .map(|question| (*question).clone())
            .collect()
    }
}
