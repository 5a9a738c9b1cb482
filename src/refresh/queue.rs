//! The reads that wait for a connection, in their order, and which of them are made together.
//!
//! Knows nothing of what is read.

use std::collections::VecDeque;
use std::mem::discriminant;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::model::Channel;

#[derive(Debug, Default)]
pub(super) struct ReadQueue {
    waiting: Mutex<VecDeque<QueuedRead>>,
}

/// One key's turn. Dropping it tells its runner that the read is over.
#[derive(Debug)]
pub(super) struct QueuedRead {
    pub(super) channel: Channel,
    may_share: bool,
    _over: oneshot::Sender<()>,
}

impl ReadQueue {
    /// Queues a read; the receiver fails, and only ever fails, when it is over.
    pub(super) fn queue(&self, channel: Channel, may_share: bool) -> oneshot::Receiver<()> {
        let (over, is_over) = oneshot::channel();
        self.lock().push_back(QueuedRead { channel, may_share, _over: over });
        is_over
    }

    /// The turn of `channel`, and where it may be shared those of others of its kind that may be, longest waiting first, up to
    /// `most`. None if another runner has taken it: so nobody is kept by a read that is not also its own.
    pub(super) fn take(&self, channel: &Channel, most: usize) -> Vec<QueuedRead> {
        let mut waiting = self.lock();
        let own = waiting.iter().position(|turn| turn.channel == *channel);
        let Some(own) = own.and_then(|at| waiting.remove(at)) else { return Vec::new() };
        let mut taken = vec![own];
        let mut at = 0;
        while taken[0].may_share && taken.len() < most {
            let kind = discriminant(channel);
            match waiting.get(at).map(|turn| turn.may_share && discriminant(&turn.channel) == kind) {
                Some(true) => taken.extend(waiting.remove(at)),
                Some(false) => at += 1,
                None => break,
            }
        }
        taken
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<QueuedRead>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;
    use crate::model::{Consulta, NegocioId, QueryName};

    fn channel(name: &str) -> Channel {
        Channel::Estadisticas(NegocioId::new(name))
    }

    fn taken(queued: &ReadQueue, own: &str, most: usize) -> String {
        let taken = queued.take(&channel(own), most);
        taken.iter().map(|turn| turn.channel.to_string().replace("estadisticas:", "")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn quick_reads_are_made_together_and_slow_ones_alone() {
        let queued = ReadQueue::default();
        let names = [("a", true), ("lenta", false), ("b", true), ("c", true), ("d", true)];
        let mut runners = names.map(|(name, may_share)| queued.queue(channel(name), may_share));
        assert_eq!(taken(&queued, "c", 3), "c a b");
        assert_eq!(taken(&queued, "b", 3), "", "another runner has taken it");
        assert_eq!(taken(&queued, "lenta", 3), "lenta");
        assert_eq!(runners[4].try_recv(), Err(TryRecvError::Empty));
        assert_eq!(taken(&queued, "d", 3), "d");
        assert!(runners.iter_mut().all(|runner| runner.try_recv() == Err(TryRecvError::Closed)));
    }

    #[test]
    fn figures_and_live_queries_are_read_apart() {
        let queued = ReadQueue::default();
        let live = Channel::Consulta(Consulta::new(QueryName::parse("q").unwrap(), Some("k")));
        let _runners = [channel("a"), live.clone(), channel("b")].map(|channel| queued.queue(channel, true));
        assert_eq!(taken(&queued, "a", 3), "a b");
        assert_eq!(queued.take(&live, 3).len(), 1);
    }

    #[test]
    fn nothing_is_shared_where_one_is_the_most() {
        let queued = ReadQueue::default();
        let _runners = ["a", "b"].map(|name| queued.queue(channel(name), true));
        assert_eq!((taken(&queued, "a", 1), taken(&queued, "b", 1)), ("a".to_owned(), "b".to_owned()));
    }
}
