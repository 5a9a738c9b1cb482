//! The groups of Django's whose messages somebody may hear.
//!
//! Must not know who hears them.

use crate::model::Channel;

/// Some are always heard, others as long as somebody listens to their channel.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    pub fixed: Vec<&'static str>,
    /// What the names of the others begin with, and how each is called by whoever listens to this channel.
    pub others: Vec<(&'static str, GroupOf)>,
}

/// The group whose messages the listeners of a channel hear.
pub type GroupOf = fn(&Channel) -> Option<String>;

impl Groups {
    /// Those of the others that somebody listens to.
    pub(super) fn of<'a>(&'a self, channels: &'a [Channel]) -> impl Iterator<Item = String> + 'a {
        channels.iter().flat_map(|channel| self.others.iter().filter_map(|(_, of)| of(channel)))
    }
}
