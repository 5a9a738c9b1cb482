//! A subscribe that still waits for an answer, as clients of the second version are given one.
//!
//! Must not know the answer.

use crate::hub::history::Since;

/// Subscribes to one channel that may wait for one answer.
const MOST: usize = 8;

#[derive(Debug)]
pub(in crate::session) struct Question {
    /// The channel as the client wrote it.
    pub(in crate::session) spelling: Box<str>,
    /// By what it knows the answers.
    references: Vec<Box<str>>,
    /// From where the channel is to be replayed, if it said so.
    pub(super) since: Option<Since>,
}

impl Question {
    pub(in crate::session) fn new(spelling: &str, reference: Option<Box<str>>, since: Option<Since>) -> Self {
        Self { spelling: spelling.into(), references: reference.into_iter().collect(), since }
    }

    /// Another subscribe waits for the same answer. Given back where too many do.
    pub(super) fn join(&mut self, other: Self) -> Result<(), Self> {
        if self.references.len() + other.references.len() > MOST {
            return Err(other);
        }
        self.references.extend(other.references);
        Ok(())
    }

    /// Answers each that waits.
    pub(super) fn each(&self, mut answer: impl FnMut(Option<&str>)) {
        if self.references.is_empty() {
            answer(None);
        }
        for reference in &self.references {
            answer(Some(reference));
        }
    }

    /// What is left to know once it was answered: how the client spells it, if otherwise than `spelt`.
    pub(super) fn answered(self, spelt: &str) -> Option<Box<Self>> {
        let kept = Self { references: Vec::new(), since: None, ..self };
        (*kept.spelling != *spelt).then(|| Box::new(kept))
    }
}

/// Each answer to a question, or the one that nobody asked for.
pub(super) fn each(question: Option<&Question>, mut answer: impl FnMut(Option<&str>)) {
    match question {
        Some(question) => question.each(answer),
        None => answer(None),
    }
}
