//! What says that a state may have changed and waits for no answer: a difference is sent, and what is owed survives a failed
//! read.

use std::sync::Arc;

use tokio::time::Instant;

use super::Refresher;
use crate::model::{Channel, Consulta, QueryName};

impl Refresher {
    /// A hook that names a live query in its `hints` was called, perhaps before its commit.
    pub fn hint(self: &Arc<Self>, channel: &Channel) {
        let (now, trailing) = (Instant::now(), self.config.trailing_reread);
        let mut kept = self.lock();
        let watched = kept.entry(channel);
        if self.is_watched(channel) {
            watched.state.on_hint(now, Some(trailing));
            self.ensure_runner(channel, watched);
            return;
        }
        watched.state.on_unwatched_notice(now, trailing);
        drop(kept);
        if self.broker.has_others() {
            let (refresher, channel) = (Arc::clone(self), channel.clone());
            self.runners.spawn(async move { refresher.hint_for_others(&channel).await });
        }
    }

    /// The database's own trigger announced a change, after its commit. One node hears it for all: what is watched here is read
    /// here, and told; else whoever watches it reads it.
    pub fn triggered(self: &Arc<Self>, channel: &Channel) {
        self.metrics.listen_notices.inc();
        let now = Instant::now();
        let mut kept = self.lock();
        let is_watched = self.is_watched(channel);
        if let Some(watched) = kept.channels.get_mut(channel) {
            if is_watched {
                watched.state.on_hint(now, None);
                self.ensure_runner(channel, watched);
            } else {
                watched.state.on_unwatched_notice(now, self.config.trailing_reread);
            }
        }
        drop(kept);
        if !is_watched {
            self.broker.tell_of_change(channel);
        }
    }

    /// As [`Self::triggered`], of all keys of a live query. Nobody knows which are watched elsewhere: whoever watches any of them
    /// reads it. That is said by the name alone, which is no channel of a query that has keys.
    pub fn all_triggered(self: &Arc<Self>, query: &QueryName) {
        self.hint_all(query);
        self.broker.tell_of_change(&Channel::Consulta(Consulta::new(query.clone(), None)));
    }

    /// As [`Self::hint`], of all keys of a live query that are watched here.
    pub(super) fn hint_all(self: &Arc<Self>, query: &QueryName) {
        let now = Instant::now();
        for (channel, watched) in self.lock().channels.iter_mut().filter(|(channel, _)| is_of(channel, query)) {
            watched.state.on_hint(now, None);
            self.ensure_runner(channel, watched);
        }
    }

    /// Whether others mean all keys of a live query: its name alone, where it is read for keys.
    pub(super) fn means_all_keys(&self, channel: &Channel) -> bool {
        let Channel::Consulta(consulta) = channel else { return false };
        consulta.key().is_none() && self.queries.find(consulta.query()).is_some_and(|live| live.query.is_keyed)
    }
}

/// Whether a channel is of a key of this query.
pub(super) fn is_of(channel: &Channel, query: &QueryName) -> bool {
    matches!(channel, Channel::Consulta(consulta) if consulta.query() == query)
}
