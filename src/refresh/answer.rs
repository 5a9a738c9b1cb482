//! What a read says, whatever it is of, and how clients are told it: in the words of the feed whose channel it is.
//!
//! Must not know how it was read.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::feeds::{appointments, queries};
use crate::model::{Channel, Figures};

/// What a read says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Figures(Figures),
    /// The result of a live query, as it is sent.
    Data(Arc<str>),
}

/// By what two answers are told apart, though only one of them is at hand: by a key that nobody knows, so that who writes
/// results cannot make two that have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Answer {
    /// `second`: Unix seconds of the read.
    pub(super) fn frame(&self, channel: &Channel, second: i64, seq: u64) -> String {
        match (channel, self) {
            (Channel::Estadisticas(negocio), Self::Figures(figures)) => {
                appointments::words::stats(negocio, figures, second, seq)
            }
            (channel, Self::Data(data)) => queries::words::consulta(&channel.to_string(), seq, second, data),
            // Figures are read for businesses alone.
            (_, Self::Figures(_)) => String::new(),
        }
    }

    pub(super) fn mark(&self, digests: &RandomState) -> Mark {
        Mark(match self {
            Self::Figures(figures) => digests.hash_one(figures),
            Self::Data(data) => digests.hash_one(data.as_bytes()),
        })
    }
}

/// What watchers of a channel are told in place of what cannot be read.
pub(super) fn failed(channel: &Channel) -> String {
    queries::words::failed(&channel.to_string(), queries::words::NO_RESULT)
}
