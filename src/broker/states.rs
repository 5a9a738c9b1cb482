//! What a broker does for those who read states: the others are told, and tell.
//!
//! On a node that is alone nothing of it waits, nor costs anything. Must not know what a state says.

use tokio::sync::mpsc;

use super::{Broker, Tidings};
use crate::model::Channel;

impl Broker {
    /// Whether there may be other nodes, which are to be told.
    pub fn has_others(&self) -> bool {
        self.is_of_several_nodes()
    }

    /// What others tell of states: for whoever asks first.
    pub fn news(&self) -> Option<mpsc::Receiver<Tidings>> {
        self.cluster.as_ref()?.news()
    }

    /// A channel is watched here from now on: returns when every node that rings for it finds that out, or when that takes too
    /// long. Whoever reads afterwards has seen what was rung for before.
    pub async fn watch(&self, channel: &Channel) {
        if let Some(cluster) = &self.cluster {
            cluster.watch(channel).await;
        }
    }

    /// It is not watched here any more.
    pub async fn unwatch(&self, channel: &Channel) {
        if let Some(cluster) = &self.cluster {
            cluster.unwatch(channel).await;
        }
    }

    /// Something has changed about a channel that is not watched here: returns how many nodes watch it. They are told, and wait
    /// for [`Self::tell_state`].
    pub async fn ring_watchers(&self, channel: &Channel) -> usize {
        match &self.cluster {
            Some(cluster) => cluster.ring_watchers(channel).await,
            None => 0,
        }
    }

    /// How a channel stands, as this node has read it: in the words of its feed, or none where others have to read for
    /// themselves. Returns when they are told, or when that takes too long; they are told later then.
    pub async fn tell_state(&self, channel: &Channel, said: String) {
        if let Some(cluster) = &self.cluster {
            cluster.tell_state(channel, said).await;
        }
    }

    /// Something has changed, and who watches it on another node reads for itself. They are told a little later.
    pub fn tell_of_change(&self, channel: &Channel) {
        if let Some(cluster) = &self.cluster {
            cluster.tell_of_change(channel);
        }
    }

    /// Nobody knows what has changed: everybody reads what it watches.
    pub fn ring_all(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.ring_all();
        }
    }

    /// Raises a number that all nodes have in common; who has a smaller one hears of it.
    pub async fn raise(&self, value: u64) {
        if let Some(cluster) = &self.cluster {
            cluster.raise(value).await;
        }
    }
}
