//! The reads that wait for a connection, in their order, and which of them are made together.
//!
//! Knows nothing of what is read.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::negocio::NegocioId;

#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: Mutex<VecDeque<Turn>>,
}

/// One business's turn. Dropping it tells its runner that the read is over.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) negocio: NegocioId,
    may_share: bool,
    _over: oneshot::Sender<()>,
}

impl Turns {
    /// Queues a read; the receiver fails, and only ever fails, when it is over.
    pub(super) fn queue(&self, negocio: NegocioId, may_share: bool) -> oneshot::Receiver<()> {
        let (over, is_over) = oneshot::channel();
        self.lock().push_back(Turn { negocio, may_share, _over: over });
        is_over
    }

    /// The first turn, and where it may be shared the next that may be, up to `most`.
    pub(super) fn take(&self, most: usize) -> Vec<Turn> {
        let mut waiting = self.lock();
        let Some(first) = waiting.pop_front() else { return Vec::new() };
        let mut taken = vec![first];
        let mut at = 0;
        while taken[0].may_share && taken.len() < most {
            match waiting.get(at).map(|turn| turn.may_share) {
                Some(true) => taken.extend(waiting.remove(at)),
                Some(false) => at += 1,
                None => break,
            }
        }
        taken
    }

    /// Takes a turn back, if nobody has taken it.
    pub(super) fn withdraw(&self, negocio: &NegocioId) -> Option<Turn> {
        let mut waiting = self.lock();
        let at = waiting.iter().position(|turn| turn.negocio == *negocio)?;
        waiting.remove(at)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Turn>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(turns: &Turns, most: usize) -> String {
        turns.take(most).iter().map(|turn| turn.negocio.as_str().to_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn quick_reads_are_made_together_and_slow_ones_alone_in_their_turn() {
        let turns = Turns::default();
        let runners: Vec<_> = [("a", true), ("lenta", false), ("b", true), ("c", true), ("d", true)]
            .map(|(name, may_share)| turns.queue(NegocioId::new(name), may_share))
            .into();
        assert_eq!(taken(&turns, 3), "a b c");
        assert_eq!(taken(&turns, 3), "lenta");
        assert!(turns.withdraw(&NegocioId::new("d")).is_some());
        assert!(turns.withdraw(&NegocioId::new("a")).is_none());
        assert_eq!(taken(&turns, 3), "");
        assert!(
            runners
                .into_iter()
                .all(|mut runner| runner.try_recv().is_err_and(|e| e == oneshot::error::TryRecvError::Closed))
        );
    }

    #[test]
    fn nothing_is_shared_where_one_is_the_most() {
        let turns = Turns::default();
        let _runners = ["a", "b"].map(|name| turns.queue(NegocioId::new(name), true));
        assert_eq!((taken(&turns, 1), taken(&turns, 1)), ("a".to_owned(), "b".to_owned()));
    }
}
